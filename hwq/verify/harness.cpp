// Streams frames through a Verilated design and records every output beat with its cycle.
// ports.h (generated) names the ports: HWQ_INPUTS(X) and HWQ_OUTPUTS(X) list X(port, beats a frame, bytes a beat).
// Usage: harness JOB FRAMES PATIENCE SEED; JOB holds <port>.in and optional <port>.trace, and receives <port>.out/.flags/.cycles.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "Vdut.h"
#include "ports.h"
#include "verilated.h"

using std::string;
using Bytes = std::vector<uint8_t>;

template <class T> void store(T& port, const uint8_t* from, size_t bytes) {
    port = 0;
    memcpy(&port, from, bytes);
}
template <std::size_t N> void store(VlWide<N>& port, const uint8_t* from, size_t bytes) { memcpy(port.data(), from, bytes); }
template <class T> void load(const T& port, uint8_t* to, size_t bytes) { memcpy(to, &port, bytes); }
template <std::size_t N> void load(const VlWide<N>& port, uint8_t* to, size_t bytes) { memcpy(to, port.data(), bytes); }

static Bytes slurp(const string& path, bool required) {
    FILE* f = fopen(path.c_str(), "rb");
    if (!f) {
        if (!required) return {};
        fprintf(stderr, "cannot read %s\n", path.c_str());
        exit(3);
    }
    fseek(f, 0, SEEK_END);
    Bytes data(ftell(f));
    rewind(f);
    if (fread(data.data(), 1, data.size(), f) != data.size()) exit(3);
    fclose(f);
    return data;
}

static void dump(const string& path, const void* data, size_t bytes) {
    FILE* f = fopen(path.c_str(), "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f)) {
        fprintf(stderr, "cannot write %s\n", path.c_str());
        exit(3);
    }
}

struct Stream {
    string path;
    size_t width, total, done = 0;
    Bytes data, trace;
    std::vector<uint64_t> cycles;
    Stream(const string& path, size_t width, size_t total) : path(path), width(width), total(total), trace(slurp(path + ".trace", false)) {
        cycles.reserve(total);
    }
    bool may(uint64_t t) const { return trace.empty() || trace[t % trace.size()]; }
    void finish() const { dump(path + ".cycles", cycles.data(), cycles.size() * sizeof(uint64_t)); }
};

struct Source : Stream {
    bool presenting = false;
    Source(const string& path, size_t width, size_t total) : Stream(path, width, total) { data = slurp(path + ".in", true); }
    bool begin(uint64_t t) {
        if (!presenting && done < total && may(t)) return presenting = true;
        return false;
    }
    bool sample(uint64_t t, bool ready) {
        if (!(presenting && ready)) return false;
        cycles.push_back(t);
        ++done;
        presenting = false;
        return true;
    }
};

struct Sink : Stream {
    Bytes flags, now, held;
    bool ready = false, waiting = false;
    uint64_t violations = 0, violation_cycle = 0, extra = 0;
    Sink(const string& path, size_t width, size_t total) : Stream(path, width, total), now(width + 1), held(width + 1) {
        data.reserve(width * total);
        flags.reserve(total);
    }
    void violation(uint64_t t) {
        if (!violations++) violation_cycle = t;
    }
    // `now` holds the beat and, in its last byte, the flags.
    bool sample(uint64_t t, bool valid) {
        if (waiting && (!valid || now != held)) violation(t);
        waiting = valid && !ready;
        if (waiting) held = now;
        if (!(valid && ready)) return false;
        if (done >= total) {
            ++extra;
            return true;
        }
        data.insert(data.end(), now.begin(), now.begin() + width);
        flags.push_back(now[width]);
        cycles.push_back(t);
        ++done;
        return true;
    }
    void finish() const {
        Stream::finish();
        dump(path + ".out", data.data(), data.size());
        dump(path + ".flags", flags.data(), flags.size());
    }
};

int main(int argc, char** argv) {
    if (argc < 5) return 3;
    const string job = argv[1];
    const size_t frames = strtoull(argv[2], nullptr, 10);
    const uint64_t patience = strtoull(argv[3], nullptr, 10);
    auto context = std::make_unique<VerilatedContext>();
    context->randReset(2);  // registers without reset start with noise, as they do in no simulator by default
    context->randSeed(atoi(argv[4]));
    auto dut = std::make_unique<Vdut>(context.get());

#define DECLARE_SOURCE(p, beats, width) Source p(job + "/" #p, width, frames * beats);
#define DECLARE_SINK(p, beats, width) Sink p(job + "/" #p, width, frames * beats);
    HWQ_INPUTS(DECLARE_SOURCE)
    HWQ_OUTPUTS(DECLARE_SINK)

    HWQ_QUIET(dut)
    auto edge = [&] {
        dut->aclk = 0;
        dut->eval();
        dut->aclk = 1;
        dut->eval();
    };
#define IDLE_SOURCE(p, beats, width) dut->p##_tvalid = 0;
#define IDLE_SINK(p, beats, width) dut->p##_tready = 0;
    HWQ_INPUTS(IDLE_SOURCE)
    HWQ_OUTPUTS(IDLE_SINK)
    dut->aresetn = 0;
    for (int i = 0; i < 8; ++i) edge();
    dut->aresetn = 1;
    for (int i = 0; i < 16; ++i) edge();  // memories check themselves; cycle 0 comes after that

    uint64_t t = 0, quiet = 0, tail = 0;
    const uint64_t after = 64;  // cycles in which a beat that no frame owns would still show
    bool hang = false;
    while (!context->gotFinish()) {
#define DRIVE_SOURCE(p, beats, width)                                                   \
    if (p.begin(t)) {                                                                   \
        store(dut->p##_tdata, p.data.data() + p.done * width, width);                   \
        dut->p##_tlast = (p.done + 1) % beats == 0;                                     \
        HWQ_KEEP_##p(dut, p.done)                                                       \
    }                                                                                   \
    dut->p##_tvalid = p.presenting;
#define DRIVE_SINK(p, beats, width) dut->p##_tready = p.ready = p.may(t);
        HWQ_INPUTS(DRIVE_SOURCE)
        HWQ_OUTPUTS(DRIVE_SINK)
        dut->aclk = 0;
        dut->eval();
        bool moved = false, complete = true;
#define SAMPLE_SOURCE(p, beats, width) moved |= p.sample(t, dut->p##_tready);
#define SAMPLE_SINK(p, beats, width)                                                    \
    if (dut->p##_tvalid) {                                                              \
        load(dut->p##_tdata, p.now.data(), width);                                      \
        p.now[width] = dut->p##_tlast | (HWQ_USER_##p(dut) & 1) << 1;                   \
    }                                                                                   \
    moved |= p.sample(t, dut->p##_tvalid);                                              \
    complete &= p.done == p.total;
        HWQ_INPUTS(SAMPLE_SOURCE)
        HWQ_OUTPUTS(SAMPLE_SINK)
        dut->aclk = 1;
        dut->eval();
        ++t;
        if (complete && ++tail > after) break;
        quiet = moved ? 0 : quiet + 1;
        if (!complete && quiet > patience) {
            hang = true;
            break;
        }
    }
    dut->final();
    printf("{\"cycles\": %llu, \"hang\": %s, \"finished\": %s", (unsigned long long)t, hang ? "true" : "false",
           context->gotFinish() ? "true" : "false");
#define REPORT_SOURCE(p, beats, width) \
    p.finish();                        \
    printf(", \"" #p "\": {\"done\": %zu, \"total\": %zu}", p.done, p.total);
#define REPORT_SINK(p, beats, width)                                                                                  \
    p.finish();                                                                                                       \
    printf(", \"" #p "\": {\"done\": %zu, \"total\": %zu, \"violations\": %llu, \"violation_cycle\": %llu, \"extra\": %llu}", \
           p.done, p.total, (unsigned long long)p.violations, (unsigned long long)p.violation_cycle, (unsigned long long)p.extra);
    HWQ_INPUTS(REPORT_SOURCE)
    HWQ_OUTPUTS(REPORT_SINK)
    printf("}\n");
    return 0;
}
