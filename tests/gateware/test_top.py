"""The whole design in Amaranth's simulator: bits, every beat's cycle as the token simulator says, framing, registers, reset."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module

from hwq.gateware.parts import Parts, SeparateParts, convert_modules
from hwq.gateware.registers import MAGIC
from hwq.gateware.top import Top, build_top, register_map
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import ArgMax
from hwq.numerics.encoding import Encoding, parse_encoding
from hwq.plan.dataflow import dataflow_of
from hwq.plan.plan import FifoPlan, Plan, StagePlan
from hwq.plan.token_network import StallTraces, simulate
from hwq.plan.units import pitch_of
from tests.gateware.axi import AxiSink, AxiSource, Beat, Registers, reset, run_streams
from tests.gateware.cases import chain, dense, plan_of, staircase, values
from tests.gateware.stream import simulate as simulate_amaranth
from tests.gateware.stream import trace


def beats_of(integers: np.ndarray, encoding: Encoding, bus: int) -> list[Beat]:
    """Beats of (frames, elements) integers: codes at their pitch, sign-extended when signed, last beat zero-padded."""
    pitch = pitch_of(encoding.bits)
    lanes = bus // pitch
    beats = []
    for frame in integers:
        codes = [int(v) & ((1 << pitch) - 1) for v in (frame if encoding.signed else encoding.encode(frame))]
        starts = range(0, len(codes), lanes)
        for start in starts:
            part = codes[start : start + lanes]
            keep = (1 << -(-len(part) * pitch // 8)) - 1
            beats.append(Beat(sum(c << (k * pitch) for k, c in enumerate(part)), start == starts[-1], keep))
    return beats


def classifier(rng: np.random.Generator) -> Network:
    return chain(
        "BIPOLAR",
        20,
        dense(rng, 20, 12, "BIPOLAR"),
        staircase(rng, 12, "BIPOLAR", reach=6),
        dense(rng, 12, 7, "BIPOLAR"),
    )


def classifier_plan(network: Network, first=(5, 3), second=(2, 4), **buses: int) -> Plan:
    stages = []
    for name, (pe, simd), mw in zip(("conv0", "conv2"), (first, second), (20, 12), strict=True):
        stages.append(StagePlan(name, pe, simd, buffer=2 * -(-mw // simd), depth=3))
    return plan_of(network, *stages, **buses)


def transfer(network: Network, plan: Plan, frames: int, idle: float, stall: float) -> tuple[Top, list[Beat], list[Beat], list[Beat]]:
    """Golden beats, what went in, what came out."""
    rng = np.random.default_rng(frames)
    (source,), (target,) = (i.name for i in network.inputs), network.outputs
    dut = build_top(network, plan, Parts())
    x = values(rng, network.tensors[source].encoding, (frames, *network.tensors[source].shape))
    golden = network.run({source: x})[target].reshape(frames, -1)
    buses = {s.name: s.bus_bits for s in plan.streams}
    expected = beats_of(golden, network.tensors[target].encoding, buses[target])
    sent = beats_of(x.reshape(frames, -1), network.tensors[source].encoding, buses[source])
    idle_trace, stall_trace = trace(rng, idle), trace(rng, stall)
    put, got = AxiSource(dut, "s_axis_x", sent, idle_trace), AxiSink(dut, f"m_axis_{target}", stall_trace)
    run_streams(dut, [put], [got], [len(expected)])
    stalls = StallTraces(
        {} if idle_trace is None else {source: np.array(idle_trace)}, {} if stall_trace is None else {target: np.array(stall_trace)}
    )
    law = simulate(dataflow_of(network, plan), frames, stalls)
    assert [b.cycle for b in put.beats] == law.input_beats[source].ravel().tolist()
    assert [b.cycle for b in got.beats] == law.output_beats[target].ravel().tolist()
    return dut, expected, put.beats, got.beats


def assert_same(got: list[Beat], expected: list[Beat]) -> None:
    assert [(hex(b.data), b.last, b.keep) for b in got] == [(hex(b.data), b.last, b.keep) for b in expected]
    assert not any(b.user for b in got)


@pytest.mark.parametrize(("idle", "stall"), [(1.0, 1.0), (0.6, 0.5)])
@pytest.mark.parametrize(
    ("first", "second", "bus", "out_bus"),
    [((5, 3), (2, 4), 8, 16), ((12, 20), (7, 12), 32, 64), ((12, 20), (7, 12), 64, 64), ((4, 8), (3, 6), 8, 8), ((1, 1), (1, 1), 16, 32)],
)
def test_bits_and_every_cycle(first, second, bus, out_bus, idle, stall):
    network = classifier(np.random.default_rng(0))
    plan = classifier_plan(network, first, second, bus=bus, out_bus=out_bus)
    _, expected, _, got = transfer(network, plan, 5, idle, stall)
    assert_same(got, expected)


@pytest.mark.parametrize("weights", ["TERNARY", "BIPOLAR", "INT4"])
def test_the_code_that_ternary_leaves_out_is_taken_for_zero(weights):
    """Whatever multiplies in the lanes behind the input."""
    rng = np.random.default_rng(4)
    network = chain("TERNARY", 9, dense(rng, 9, 6, weights))
    plan = plan_of(network, StagePlan("conv0", 3, 5, buffer=4, depth=3), bus=16)
    x = rng.integers(-1, 2, (4, 9))
    golden = network.run({"x": x.reshape(4, 1, 1, 9)})["t0"].reshape(4, -1)
    expected = beats_of(golden, network.tensors["t0"].encoding, 64)
    dut = build_top(network, plan, Parts())
    put = AxiSource(dut, "s_axis_x", beats_of(np.where(x == 0, -2, x), network.tensors["x"].encoding, 16), None)
    got = AxiSink(dut, "m_axis_t0", None)
    run_streams(dut, [put], [got], [len(expected)])
    assert_same(got.beats, expected)


@pytest.mark.parametrize(("idle", "stall"), [(1.0, 1.0), (0.6, 0.5)])
def test_integer_network_with_argmax(idle, stall):
    rng = np.random.default_rng(1)
    network = chain("UINT8", 9, staircase(rng, 9, "UINT2", reach=120), dense(rng, 9, 6, "INT3"), ArgMax())
    plan = plan_of(
        network,
        StagePlan("threshold0", 4, depth=4),
        StagePlan("conv1", 3, 3, buffer=6, depth=4),
        StagePlan("argmax2", 2),
        bus=32,
        out_bus=8,
    )
    _, expected, _, got = transfer(network, plan, 6, idle, stall)
    assert_same(got, expected)


def test_two_outputs_through_a_fork():
    rng = np.random.default_rng(2)
    nodes = (
        Node("a", dense(rng, 10, 6, "TERNARY"), ("x",), ("ya",)),
        Node("b", dense(rng, 10, 3, "TERNARY"), ("x",), ("yb",)),
    )
    network = Network("two", (NetworkInput("x", (1, 1, 10), parse_encoding("TERNARY")),), nodes, ("ya", "yb"))
    stages = StagePlan("a", 2, 5, buffer=4, depth=4), StagePlan("b", 3, 2, buffer=10, depth=4)
    plan = plan_of(network, *stages, bus=8, out_bus=16, fifos=(FifoPlan("x.branch0.fifo", 3),))
    dut = build_top(network, plan, Parts())
    x = values(rng, network.tensors["x"].encoding, (4, 1, 1, 10))
    golden = network.run({"x": x})
    put = AxiSource(dut, "s_axis_x", beats_of(x.reshape(4, -1), network.tensors["x"].encoding, 8), trace(rng, 0.8))
    sinks = [AxiSink(dut, f"m_axis_{y}", trace(rng, 0.5)) for y in ("ya", "yb")]
    run_streams(dut, [put], sinks, [12, 4])
    for y, sink in zip(("ya", "yb"), sinks, strict=True):
        assert_same(sink.beats, beats_of(golden[y].reshape(4, -1), network.tensors[y].encoding, 16))


def test_misplaced_tlast_spoils_one_frame_and_no_other():
    network = classifier(np.random.default_rng(0))
    plan = classifier_plan(network, bus=8, out_bus=64)
    dut = build_top(network, plan, Parts())
    rng = np.random.default_rng(3)
    encoding = network.tensors["x"].encoding
    x = values(rng, encoding, (6, 1, 1, 20))
    sent = beats_of(x.reshape(6, -1), encoding, 8)
    sent[1 * 3 + 1].last = True  # frame 1 ends early, after two of three beats
    del sent[1 * 3 + 2]
    missing = 3 * 3 - 1 + 2
    sent[missing].last = False  # frame 3 goes on for two more beats
    sent[missing + 1 : missing + 1] = [Beat(0xFF, False), Beat(0xFF, True)]
    x[1, 0, 0, 16:] = -1  # completed with the code 0
    golden = network.run({"x": x})["t2"].reshape(6, -1)
    put, got = AxiSource(dut, "s_axis_x", sent, trace(rng, 0.7)), AxiSink(dut, "m_axis_t2", trace(rng, 0.7))
    read: dict[str, int] = {}

    async def look(ctx):
        registers = {r.name: r.offset for r in register_map(network, plan)}
        port = Registers(dut)
        await port.write(ctx, registers["CONTROL"], 1)
        for name in ("STATUS", "x.FRAMES", "x.BAD", "t2.FRAMES", "ID"):
            read[name] = await port.read(ctx, registers[name])

    run_streams(dut, [put], [got], [6], after=look)
    expected = beats_of(golden, network.tensors["t2"].encoding, 64)
    assert [hex(b.data) for b in got.beats] == [hex(b.data) for b in expected]
    assert [b.user for b in got.beats] == [False, True, False, True, False, False]
    assert read == {"STATUS": 0b011, "x.FRAMES": 6, "x.BAD": 2, "t2.FRAMES": 6, "ID": MAGIC}


def test_bits_beyond_the_frame_and_above_a_code_are_ignored():
    rng = np.random.default_rng(7)
    network = chain("UINT2", 5, dense(rng, 5, 3, "BIPOLAR"))
    network_b = chain("INT3", 5, dense(rng, 5, 3, "BIPOLAR"))
    for net in (network, network_b):
        encoding = net.tensors["x"].encoding
        dut = build_top(net, plan_of(net, StagePlan("conv0", 2, 4, buffer=4, depth=4), bus=16, out_bus=32), Parts())
        x = values(rng, encoding, (5, 1, 1, 5))
        golden = net.run({"x": x})["t0"].reshape(5, -1)
        sent, pitch = beats_of(x.reshape(5, -1), encoding, 16), pitch_of(encoding.bits)
        lanes = 16 // pitch
        for n, beat in enumerate(sent):
            real = min(lanes, 5 - n % -(-5 // lanes) * lanes)
            used = sum(((1 << encoding.bits) - 1) << (k * pitch) for k in range(real))
            beat.data = (beat.data & used) | (int(rng.integers(1 << 16)) & ~used)
        put, got = AxiSource(dut, "s_axis_x", sent, None), AxiSink(dut, "m_axis_t0", None)
        run_streams(dut, [put], [got], [5])
        assert_same(got.beats, beats_of(golden, net.tensors["t0"].encoding, 32))


def test_reset_in_mid_frame_leaves_nothing_behind():
    network = classifier(np.random.default_rng(0))
    plan = classifier_plan(network, bus=8, out_bus=64)
    encoding, rng = network.tensors["x"].encoding, np.random.default_rng(4)
    for held in (3, 8, 17, 40):
        dut = build_top(network, plan, Parts())
        x = values(rng, encoding, (4, 1, 1, 20))
        golden = network.run({"x": x})["t2"].reshape(4, -1)
        disturb = AxiSource(dut, "s_axis_x", beats_of(-x.reshape(4, -1), encoding, 8), None)
        put, got = AxiSource(dut, "s_axis_x", beats_of(x.reshape(4, -1), encoding, 8), None), AxiSink(dut, "m_axis_t2", None)

        async def bench(ctx, dut=dut, disturb=disturb, put=put, got=got, held=held):
            for t in range(held):
                disturb.drive(ctx, t)
                disturb.observe(ctx, t)
                await ctx.tick()
            ctx.set(disturb.signals["tvalid"], 0)
            await reset(ctx, dut)
            for t in range(300):
                for end in (put, got):
                    end.drive(ctx, t)
                for end in (put, got):
                    end.observe(ctx, t)
                await ctx.tick()

        simulate_amaranth(dut, bench)
        assert_same(got.beats, beats_of(golden, network.tensors["t2"].encoding, 64))


def test_registers_count_cycles_and_clear():
    network = classifier(np.random.default_rng(0))
    plan = classifier_plan(network)
    dut = build_top(network, plan, Parts())
    offsets = {r.name: r.offset for r in register_map(network, plan)}
    read: list[int] = []

    async def bench(ctx):
        await reset(ctx, dut)
        port = Registers(dut)
        for command in (1, 3, 1):
            await port.write(ctx, offsets["CONTROL"], command)
            for name in ("CYCLES", "x.STARVED"):
                read.append(await port.read(ctx, offsets[name]))
            for _ in range(20):
                await ctx.tick()
        read.append(await port.read(ctx, offsets["NETWORK_HASH"]))
        read.append(await port.read(ctx, 0xFFC))

    simulate_amaranth(dut, bench)
    cycles, starved = read[0:6:2], read[1:6:2]
    assert 0 < cycles[0] < cycles[1]
    assert cycles[2] < cycles[1]
    assert all(0 < s <= c for s, c in zip(starved, cycles, strict=True))
    value = {r.name: r for r in register_map(network, plan)}["NETWORK_HASH"].value
    assert read[6:] == [value & 0xFFFFFFFF, 0]


def test_register_map_has_no_overlap_and_unique_names():
    network = classifier(np.random.default_rng(0))
    registers = register_map(network, classifier_plan(network))
    assert len({r.name for r in registers}) == len(registers)
    ends = [r.offset + r.bits // 8 for r in registers]
    assert all(r.offset >= end for r, end in zip(registers[1:], ends, strict=False))


def test_equal_parts_are_emitted_once_and_text_is_the_same_every_time():
    network = classifier(np.random.default_rng(0))
    plan = classifier_plan(network)
    texts = []
    for _ in range(2):
        parts = SeparateParts()
        texts.append(convert_modules(build_top(network, plan, parts), "top", parts))
        kinds = [p.kind for p in parts.modules.values()]
        assert (kinds.count("pe"), kinds.count("row")) == (2, 2)
    assert texts[0] == texts[1]


class Spoiled(Parts):
    """Parts whose memories say that they do not hold what they should."""

    def place(self, kind, hint, key, build):
        part = build()
        if kind == "rom":
            part.elaborate = lambda platform: Module()
        return part


def test_nothing_is_accepted_while_a_memory_is_wrong():
    network = classifier(np.random.default_rng(0))
    plan = classifier_plan(network)
    dut = build_top(network, plan, Spoiled())
    offset = {r.name: r.offset for r in register_map(network, plan)}["STATUS"]
    seen: list[int] = []

    async def bench(ctx):
        await reset(ctx, dut)
        ctx.set(dut.s_axis_x_tvalid, 1)
        for _ in range(30):
            seen.append(ctx.get(dut.s_axis_x_tready))
            await ctx.tick()
        seen.append(await Registers(dut).read(ctx, offset))

    simulate_amaranth(dut, bench)
    assert seen == [0] * 30 + [0b100]
