"""Pipelines: as many flip-flops on every way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwq.fabric.ages import OutOfStep, ages, check_pipeline
from hwq.fabric.dsp48e2 import Slice48
from hwq.fabric.embed import delayed
from hwq.fabric.netlist import Netlist, truth
from hwq.fabric.unroll import general
from hwq.fabric.unroll.layer import unrolled_layer
from hwq.fabric.unroll.outputs import Comparison, Integers
from hwq.fabric.unroll.words import Words
from hwq.numerics.encoding import Bipolar, Integer, smallest_integer

AND = truth(lambda a, b: a & b, 2)


def meeting(first: int, second: int, behind: int = 0) -> Netlist:
    """Two inputs that meet in a LUT behind so many flip-flops each, and more behind it."""
    n = Netlist()
    a, b = n.input("x", 2)
    n.output("y", delayed(n, [n.lut(AND, *delayed(n, [a], first), *delayed(n, [b], second))], behind))
    return n


def bypassed(netlist: Netlist, k: int) -> Netlist:
    """The circuit without flip-flop ``k``: whoever read it reads what it held."""
    gone = netlist.flops[k]
    made = Netlist(netlist.name, dict(netlist.inputs), {}, [], [f for f in netlist.flops if f is not gone], netlist.signals)

    def moved(bit: int) -> int:
        return gone.d ^ (bit & 1) if bit >> 1 == gone.q >> 1 else bit

    for cell in netlist.cells:
        pins = {name: tuple(map(moved, getattr(cell, name))) for name in ("pins", "s", "di") if hasattr(cell, name)}
        made.cells.append(replace(cell, **pins, **({"ci": moved(cell.ci)} if hasattr(cell, "ci") else {})))
    made.flops[:] = [replace(f, d=moved(f.d)) for f in made.flops]
    made.outputs.update((name, tuple(map(moved, bits))) for name, bits in netlist.outputs.items())
    return made


def test_ways_of_one_length_are_a_pipeline_and_others_are_none() -> None:
    check_pipeline(meeting(2, 2, 1), 3)
    check_pipeline(meeting(0, 0), 0)
    with pytest.raises(OutOfStep, match=r"meet in signal \d+: \[1, 2\] cycles"):
        check_pipeline(meeting(1, 2), 2)
    with pytest.raises(OutOfStep, match=r"\[2\] cycles old, not 3"):
        check_pipeline(meeting(1, 1, 1), 3)


def test_outputs_of_different_ages_are_refused_and_constants_have_none() -> None:
    n = Netlist()
    a, b = n.input("x", 2)
    n.output("y", [n.flop(a), 0, 1, n.flop(b) ^ 1])
    check_pipeline(n, 1)
    assert ages(n, [0, a >> 1, n.outputs["y"][0] >> 1]) == {0: None, a >> 1: 0, b >> 1: 0, n.outputs["y"][0] >> 1: 1}
    n.output("z", [a])
    with pytest.raises(OutOfStep, match=r"\[0, 1\] cycles old, not 1"):
        check_pipeline(n, 1)


def test_feedback_and_flip_flops_that_hold_are_no_pipeline() -> None:
    n = Netlist()
    (a,), (q,) = n.input("x", 1), n.register(1)
    n.close([q], [n.lut(AND, a, q)])
    n.output("y", [q])
    with pytest.raises(OutOfStep, match="depends on itself"):
        check_pipeline(n, 1)
    held = Netlist()
    a, enable = held.input("x", 2)
    held.output("y", [held.flop(a, enable)])
    with pytest.raises(OutOfStep, match="may hold its value"):
        check_pipeline(held, 1)


@pytest.mark.parametrize(
    ("use", "wait"), [(Slice48(z=3), 1), (Slice48(z=3, a_regs=2, b_regs=2), 2), (Slice48(preadd=2, z=3, ad_reg=1, b_regs=2), 2)]
)
def test_registers_of_slices_count(use: Slice48, wait: int) -> None:
    n = Netlist()
    a, b, c, d = (n.input(name, 2) for name in "abcd")
    late = {"d": d} if use.preadd else {}
    n.output("p", use.build(n, a=a, b=b, c=delayed(n, c, wait), **late).p[:4])
    check_pipeline(n, use.latency)
    early = Netlist()
    a, b, c = (early.input(name, 2) for name in "abc")
    early.output("p", use.build(early, a=a, b=b, c=c).p[:4])
    with pytest.raises(OutOfStep, match="different latency"):
        check_pipeline(early, use.latency)


def test_a_slice_that_accumulates_is_no_pipeline() -> None:
    n = Netlist()
    n.output("p", Slice48(z=2).build(n, a=n.input("a", 2), b=n.input("b", 2)).p[:4])
    with pytest.raises(OutOfStep, match="adds to its last sum"):
        check_pipeline(n, 3)


def test_no_flip_flop_of_an_unrolled_layer_may_be_missing() -> None:
    weights = np.random.default_rng(0).integers(-2, 3, (4, 9))
    layer = unrolled_layer(weights, Integer(2, True), [Comparison(1)] * 4)
    assert len(layer.netlist.flops) > 20
    for k in range(len(layer.netlist.flops)):
        with pytest.raises(OutOfStep):
            check_pipeline(bypassed(layer.netlist, k), layer.latency)


def test_bits_of_a_counter_made_in_several_stages_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word as late as its own reader allows, words of one sum too."""

    def late(words: Words) -> list[int]:
        last = max(word.level for word in words.words)
        found = [last if word.terms else 0 for word in words.words]
        for k in reversed(range(len(found))):
            for t in words.words[k].terms:
                found[t.word] = min(found[t.word], max(found[k] - 1, 0))
        return [stage if word.terms else 0 for stage, word in zip(found, words.words, strict=True)]

    weights = np.random.default_rng(0).choice([0, 3], (4, 26))
    outputs = [Integers(smallest_integer(-78, 78))] * 4
    assert unrolled_layer(weights, Integer(1, False), outputs).latency > 1
    monkeypatch.setattr(general, "stages_of", late)
    with pytest.raises(OutOfStep, match="different latency"):
        unrolled_layer(weights, Integer(1, False), outputs)


def test_an_unrolled_layer_with_another_latency_is_refused() -> None:
    layer = unrolled_layer(np.ones((1, 9), np.int64), Bipolar(), [Comparison(1)])
    with pytest.raises(OutOfStep, match="cycles old"):
        replace(layer, latency=layer.latency + 1)
