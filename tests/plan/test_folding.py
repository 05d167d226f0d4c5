from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.network.graph import Network
from hwq.numerics.encoding import Integer
from hwq.plan.candidates import breakpoints
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.folding import Folder, price
from hwq.plan.resources import Resources
from hwq.plan.stage_cost import input_cost, queue_cost, stage_cost
from hwq.plan.units import Edge
from hwq.plan.wires import between
from hwq.target.boards import load_device
from tests.plan.networks import dense, networks, two_outputs

PRICES = {name: 1.0 / amount if amount else 1e9 for name, amount in load_device("vu9p").capacity.as_dict().items()}
BUSES = {"x": 8}


def folder(network: Network, draft: PlanDraft | None = None, bus: int = 16) -> Folder:
    ports = [i.name for i in network.inputs] + list(network.outputs)
    return Folder(network, draft or PlanDraft(), dict.fromkeys(ports, bus))


def ceil(a: int, b: int) -> int:
    return -(-a // b)


def queues(channels: int, bits: int, have: int, want: int) -> Resources:
    return between(Edge("", have, bits, channels), Edge("", want, bits, channels))


def every_choice(f: Folder, cycles: int) -> Iterator[float]:
    """Price of every pe, simd and memory of a chain of layers with at most ``cycles`` cycles, without any cleverness."""
    options = []
    for s in f.summaries.values():
        pairs = itertools.product(range(1, s.mh + 1), range(1, s.mw + 1))
        options.append([(s, pe, simd) for pe, simd in pairs if ceil(s.mh, pe) * ceil(s.mw, simd) <= cycles])
    (i,), (o,) = f.network.inputs, f.network.outputs
    for choice in itertools.product(*options):
        total, lanes, channels, bits = f._around(), f.lanes[i.name], i.shape[2], i.encoding.bits
        for s, pe, simd in choice:
            sf, nf = ceil(s.mw, simd), ceil(s.mh, pe)
            memories = ["logic"] if sf * nf == 1 else ["lutram", "block"]
            buffer = input_cost(s, pe, simd, 1, max(2, ceil(3 * sf, 2)), "lutram")
            egress = queue_cost(pe * s.out_bits, 4)
            cores = [stage_cost(s, pe, simd, m) for m in memories]
            total += min(cores, key=lambda c: price(c, PRICES)) + buffer + egress + queues(channels, bits, lanes, simd)
            lanes, channels, bits = pe, s.mh, s.out_bits
        yield price(total + queues(channels, bits, lanes, f.lanes[o]), PRICES)


@pytest.mark.parametrize("cycles", [1, 2, 3, 5, 8, 13, 30, 70])
@pytest.mark.parametrize("sizes", [[7, 5, 6], [9, 4, 3], [1, 8, 2]])
def test_no_choice_of_lanes_is_much_cheaper(sizes: list[int], cycles: int) -> None:
    # Choices between breakpoints are left out, so a rare one that happens to save a converter may be missed: 10 %.
    f = folder(dense(sizes, Integer(3, True)))
    folding = f.fold(cycles, PRICES)
    assert folding is not None
    assert price(folding.cost, PRICES) <= 1.1 * min(every_choice(f, cycles))


@given(networks(), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_every_stage_keeps_within_the_cycles(network: Network, cycles: int) -> None:
    f = folder(network)
    folding = f.fold(cycles, PRICES)
    if folding is None:
        assert cycles < f.least_cycles()[0]
        return
    for name, fold in folding.folds.items():
        s = f.summaries[name]
        assert ceil(s.mh, fold.pe) * (ceil(s.mw, fold.simd) if s.kind == "mvu" else 1) <= cycles
        assert not s.chunk or s.chunk % fold.simd == 0


@given(networks())
@settings(max_examples=30, deadline=None)
def test_least_cycles_are_reached_and_no_fewer(network: Network) -> None:
    f = folder(network)
    least, _ = f.least_cycles()
    assert f.fold(least, PRICES) is not None
    assert least == 1 or f.fold(least - 1, PRICES) is None


@given(st.integers(1, 2000))
def test_breakpoints_are_all_values_of_the_ceiling(n: int) -> None:
    assert breakpoints(n) == {ceil(n, k) for k in range(1, n + 1)}


def test_a_fork_is_folded_as_a_whole() -> None:
    folding = folder(two_outputs()).fold(8, PRICES)
    assert folding is not None
    assert list(folding.folds) == ["body", "left", "right", "tail"]


def test_fixed_lanes_stay() -> None:
    draft = PlanDraft(stages={"fc0": StageDraft("fc0", simd=5), "fc1": StageDraft("fc1", pe=2)})
    f = folder(dense([9, 6, 4]), draft)
    folding = f.fold(f.most_cycles(), PRICES)
    assert folding is not None
    assert (folding.folds["fc0"].simd, folding.folds["fc1"].pe) == (5, 2)


def test_few_words_go_to_luts_and_many_to_block_ram() -> None:
    f = folder(dense([1024, 512], Integer(8, True)), bus=64)
    fast, slow = f.fold(16, PRICES), f.fold(60000, PRICES)
    assert fast is not None
    assert slow is not None
    assert (fast.folds["fc0"].memory, slow.folds["fc0"].memory) == ("lutram", "block")
