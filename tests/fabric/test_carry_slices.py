"""Chains in slices: every position once, short chains in pairs, none that feeds the other."""

from __future__ import annotations

from hwq.fabric.carry_slices import carry_slices
from hwq.fabric.netlist import Chain, Netlist


def chains(n: Netlist, lengths: list[int], bits: list[int]) -> list[int]:
    outputs = []
    for length in lengths:
        places = [n.position(6, 8, *bits[k : k + 2]) for k in range(length)]
        o, co = n.chain([s for s, _ in places], [d for _, d in places])
        outputs += [*o, co[-1]]
    return outputs


def test_a_long_chain_fills_slices_and_carries_on() -> None:
    n = Netlist()
    n.output("y", chains(n, [19], n.input("x", 20)))
    cut = carry_slices(n)
    whole = next(c for c in n.cells if isinstance(c, Chain))
    assert [len(c.lower.s) for c in cut] == [8, 8, 3]
    assert [c.lower.ci for c in cut] == [whole.ci, whole.co[7], whole.co[15]]
    assert sum((c.lower.o for c in cut), ()) == whole.o
    assert all(c.upper is None for c in cut)


def test_short_chains_share_slices_unless_one_feeds_the_other() -> None:
    n = Netlist()
    x = n.input("x", 10)
    first = chains(n, [4, 3, 2, 5], x)
    second = chains(n, [1], [first[0], first[4]])
    n.output("y", [*first, *second])
    cut = carry_slices(n)
    shape = [(len(c.lower.s), len(c.upper.s) if c.upper else 0) for c in cut]
    # The chain of one is a level later than the chain of two that has no partner.
    assert shape == [(4, 3), (2, 0), (5, 0), (1, 0)]
