"""No loss, no overflow, no combinational loops through handshakes, lanes and accumulators equal their meaning: proven, not tried.

Every proof is shown to be able to fail by a planted bug.
"""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Assert, Assume, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwq.fabric.lane_form import lane_form
from hwq.gateware.accumulator import Accumulator
from hwq.gateware.argmax import ArgMaxStage
from hwq.gateware.axi_in import AxiIngress
from hwq.gateware.axi_out import AxiEgress
from hwq.gateware.converter import ConverterStage
from hwq.gateware.egress import Egress
from hwq.gateware.elementwise import ElementwiseStage
from hwq.gateware.fifo import Fifo
from hwq.gateware.fork import ForkStage
from hwq.gateware.lane import Lane
from hwq.gateware.parts import Parts, rtlil_module
from hwq.network.ops import ArgMax, Conv, Saturating, Window
from hwq.numerics.encoding import Bipolar, parse_encoding
from hwq.plan.dataflow import dataflow_of
from hwq.plan.latency import lane_cycles
from hwq.plan.moving_units import ArgMaxUnit
from hwq.plan.plan import StagePlan
from hwq.plan.units import AxiIn, AxiOut, Converter, Edge, Elementwise
from tests.gateware import test_depthwise as depthwise
from tests.gateware.cases import chain, dense, plan_of, staircase
from tests.gateware.images import convolution, image_chain
from tests.gateware.prover import by_hand, proven, reaches
from tests.gateware.test_mvu import build, windowed


def always(m: Module, condition) -> None:
    m.d.comb += Assert(condition)


def egress_proof(depth: int, latency: int, bug: str = "") -> tuple[Module, dict[str, Signal]]:
    """Tagged words through an Egress behind ``latency`` registers, issued and taken as they please."""
    m = Module()
    bits = (depth + 2).bit_length() + 1
    dut = Egress(bits, depth)
    inner = by_hand(dut)
    slots = dut.ghost_slots(inner)
    m.submodules.egress = inner
    want, ready, fire, pop = Signal(), Signal(), Signal(), Signal()
    sent, expected = Signal(bits), Signal(bits)
    m.d.comb += [fire.eq(want & (dut.grant if bug != "no credit" else 1)), dut.take.eq(fire), dut.o.ready.eq(ready)]
    m.d.comb += pop.eq(dut.o.valid & ready)
    m.d.sync += [sent.eq(sent + fire), expected.eq(expected + pop)]
    flying, tags = [fire], [sent]
    for k in range(latency):
        valid, tag = Signal(name=f"valid_{k}"), Signal(bits, name=f"tag_{k}", reset_less=True)
        m.d.sync += [valid.eq(flying[-1]), tag.eq(tags[-1])]
        flying.append(valid)
        tags.append(tag)
    lost = (tags[-1] == 3) if bug == "lost word" else 0
    m.d.comb += [dut.w_en.eq(flying[-1] & ~lost), dut.w_data.eq(tags[-1])]
    was_valid, was_ready, was_word = Signal(), Signal(), Signal(bits)
    m.d.sync += [was_valid.eq(dut.o.valid), was_ready.eq(ready), was_word.eq(dut.o.payload)]
    outstanding = (sent - expected)[:bits]
    always(m, ~(was_valid & ~was_ready) | (dut.o.valid & (dut.o.payload == was_word)))
    always(m, ~dut.o.valid | (dut.o.payload == expected))
    always(m, outstanding <= depth)
    # What makes the induction close: credits, words in flight and words held are the depth; every word's tag follows its place.
    in_flight = sum(flying[1:], Const(0, 1))
    always(m, dut.credits + in_flight + dut.level == depth)
    always(m, dut.grant == (dut.credits != 0))
    always(m, dut.o.valid == (dut.level != 0))
    always(m, outstanding == (in_flight + dut.level)[:bits])
    always(m, ~(was_valid & ~was_ready) | (was_word == expected))
    for k in range(latency):
        younger = sum(flying[1 : k + 1], Const(0, 1))
        always(m, ~flying[k + 1] | (tags[k + 1] == (sent - 1 - younger)[:bits]))
    for place, slot in enumerate(slots):
        always(m, (dut.level <= place) | (slot == (expected + place)[:bits]))
    if depth > 1:
        always(m, (dut._head + dut.level - dut._tail)[: len(dut._tail)] == 0)
    return m, {"want": want, "ready": ready}


@pytest.mark.parametrize(("depth", "latency"), [(1, 1), (2, 0), (2, 2), (3, 4), (4, 4)])
def test_egress_loses_nothing_and_holds_no_more_than_its_depth(depth, latency):
    assert proven(*egress_proof(depth, latency))


@pytest.mark.parametrize("bug", ["no credit", "lost word"])
def test_egress_proof_can_fail(bug):
    assert not proven(*egress_proof(3, 2, bug), steps=8)


def fork_proof(bug: bool = False) -> tuple[Module, dict[str, Signal]]:
    """Tagged words through a fork of two."""
    m = Module()
    dut = ForkStage(unsigned(4), 2)
    m.submodules.fork = by_hand(dut)
    offer, ready = Signal(), Signal(2)
    tag = Signal(4)
    was_offered = Signal()
    m.d.comb += [dut.i.valid.eq(offer), dut.i.payload.eq(tag), Assume(~was_offered | offer)]
    m.d.sync += [was_offered.eq(offer & ~dut.i.ready), tag.eq(tag + (offer & dut.i.ready))]
    for k, o in enumerate((dut.o0, dut.o1)):
        expected, waiting = Signal(4, name=f"expected_{k}"), Signal(name=f"waiting_{k}")
        m.d.comb += o.ready.eq(ready[k] if not (bug and k) else 1)
        taken = o.valid & (ready[k] if not bug else 1)
        m.d.sync += [expected.eq(expected + taken), waiting.eq(o.valid & ~o.ready)]
        always(m, ~o.valid | (o.payload == expected))
        always(m, ~waiting | o.valid)
        # A branch is at most the word on offer ahead, never behind.
        always(m, (expected == tag) | ((expected == (tag + 1)[:4]) & ~o.valid & was_offered))
    return m, {"offer": offer, "ready": ready}


def test_fork_gives_every_branch_every_word_once():
    assert proven(*fork_proof())


def test_fork_proof_can_fail():
    assert not proven(*fork_proof(bug=True))


def mvu_stage():
    rng = np.random.default_rng(0)
    return build(chain("BIPOLAR", 4, dense(rng, 4, 4, "BIPOLAR"), staircase(rng, 4, "BIPOLAR", reach=2)), 2, 2, depth=2)


def convolution_stage():
    conv = convolution(np.random.default_rng(0), 4, 2, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR")
    return windowed(image_chain("BIPOLAR", (3, 4, 2), conv), 2, 2, pixels=2)


def depthwise_stage():
    conv = convolution(np.random.default_rng(0), 2, 2, Window((1, 3), padding=(0, 1, 0, 1)), "BIPOLAR", groups=2)
    return depthwise.build(image_chain("BIPOLAR", (1, 4, 2), conv), 1)


@pytest.mark.parametrize("error", [0, 1, -1])
@pytest.mark.parametrize("build_stage", [mvu_stage, convolution_stage, depthwise_stage])
def test_contraction_writes_exactly_latency_cycles_after_it_took_a_credit(build_stage, error):
    m = Module()
    dut = build_stage()
    m.submodules.mvu = by_hand(dut)
    valid, word, ready = Signal(), Signal(len(dut.i.payload.as_value())), Signal()
    m.d.comb += [dut.i.valid.eq(valid), dut.i.payload.as_value().eq(word), dut.o.ready.eq(ready)]
    then = dut.egress.take
    for k in range(dut.unit.latency + error):
        later = Signal(name=f"then_{k}")
        m.d.sync += later.eq(then)
        then = later
    always(m, dut.egress.w_en == then)
    always(m, ~dut.egress.take | dut.egress.grant)
    assert proven(m, {"valid": valid, "word": word, "ready": ready}, steps=dut.unit.latency + 4) == (error == 0)


def stream_components() -> dict[str, object]:
    """One of every component with a stream in or out."""
    x = parse_encoding("UINT2")
    elementwise = chain("UINT2", 6, staircase(np.random.default_rng(0), 6, "BIPOLAR", reach=2))
    argmax = chain("UINT2", 6, ArgMax())
    units = {}
    for name, network, kind in (("elementwise", elementwise, Elementwise), ("argmax", argmax, ArgMaxUnit)):
        dataflow = dataflow_of(network, plan_of(network, StagePlan(network.nodes[0].name, pe=2)))
        unit = next(u for u in dataflow.units if isinstance(u, kind))
        units[name] = unit, Edge("i", 2, 2, 6), dataflow.edges[unit.outputs[0]]
    return {
        "mvu": mvu_stage(),
        "convolution": convolution_stage(),
        "depthwise": depthwise_stage(),
        "fifo": Fifo(unsigned(2), 2),
        "fork": ForkStage(unsigned(2), 2),
        "converter": ConverterStage(Converter("c", ("i",), ("o",), 2, 2, 6, 3, 2, 1, 1), Edge("i", 2, 1, 8), Edge("o", 3, 1, 2, 2, 2)),
        "elementwise": ElementwiseStage(*units["elementwise"], x, Bipolar(), Parts()),
        "argmax": ArgMaxStage(*units["argmax"], x),
        "ingress": AxiIngress(AxiIn("i", (), ("o",), "x", 8, 2), Edge("o", 4, 2, 10)),
        "egress": AxiEgress(AxiOut("o", ("i",), (), "y", 8, 2), Edge("i", 4, 2, 10), signed=False),
    }


def test_no_ready_follows_its_valid_and_no_valid_a_ready():
    for name, component in stream_components().items():
        text = rtlil_module(component, "top")
        pairs = [("i__valid", "i__ready")] if name != "ingress" else [("tvalid", "tready")]
        outputs = {"fork": ["o0", "o1"], "egress": []}.get(name, ["o"])
        pairs += [(f"{o}__ready", f"{o}__valid") for o in outputs] + ([("tready", "tvalid")] if name == "egress" else [])
        for source, target in pairs:
            assert not reaches(text, source, target), f"{name}: {target} follows {source}"


class Follower(wiring.Component):
    """A wire that breaks both rules."""

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(1)), "o": Out(stream.Signature(1))})

    def elaborate(self, platform):
        m = Module()
        both = Signal()
        m.d.comb += [both.eq(self.i.valid & self.o.ready), self.i.ready.eq(both), self.o.valid.eq(both)]
        return m


@pytest.mark.parametrize(("source", "target"), [("i__valid", "i__ready"), ("o__ready", "o__valid")])
def test_path_search_finds_a_path(source, target):
    assert reaches(rtlil_module(Follower(), "top"), source, target)


LANES = [
    ("BIPOLAR", "BIPOLAR", 8),
    ("TERNARY", "BIPOLAR", 3),
    ("TERNARY", "TERNARY", 3),
    ("UINT2", "INT2", 3),
    ("INT6", "BIPOLAR", 2),
    ("INT4", "UINT3", 2),
]


def lane_proof(activation: str, weight: str, n: int, *, bug: bool = False) -> tuple[Module, dict[str, Signal]]:
    """A lane against the plain sum of products of integers, all inputs."""
    form = lane_form(parse_encoding(activation), parse_encoding(weight), n)
    m = Module()
    dut = Lane(form)
    m.submodules.lane = by_hand(dut)
    x, w = Signal(len(dut.x)), Signal(len(dut.w))
    total = Const(0, signed(20))
    for k in range(n):
        a, b = integer(m, x, form.x, k), integer(m, w, form.w, k)
        total = total + a * b
    if bug:
        total = total + (x.all() & w.all())
    result = Signal(signed(20))
    m.d.comb += [dut.x.eq(x), dut.w.eq(w), result.eq(total)]
    filled = Const(1, 1)
    for k in range(lane_cycles(form)):
        later, full = Signal(signed(20), name=f"sum_{k}"), Signal(name=f"full_{k}")
        m.d.sync += [later.eq(result), full.eq(filled)]
        result, filled = later, full
    always(m, ~filled | (dut.y * form.step + form.low * n == result))
    return m, {"x": x, "w": w}


def integer(m: Module, codes: Signal, encoding, k: int):
    """Integer of code k; codes that stand for nothing are assumed away."""
    code = codes[k * encoding.bits : (k + 1) * encoding.bits]
    if isinstance(encoding, Bipolar):
        return Mux(code, Const(1, signed(2)), Const(-1, signed(2)))
    if not encoding.signed:
        return code
    m.d.comb += Assume(code.as_signed() >= encoding.lo)
    return code.as_signed()


@pytest.mark.parametrize(("activation", "weight", "n"), LANES)
def test_lane_is_the_sum_of_products(activation, weight, n):
    assert proven(*lane_proof(activation, weight, n))


def test_lane_proof_can_fail():
    assert not proven(*lane_proof("BIPOLAR", "BIPOLAR", 5, bug=True))


def saturation_proof(bug: bool = False) -> tuple[Module, dict[str, Signal]]:
    """Binary products, two a word, chunks of four, vectors of ten: an accumulator of 3 bits against unbounded arithmetic."""
    simd, folds, sf, bits = 2, 2, 5, 3
    op = Conv(np.ones((1, 1, 1, 10), np.int64), Bipolar(), accumulation=Saturating(bits, simd * folds))
    m = Module()
    dut = Accumulator(op, Bipolar(), simd)
    m.submodules.accumulator = by_hand(dut)
    valid, y, word = Signal(), Signal(2), Signal(range(sf))
    chunk_last = (word % folds == folds - 1) | (word == sf - 1)
    m.d.comb += [
        Assume(y <= simd),
        dut.y.eq(y),
        dut.control.valid.eq(valid),
        dut.control.first.eq(word == 0),
        dut.control.last.eq(word == sf - 1),
        dut.control.chunk_first.eq(word % folds == 0),
        dut.control.chunk_last.eq(chunk_last),
    ]
    always(m, word < sf)
    with m.If(valid):
        m.d.sync += word.eq(Mux(word == sf - 1, 0, word + 1))
    # Reference: integers, one chunk at a time, added in the cycle after the chunk's last word.
    chunk, ended, opens, total = Signal(signed(8)), Signal(), Signal(), Signal(signed(8))
    grown = Mux(opens, 0, total) + chunk
    limit = (1 << (bits - 1)) - (0 if bug else 1)
    with m.If(valid):
        m.d.sync += chunk.eq(Mux(word % folds == 0, 0, chunk) + 2 * y - simd)
    m.d.sync += ended.eq(valid & chunk_last)
    with m.If(valid & (word % folds == 0)):
        m.d.sync += opens.eq(word == 0)
    with m.If(ended):
        m.d.sync += total.eq(Mux(grown > limit, limit, Mux(grown < -limit - 1, -limit - 1, grown)))
    known, begun = Signal(), Signal()  # nothing is known of reset-less registers before the first vector
    with m.If(valid & (word == 0)):
        m.d.sync += begun.eq(1)
    with m.If(ended & opens):
        m.d.sync += known.eq(1)
    words = Mux(word == 0, 1, Mux(word % folds == 0, folds, word % folds))
    always(m, ~begun | (chunk == 2 * dut.chunk_sum - simd * words))
    always(m, begun | ((word == 0) & ~known & ~ended))
    always(m, ~known | (dut.total == total))
    return m, {"valid": valid, "y": y}


def test_saturating_accumulator_is_clipped_integer_addition():
    assert proven(*saturation_proof())


def test_saturation_proof_can_fail():
    assert not proven(*saturation_proof(bug=True))
