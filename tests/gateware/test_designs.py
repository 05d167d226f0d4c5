"""Whole designs of every kind of unit: bits as golden, every beat in the cycle that the token simulator says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwq.gateware.parts import Parts
from hwq.gateware.top import build_top
from hwq.network.graph import Network, Node
from hwq.network.ops import (
    Add,
    ArgMax,
    BorderAffine,
    Concat,
    Conv,
    Flatten,
    Lookup,
    Mul,
    Op,
    Pad,
    Pool,
    Split,
    TopK,
    Upsample,
    Window,
)
from hwq.numerics.encoding import Integer
from hwq.plan.dataflow import dataflow_of
from hwq.plan.draft import PlanDraft
from hwq.plan.goal import Goal
from hwq.plan.law import bottleneck
from hwq.plan.plan import FifoPlan, Plan, StagePlan
from hwq.plan.planner import plan_network
from hwq.plan.rules import breaches
from hwq.plan.stages import stages_of
from hwq.plan.token_network import StallTraces, TokenRun, simulate
from hwq.plan.units import Fifo, UpsampleUnit, WindowUnit
from hwq.target.boards import load_device
from tests.gateware.axi import AxiSink, AxiSource, Beat, reset, run_streams
from tests.gateware.cases import image_network, plan_of, staircase, values
from tests.gateware.images import convolution
from tests.gateware.stream import simulate as simulate_amaranth
from tests.gateware.stream import trace
from tests.gateware.test_top import beats_of

SAME = Window((3, 3), padding=(1, 1, 1, 1))


class Layers:
    """Nodes one behind the other or side by side; every call returns the name of the tensor made."""

    def __init__(self, seed: int = 0) -> None:
        self.rng, self.nodes = np.random.default_rng(seed), []

    def op(self, op: Op, *inputs: str) -> str:
        name = f"{op.kind}{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs, (f"{name}_y",)))
        return f"{name}_y"

    def conv(self, x: str, inputs: int, outputs: int, window: Window = SAME, weights: str = "BIPOLAR", groups: int = 1) -> str:
        return self.op(convolution(self.rng, outputs, inputs, window, weights, groups=groups), x)

    def act(self, x: str, channels: int, out: str = "UINT2", reach: int = 9) -> str:
        return self.op(staircase(self.rng, channels, out, reach=reach), x)

    def block(self, x: str, inputs: int, outputs: int, window: Window = SAME, out: str = "UINT2", groups: int = 1) -> str:
        return self.act(self.conv(x, inputs, outputs, window, groups=groups), outputs, out)

    def network(self, inputs: dict[str, tuple[str, tuple[int, int, int]]], *outputs: str) -> Network:
        return image_network(inputs, *self.nodes, outputs=outputs)


def residual() -> Network:
    """A block with identity, one with a projection and stride 2, scores per class."""
    n = Layers()
    a = n.block("x", 3, 4)
    b = n.conv(n.block(a, 4, 4), 4, 4)
    c = n.act(n.op(Add(np.array([[2], [3]])), b, a), 4)
    down = Window((3, 3), (2, 2), (1, 1, 1, 1))
    d = n.conv(n.block(c, 4, 6, down), 6, 6)
    skip = n.conv(c, 4, 6, Window((1, 1), (2, 2)))
    e = n.act(n.op(Add(n.rng.integers(-3, 4, (2, 6))), d, skip), 6)
    mean = n.op(Pool("sum", Window((3, 3))), e)
    return n.network({"x": ("UINT8", (6, 6, 3))}, n.op(ArgMax(), n.conv(mean, 6, 5, Window((1, 1)), "INT3")))


def inception() -> Network:
    """1x1, 3x3 and pooled branches side by side, of different rates and encodings."""
    n = Layers(1)
    a = n.block("x", 3, 4)
    one = n.block(a, 4, 2, Window((1, 1)))
    three = n.block(n.block(a, 4, 2, Window((1, 1))), 2, 4, SAME, "UINT3")
    pooled = n.block(n.op(Pool("max", SAME), a), 4, 2, Window((1, 1)), "INT2")
    joined = n.op(Concat(), one, three, pooled)
    return n.network({"x": ("INT4", (4, 6, 3))}, n.conv(n.op(Pool("max", Window((2, 2), (2, 2))), joined), 8, 3, Window((2, 3)), "INT2"))


def u_net() -> Network:
    """Down, up again by nearest neighbour, concatenated with what was kept; pixels and labels out."""
    n = Layers(2)
    a = n.block("x", 2, 4)
    b = n.block(n.op(Pool("max", Window((2, 2), (2, 2))), a), 4, 6)
    joined = n.op(Concat(), n.op(Upsample((2, 2)), b), a)
    c = n.block(joined, 10, 4)
    scores = n.conv(c, 4, 3, Window((1, 1)), "TERNARY")
    return n.network({"x": ("BIPOLAR", (4, 6, 2))}, scores, n.op(ArgMax(), scores))


def mobile() -> Network:
    """Depthwise and pointwise, a gate per channel, a table, a padding of its own."""
    n = Layers(3)
    a = n.block("x", 3, 4, Window((3, 3), (2, 2), (1, 1, 1, 1)))
    b = n.block(n.block(n.op(Pad((0, 1, 1, 0)), a), 4, 4, SAME, groups=4), 4, 6, Window((1, 1)))
    squeezed = n.act(n.op(Pool("sum", Window((4, 4))), b), 6, reach=60)
    gated = n.op(Mul(), b, n.op(Upsample((4, 4)), n.block(squeezed, 6, 6, Window((1, 1)))))
    looked = n.op(Lookup(n.rng.integers(-2, 2, (1, 10)), 0, 1, Integer(2, True)), gated)
    return n.network({"x": ("UINT4", (6, 6, 3))}, n.op(TopK(2), n.conv(looked, 6, 5, Window((4, 4)), "TERNARY")))


def audio() -> Network:
    """One row: stride, dilation, halves of the channels apart, constants at the borders, flattened thresholds at the end."""
    n = Layers(4)
    a = n.block("x", 1, 4, Window((1, 5), (1, 2), (0, 2, 0, 2)), "INT3")
    n.nodes.append(Node("halves", Split((2, 2)), (a,), ("left", "right")))
    left = n.conv("left", 2, 3, Window((1, 3), (1, 1), (0, 2, 0, 2), (1, 2)))
    right = n.conv("right", 2, 3, Window((1, 1)), "INT2")
    columns = np.array([0, 1, 1, 1, 1, 1, 1, 2])
    border = n.op(BorderAffine(np.array([0]), columns, np.array([[1, 1, 2]]), n.rng.integers(-3, 3, (1, 3, 3))), left)
    joined = n.act(n.op(Add(np.array([[1], [-1]])), border, right), 3, "BIPOLAR", reach=6)
    return n.network({"x": ("INT5", (1, 16, 1))}, n.act(n.op(Flatten(), joined), 24, "UINT2", reach=2))


def two_inputs() -> Network:
    """Two images in, one of them also out, a sum."""
    n = Layers(5)
    a = n.block("x", 2, 4)
    b = n.act(n.op(Add(np.array([[1], [1]])), a, "z"), 4)
    return n.network({"x": ("BIPOLAR", (3, 4, 2)), "z": ("INT3", (3, 4, 4))}, a, n.conv(b, 4, 2, Window((1, 1))))


NETWORKS = {f.__name__: f for f in (residual, inception, u_net, mobile, audio, two_inputs)}


def folded(network: Network, lanes: int, pixels: int, depth: int, fifo: int, buses: tuple[int, int] = (16, 16)) -> Plan:
    """A plan of about ``lanes`` lanes a stage, ``pixels`` where the images allow it, buffers and FIFOs with room."""
    plans = []
    for stage in stages_of(network):
        op, tensors = stage.node.op, network.tensors
        widths = [tensors[t].shape[1] for t in (*stage.sources, *stage.targets) if t]
        channels = tensors[stage.target].shape[2]
        v = pixels if all(w % pixels == 0 for w in widths) and not isinstance(op, Upsample | Pad | Flatten | ArgMax | TopK) else 1
        pe, simd = min(lanes, channels), 1
        if isinstance(op, Conv) and op.groups == 1:
            simd = min(lanes + 1, op.weights.shape[3])
        if isinstance(op, Concat):
            pe = sum(tensors[s].shape[2] for s in stage.sources) if lanes > 2 else 2
        if isinstance(op, Split):
            pe = sum(op.sizes) if lanes > 2 else 1
        if isinstance(op, ArgMax | TopK):
            pe = min(lanes, tensors[stage.source].shape[2])
        plans.append(StagePlan(stage.name, pe, simd, v, depth=depth))
    plan = plan_of(network, *plans, bus=buses[0], out_bus=buses[1])
    units = {u.name: u for u in dataflow_of(network, plan).units}
    stages = [replace(p, buffer=room(units.get(p.name))) for p in plan.stages]
    fifos = [FifoPlan(u.name, fifo) for u in units.values() if isinstance(u, Fifo)]
    return replace(plan, stages=tuple(stages), fifos=tuple(fifos))


def room(unit) -> int:
    """Words of a buffer with which nothing gets stuck."""
    if isinstance(unit, UpsampleUnit):
        return 2 * unit.columns * unit.words
    if isinstance(unit, WindowUnit):
        g = unit.geometry
        # A 1x1 convolution beside deeper layers holds what they are behind.
        return g.frame if g.window.kernel == (1, 1) else g.least_buffer + g.window.stride[0] * g.row + 2 * g.words
    return 2


def check(network: Network, plan: Plan, frames: int, idle: float, stall: float, extra: int = 50) -> TokenRun:
    """Bits as golden and every beat in the cycle that the token simulator says, in a deadlock too: then nothing more comes out."""
    rng = np.random.default_rng(frames)
    dut = build_top(network, plan, Parts())
    buses = {s.name: s.bus_bits for s in plan.streams}
    x = {i.name: values(rng, i.encoding, (frames, *i.shape)) for i in network.inputs}
    golden = network.run(x)
    idles = {name: trace(rng, idle) for name in x}
    stalls = {name: trace(rng, stall) for name in network.outputs}
    law = simulate(dataflow_of(network, plan), frames, StallTraces(*({n: np.array(t) for n, t in s.items() if t} for s in (idles, stalls))))
    cycles = {n: [t for t in law.output_beats[n].ravel().tolist() if t >= 0] for n in network.outputs}
    puts = {n: AxiSource(dut, f"s_axis_{n}", beats(x[n], network, n, buses), idles[n]) for n in x}
    gots = {n: AxiSink(dut, f"m_axis_{n}", stalls[n]) for n in network.outputs}
    expected = {n: beats(golden[n], network, n, buses)[: len(cycles[n])] for n in network.outputs}
    if law.deadlock:
        extra += max(int(b.max()) for b in (*law.input_beats.values(), *law.output_beats.values())) + 300
    run_streams(dut, list(puts.values()), list(gots.values()), [len(e) for e in expected.values()], extra=extra)
    for name, got in gots.items():
        assert [(hex(b.data), b.last, b.keep, b.user) for b in got.beats] == [(hex(b.data), b.last, b.keep, False) for b in expected[name]]
        assert [b.cycle for b in got.beats] == cycles[name]
    for name, put in puts.items():
        assert [b.cycle for b in put.beats] == law.input_beats[name].ravel().tolist()
    return law


def beats(integers: np.ndarray, network: Network, tensor: str, buses: dict[str, int]) -> list[Beat]:
    return beats_of(integers.reshape(len(integers), -1), network.tensors[tensor].encoding, buses[tensor])


FOLDINGS = {"single": (1, 1, 2, 200, (16, 16)), "pairs": (2, 2, 5, 62, (64, 32)), "wide": (4, 1, 9, 90, (32, 16))}


@pytest.mark.parametrize(("folding", "rates"), [("pairs", (1.0, 1.0)), ("wide", (0.7, 0.6))])
@pytest.mark.parametrize("name", NETWORKS)
def test_bits_and_every_cycle(name, folding, rates):
    network = NETWORKS[name]()
    check(network, folded(network, *FOLDINGS[folding]), 2, *rates)


@pytest.mark.slow
@pytest.mark.parametrize("rates", [(1.0, 1.0), (0.7, 0.6), (1.0, 0.5), (0.4, 1.0)])
@pytest.mark.parametrize("folding", FOLDINGS)
@pytest.mark.parametrize("name", NETWORKS)
def test_bits_and_every_cycle_of_all_foldings(name, folding, rates):
    network = NETWORKS[name]()
    check(network, folded(network, *FOLDINGS[folding]), 3, *rates)


def shrunk(plan: Plan, by: int) -> Plan:
    """``plan`` with its deepest FIFO, that of the skip, ``by`` words smaller."""
    deepest = max(plan.fifos, key=lambda f: f.depth)
    return replace(plan, fifos=tuple(replace(f, depth=f.depth - by) if f is deepest else f for f in plan.fifos))


def interval_of(law: TokenRun) -> int:
    """Cycles between the last beats of the last two frames."""
    beats = list(law.output_beats.values())[-1]
    return int(beats[-1, -1] - beats[-2, -1])


def skip() -> Network:
    """A block with identity; what lies in its middle goes out too, so that something has come out when it gets stuck."""
    n = Layers(7)
    a = n.block("x", 2, 3)
    b = n.block(a, 3, 3)
    return n.network({"x": ("UINT2", (4, 4, 2))}, b, n.act(n.op(Add(np.array([[2], [3]])), n.conv(b, 3, 3), a), 3))


@pytest.fixture(scope="module")
def sized() -> tuple[Network, Plan]:
    """:func:`skip` and its plan, depths as sized."""
    network = skip()
    narrow = PlanDraft(streams=dict.fromkeys(network.outputs, 8))
    return network, plan_network(network, load_device("vu9p"), Goal(fps=10e6 / 150), clock_mhz=10, base=narrow)


def test_a_skip_fifo_one_word_too_small_loses_the_interval_as_predicted(sized):
    network, plan = sized
    promised = interval_of(check(network, plan, 4, 1.0, 1.0))
    assert promised == bottleneck(dataflow_of(network, plan))[1]
    law = check(network, shrunk(plan, 1), 4, 1.0, 1.0)
    assert law.deadlock or interval_of(law) > promised


@pytest.mark.parametrize("rates", [(1.0, 1.0), (0.7, 0.6)])
def test_a_skip_fifo_far_too_small_deadlocks_with_the_beats_predicted(sized, rates):
    network, plan = sized
    deepest = max(f.depth for f in plan.fifos)
    stuck = next(by for by in range(1, deepest) if simulate(dataflow_of(network, shrunk(plan, by)), 2).deadlock)
    # One word more still runs, so this is the very border.
    assert not check(network, shrunk(plan, stuck - 1), 2, *rates).deadlock
    law = check(network, shrunk(plan, stuck), 2, *rates)
    assert law.deadlock
    assert any((b >= 0).any() for b in law.output_beats.values())


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Network, Plan]:
    """Up to six layers on one or two small images, each on whatever is there already; all that nobody reads goes out."""
    n = Layers(draw(st.integers(0, 99)))
    shapes = {"x": (draw(st.integers(2, 4)), 4, draw(st.integers(1, 4)))}
    if draw(st.booleans()):
        shapes["z"] = shapes["x"]
    inputs = {name: (draw(st.sampled_from(["BIPOLAR", "UINT2", "INT3"])), shape) for name, shape in shapes.items()}
    read: set[str] = set()
    for _ in range(draw(st.integers(1, 6))):
        x = draw(st.sampled_from(sorted(shapes)))
        like = [t for t, s in shapes.items() if s == shapes[x] and t != x]
        kind = draw(st.sampled_from(["conv", "block", "pool", "up"] + ["add", "mul", "concat"] * bool(like)))
        h, w, c = shapes[x]
        other = draw(st.sampled_from(sorted(like))) if kind in ("add", "mul", "concat") else x
        if kind in ("conv", "block"):
            o = draw(st.integers(2, 4))
            y, shape = (n.conv if kind == "conv" else n.block)(x, c, o, draw(st.sampled_from([SAME, Window((1, 1))]))), (h, w, o)
        elif kind == "pool" and min(h, w) > 1:
            y, shape = n.op(Pool(draw(st.sampled_from(["max", "sum"])), Window((2, 2), (2, 2))), x), (h // 2, w // 2, c)
        elif kind == "add":
            y, shape = n.act(n.op(Add(np.array([[1], [-2]])), x, other), c), (h, w, c)
        elif kind == "mul":
            y, shape = n.act(n.op(Mul(), x, other), c), (h, w, c)
        elif kind == "concat":
            y, shape = n.op(Concat(), x, other), (h, w, 2 * c)
        elif h * w <= 8:
            y, shape = n.op(Upsample((2, 2)), x), (2 * h, 2 * w, c)
        else:
            continue
        read |= {x, other}
        shapes[y] = shape
    outputs = [t for t in shapes if t not in read and t not in inputs]
    assume(outputs and read.issuperset(inputs))
    network = n.network(inputs, *outputs)
    lanes, pixels, depth = draw(st.sampled_from([1, 4])), draw(st.sampled_from([1, 2])), draw(st.integers(1, 9))
    plan = folded(network, lanes, pixels, depth, draw(st.sampled_from([2, 9, 130])))
    assume(not breaches(network, PlanDraft.of(plan)))
    return network, plan


RATES = st.sampled_from([(1.0, 1.0), (0.7, 0.6), (0.4, 1.0), (1.0, 0.5)])


@settings(max_examples=6)
@given(graphs(), RATES)
def test_any_graph_runs_or_gets_stuck_as_the_token_simulator_says(case, rates):
    check(*case, 2, *rates)


@pytest.mark.slow
@settings(max_examples=100)
@given(graphs(), RATES)
def test_many_graphs_run_or_get_stuck_as_the_token_simulator_says(case, rates):
    check(*case, 3, *rates)


def test_reset_in_mid_frame_leaves_nothing_behind():
    network = u_net()
    plan = folded(network, *FOLDINGS["wide"])
    buses = {s.name: s.bus_bits for s in plan.streams}
    rng = np.random.default_rng(9)
    x = values(rng, network.tensors["x"].encoding, (2, *network.tensors["x"].shape))
    golden = network.run({"x": x})
    for held in (111, 300):
        dut = build_top(network, plan, Parts())
        disturb = AxiSource(dut, "s_axis_x", beats(-x, network, "x", buses), None)
        put = AxiSource(dut, "s_axis_x", beats(x, network, "x", buses), None)
        gots = {n: AxiSink(dut, f"m_axis_{n}", trace(rng, 0.8)) for n in network.outputs}

        async def bench(ctx, dut=dut, disturb=disturb, put=put, gots=gots, held=held):
            for t in range(held):
                disturb.drive(ctx, t)
                disturb.observe(ctx, t)
                await ctx.tick()
            ctx.set(disturb.signals["tvalid"], 0)
            await reset(ctx, dut)
            for t in range(1700):
                for end in (put, *gots.values()):
                    end.drive(ctx, t)
                for end in (put, *gots.values()):
                    end.observe(ctx, t)
                await ctx.tick()

        simulate_amaranth(dut, bench)
        for name, got in gots.items():
            assert [hex(b.data) for b in got.beats] == [hex(b.data) for b in beats(golden[name], network, name, buses)]
