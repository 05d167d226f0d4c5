"""Joins, routes, pools and upsampling: credits, order, buffers and handshakes proven by induction over all inputs and resets.

With the proof of the Egress (test_proofs.py) this is why nothing is lost, doubled or overrun. Every proof can fail.
"""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned

from hwq.gateware.concat import ConcatStage
from hwq.gateware.elementwise import ElementwiseStage
from hwq.gateware.fifo import DeepFifo
from hwq.gateware.join import JoinStage
from hwq.gateware.pad import PadStage
from hwq.gateware.parts import Parts, rtlil_module
from hwq.gateware.pool import PoolStage
from hwq.gateware.split import SplitStage
from hwq.gateware.topk import TopKStage
from hwq.gateware.upsample import UpsampleStage
from hwq.network.graph import Network, Node
from hwq.network.ops import Add, Concat, Op, Pad, Pool, Split, TopK, Upsample, Window
from hwq.plan.latency import READ_LATENCY
from hwq.plan.moving_units import ConcatUnit, PadUnit, SplitUnit, TopKUnit
from hwq.plan.plan import StagePlan
from hwq.plan.units import Elementwise, Join, PoolUnit, UpsampleUnit
from tests.gateware.cases import edges_of, first_unit, image_network, staircase
from tests.gateware.prover import by_hand, proven, reaches, unreached
from tests.gateware.test_proofs import always


def network_of(op: Op, *shapes: tuple[int, int, int], outputs: tuple[str, ...] = ("y",)) -> Network:
    inputs = {name: ("UINT2", shape) for name, shape in zip("abc", shapes, strict=False)}
    return image_network(inputs, Node("n", op, tuple(inputs), outputs), outputs=tuple(o for o in outputs if o))


def join() -> JoinStage:
    network = network_of(Add(np.array([[1], [2], [-1]])), *[(1, 2, 2)] * 3)
    unit, dataflow = first_unit(network, Join, StagePlan("n", 1, depth=3))
    sources, targets = edges_of(dataflow, unit)
    tensors = network.tensors
    return JoinStage(unit, sources, targets[0], [tensors[n].encoding for n in "abc"], tensors["y"].encoding, Parts())


def concat(*, wide: bool) -> ConcatStage:
    network = network_of(Concat(), (1, 2, 1), (1, 2, 2))
    unit, dataflow = first_unit(network, ConcatUnit, StagePlan("n", 3 if wide else 1, depth=2))
    sources, targets = edges_of(dataflow, unit)
    x = network.tensors["a"].encoding
    return ConcatStage(unit, sources, targets[0], [x, x], x)


def split(*, wide: bool) -> SplitStage:
    network = network_of(Split((1, 2, 1)), (1, 2, 4), outputs=("y", "", "z"))
    unit, dataflow = first_unit(network, SplitUnit, StagePlan("n", 4 if wide else 1, depth=2))
    sources, targets = edges_of(dataflow, unit)
    return SplitStage(unit, sources[0], targets)


def pad() -> PadStage:
    network = network_of(Pad((1, 0, 0, 2)), (2, 1, 2))
    unit, dataflow = first_unit(network, PadUnit, StagePlan("n", 1, depth=2))
    sources, targets = edges_of(dataflow, unit)
    x = network.tensors["a"].encoding
    return PadStage(unit, sources[0], targets[0], x, x)


def upsample(factor: tuple[int, int]) -> UpsampleStage:
    network = network_of(Upsample(factor), (2, 2, 2))
    unit, dataflow = first_unit(network, UpsampleUnit, StagePlan("n", 1, depth=2, buffer=5))
    sources, targets = edges_of(dataflow, unit)
    return UpsampleStage(unit, sources[0], targets[0])


def topk() -> TopKStage:
    network = network_of(TopK(2), (1, 1, 5))
    unit, dataflow = first_unit(network, TopKUnit, StagePlan("n", 2, depth=2))
    sources, targets = edges_of(dataflow, unit)
    return TopKStage(unit, sources[0], targets[0], network.tensors["a"].encoding)


def pool() -> PoolStage:
    network = network_of(Pool("max", Window((2, 2), padding=(1, 0, 0, 0))), (2, 2, 2))
    unit, dataflow = first_unit(network, PoolUnit, StagePlan("n", 1, depth=2, buffer=8))
    sources, targets = edges_of(dataflow, unit)
    x = network.tensors["a"].encoding
    return PoolStage(unit, sources[0], targets[0], x, x, Parts())


def elementwise() -> ElementwiseStage:
    network = network_of(staircase(np.random.default_rng(0), 3, "BIPOLAR", reach=2), (1, 2, 3))
    unit, dataflow = first_unit(network, Elementwise, StagePlan("n", 2, depth=2))
    sources, targets = edges_of(dataflow, unit)
    return ElementwiseStage(unit, sources[0], targets[0], network.tensors["a"].encoding, network.tensors["y"].encoding, Parts())


COMPONENTS = {
    "join": join,
    "serial concat": lambda: concat(wide=False),
    "wide concat": lambda: concat(wide=True),
    "serial split": lambda: split(wide=False),
    "wide split": lambda: split(wide=True),
    "pad": pad,
    "upsample": lambda: upsample((2, 2)),
    "topk": topk,
    "pool": pool,
    "elementwise": elementwise,
    "deep fifo": lambda: DeepFifo(unsigned(2), 5, "block"),
}


def ports_of(component, prefix: str) -> dict[str, object]:
    """Streams of a component by name, inputs or outputs."""
    return {n: getattr(component, n) for n in component.signature.members if n[0] == prefix and (n == prefix or n[1:].isdigit())}


def driven(component) -> tuple[Module, dict[str, Signal], dict[str, Signal]]:
    """A module with the component, all its streams free; by name the handshakes of its streams."""
    m = Module()
    m.submodules.dut = by_hand(component)
    free: dict[str, Signal] = {}
    shaken: dict[str, Signal] = {}
    for name, port in (ports_of(component, "i") | ports_of(component, "o")).items():
        shaken[name] = Signal(name=f"{name}_shaken")
        m.d.comb += shaken[name].eq(port.valid & port.ready)
        if name[0] == "i":
            payload = Value.cast(port.payload)
            free |= {f"{name}_offer": Signal(name=f"{name}_offer"), f"{name}_word": Signal(len(payload), name=f"{name}_word")}
            m.d.comb += [port.valid.eq(free[f"{name}_offer"]), payload.eq(free[f"{name}_word"])]
        else:
            free[f"{name}_take"] = Signal(name=f"{name}_take")
            m.d.comb += port.ready.eq(free[f"{name}_take"])
    return m, free, shaken


@pytest.mark.parametrize("name", COMPONENTS)
def test_no_ready_follows_its_valid_and_no_valid_or_input_a_ready_behind(name):
    component = COMPONENTS[name]()
    inputs, outputs = ports_of(component, "i"), ports_of(component, "o")
    pairs = [(f"{i}__valid", f"{i}__ready") for i in inputs]
    for o in outputs:
        pairs += [(f"{o}__ready", f"{p}__valid") for p in outputs] + [(f"{o}__ready", f"{i}__ready") for i in inputs]
    assert unreached(rtlil_module(component, "top"), pairs)


def test_join_s_ready_follows_the_other_valid():
    assert reaches(rtlil_module(join(), "top"), "i0__valid", "i1__ready")


@pytest.mark.parametrize("error", [0, 1])
@pytest.mark.parametrize("name", ["join", "upsample", "topk", "pool", "elementwise", "deep fifo"])
def test_writes_exactly_latency_cycles_after_it_took_a_credit(name, error):
    component = COMPONENTS[name]()
    m, free, _ = driven(component)
    latency = READ_LATENCY if name == "deep fifo" else component.unit.latency
    then = component.egress.take
    for k in range(latency + error):
        later = Signal(name=f"then_{k}")
        m.d.sync += later.eq(then)
        then = later
    always(m, component.egress.w_en == then)
    always(m, ~component.egress.take | component.egress.grant)
    assert proven(m, free, steps=latency + 4) == (error == 0)


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize("name", ["join", "wide concat"])
def test_all_inputs_are_taken_in_one_cycle_and_then_alone_a_credit_is_spent(name, bug):
    component = COMPONENTS[name]()
    m, free, shaken = driven(component)
    takes = [shaken[n] for n in ports_of(component, "i")]
    for taken in takes:
        always(m, taken == (component.egress.take & (~free["o_take"] if bug else 1)))
    always(m, ~component.egress.take | component.egress.grant)
    assert proven(m, free) != bug


@pytest.mark.parametrize("words", [[1, 2], [2, 1]])
def test_serial_concat_takes_its_inputs_in_turn(words):
    component = concat(wide=False)
    m, free, shaken = driven(component)
    place = Signal(2)
    with m.If(component.egress.take):
        m.d.sync += place.eq(Mux(place == 2, 0, place + 1))
    always(m, place == component.position.value)
    always(m, place < 3)
    always(m, component.egress.take == (shaken["i0"] | shaken["i1"]))
    always(m, ~shaken["i0"] | (place < words[0]))
    always(m, ~shaken["i1"] | (place >= words[0]))
    word = Mux(place < words[0], free["i0_word"], free["i1_word"])
    always(m, ~component.egress.w_en | (component.egress.w_data == word))
    always(m, component.egress.w_en == component.egress.take)
    always(m, ~component.egress.take | component.egress.grant)
    assert proven(m, free) == (words == [1, 2])


@pytest.mark.parametrize("words", [[1, 2, 1], [2, 1, 1]])
def test_serial_split_gives_every_word_to_its_target_alone(words):
    component = split(wide=False)
    m, free, shaken = driven(component)
    place = Signal(2)
    m.d.sync += place.eq(place + shaken["i"])
    always(m, place == component.position.value)
    first, second = component.egresses
    always(m, first.take == (shaken["i"] & (place < words[0])))
    always(m, second.take == (shaken["i"] & (place >= words[0] + words[1])))
    # A dropped word waits for nobody.
    always(m, ~((place >= words[0]) & (place < words[0] + words[1])) | component.i.ready)
    for egress in component.egresses:
        always(m, egress.w_en == egress.take)
        always(m, ~egress.take | egress.grant)
        always(m, ~egress.w_en | (egress.w_data == free["i_word"]))
    assert proven(m, free) == (words == [1, 2, 1])


@pytest.mark.parametrize("first", [0, 2])
def test_wide_split_serves_all_targets_at_once(first):
    component = split(wide=True)
    m, free, shaken = driven(component)
    for egress in component.egresses:
        always(m, egress.take == shaken["i"])
        always(m, ~egress.take | egress.grant)
    always(m, component.egresses[0].w_data == free["i_word"][first : first + 2])
    always(m, component.egresses[1].w_data == free["i_word"][6:])
    assert proven(m, free) == (first == 0)


@pytest.mark.parametrize("rows_above", [1, 0])
def test_padding_takes_no_input_and_the_image_every_word(rows_above):
    component = pad()
    m, free, shaken = driven(component)
    row, column = component.row.value, component.column.value
    inside = (row >= rows_above) & (column < 1)
    always(m, (component.word.value < 2) & (row < 3) & (column < 3))
    always(m, shaken["i"] == (component.egress.take & inside))
    always(m, ~component.egress.take | component.egress.grant)
    always(m, component.egress.w_data == Mux(inside, free["i_word"], 0))
    always(m, component.egress.w_en == component.egress.take)
    assert proven(m, free) == (rows_above == 1)


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize("factor", [(1, 1), (1, 2), (3, 1), (2, 2)])
def test_upsample_frees_no_word_that_is_read_again_and_overwrites_none(factor, bug):
    component = upsample(factor)
    m, free, shaken = driven(component)
    word, column = component.word.value, component.column.value
    repeats = component.row_again.value != factor[0] - 1
    whole = word if factor[1] > 1 else 0
    offset = Mux(repeats, column * 2 + word, whole)
    always(m, (word < 2) & (column < 2) & (component.row_again.value < factor[0]))
    always(m, component.held <= component.unit.buffer)
    always(m, ~shaken["i"] | (component.held != component.unit.buffer))
    # The word that is read next is as far behind the oldest that is held as the repetitions say.
    always(m, component.held + (1 if bug else 0) == component.ahead + offset)
    always(m, ((component.tail - component.head) & (2 ** len(component.tail) - 1)) == component.ahead)
    always(m, component.i.ready == (component.held != component.unit.buffer))
    if factor[1] > 1:
        always(m, Cat(component.again.value < factor[1]).all())
    assert proven(m, free, steps=6) != bug
