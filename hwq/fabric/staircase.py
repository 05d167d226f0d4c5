"""Staircases of the fabric: comparisons with thresholds that are given or known, and what counting or searching them costs."""

from __future__ import annotations

from collections.abc import Sequence

from hwq.fabric.adders import at_least, not_below
from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.netlist import TRUE, Netlist

__all__ = ["comparisons_netlist", "parallel_netlist", "search_netlist"]


def comparisons_netlist(bits: int, signed: bool, limits: Sequence[int | None]) -> Netlist:
    """One bit a limit: ``value >= limit``, all of them numbers of ``bits`` bits, in two's complement where ``signed``.

    A limit that is known is a constant of the circuit; those that are not (None) stand one after the other in ``limits``.
    Combinational. Cost: half a LUT site a bit, a LUT for a known limit of up to six bits that matter, a fifth a bit of others.

    Ports: ``value``, ``limits`` (absent where all are known), ``reached``.
    """
    netlist = Netlist("comparisons")
    value = _ordered(netlist.input("value", bits), signed)
    given = netlist.input("limits", bits * limits.count(None)) if None in limits else []
    words = (_ordered(given[k : k + bits], signed) for k in range(0, len(given), bits))
    least = 1 << (bits - 1) if signed else 0
    netlist.output(
        "reached", [not_below(netlist, value, next(words)) if t is None else at_least(netlist, value, t + least) for t in limits]
    )
    return netlist


def parallel_netlist(count: int, bits: int) -> Netlist:
    """All of ``count`` comparisons at once, in flip-flops, and their count. Ports: ``value``, ``limits``, ``y``."""
    netlist = Netlist("parallel")
    value, limits = netlist.input("value", bits), netlist.input("limits", count * bits)
    heap = BitHeap(netlist)
    for k in range(0, len(limits), bits):
        heap.add(netlist.flop(not_below(netlist, value, limits[k : k + bits])), 0)
    netlist.output("y", reduce(heap, count.bit_length(), registered=True).bits)
    return netlist


def search_netlist(count: int, bits: int, hold: int) -> Netlist:
    """A comparison a cycle with the middle one of the thresholds that are left, of a full tree of at least ``count``.

    The thresholds that are missing are the largest number, which no value is. Those given stand for ``hold`` cycles; levels that come
    later have them from flip-flops. Ports: ``value``, ``limits``, ``y``.
    """
    netlist, levels = Netlist("search"), count.bit_length()
    value, limits = netlist.input("value", bits), netlist.input("limits", count * bits)
    missing = [TRUE] * (((1 << levels) - 1 - count) * bits)
    found: list[int] = []  # the highest first
    for level in range(levels):
        half = 1 << (levels - level - 1)
        starts = [((2 * prefix + 1) * half - 1) * bits for prefix in range(1 << level)]
        choices = [_held(netlist, (limits + missing)[k : k + bits], level + 1 - hold) for k in starts]
        chosen = [_chosen(netlist, [choice[k] for choice in choices], found) for k in range(bits)]
        reached = not_below(netlist, value, chosen)
        value = [netlist.flop(b) for b in value]
        found = [netlist.flop(b) for b in (*found, reached)]
    netlist.output("y", found[::-1])
    return netlist


def _ordered(number: Sequence[int], signed: bool) -> list[int]:
    """The bits of an unsigned number in the same order of values: two's complement with its sign inverted."""
    return [*number[:-1], number[-1] ^ signed]


def _held(netlist: Netlist, bits: Sequence[int], cycles: int) -> list[int]:
    for _ in range(max(0, cycles)):
        bits = [netlist.flop(b) for b in bits]
    return list(bits)


def _chosen(netlist: Netlist, choices: Sequence[int], select: Sequence[int]) -> int:
    """One of ``2**len(select)`` bits, the highest bit of the number first: four to one a LUT."""
    if len(choices) == 1:
        return choices[0]
    step = 2 if len(select) % 2 else 4
    low = select[-1:] if step == 2 else select[:-3:-1]
    table = [netlist.lut(_multiplexer(step), *choices[k : k + step], *low) for k in range(0, len(choices), step)]
    return _chosen(netlist, table, select[: -len(low)])


def _multiplexer(choices: int) -> int:
    """Truth table: the first pins, chosen by the number in the others."""
    inputs = choices + choices.bit_length() - 1
    return sum((i >> (i >> choices) & 1) << i for i in range(1 << inputs))
