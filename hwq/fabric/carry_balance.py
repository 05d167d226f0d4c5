"""Counters moved from carry chains into LUTs, where a circuit runs out of carry chains before it runs out of LUTs.

A CLB has eight LUT sites and one CARRY8 (UG574), and a counter of seven bits fills half of the CARRY8 with two LUTs: a circuit of such
counters leaves half the LUTs of its CLBs empty. In LUTs alone a counter of six bits takes a site more, one of seven bits two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from hwq.fabric.fanout import loads
from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Function, Lut, Netlist, truth
from hwq.fabric.retime import retimed
from hwq.fabric.sites import Sites, sites_of

__all__ = ["balanced"]

PINS = 5  # of a LUT with two outputs
FLOPS = 5  # that a counter of two stages takes more, about, once the pipeline is retimed


@dataclass(frozen=True)
class _Counter:
    """A chain of two positions that counts five ``bits``, complemented where ``flips``, and two ``plain`` ones (constants last)."""

    chain: Chain
    bits: tuple[int, ...]
    flips: tuple[int, ...]
    plain: tuple[int, int]

    @property
    def whole(self) -> bool:
        """Whether all seven bits are there."""
        return min(self.plain) > TRUE


def balanced(netlist: Netlist) -> tuple[Netlist, int]:
    """A pipeline retimed (:func:`hwq.fabric.retime.retimed`), and its latency; as many of its counters stand in LUTs as it pays.

    That is until CARRY8 fill no more CLBs than LUT sites or flip-flops do, by a count made before the second retiming. Counters of six
    bits go first, at a LUT site each, then those of seven at two sites and about five flip-flops: they take two stages, the second of two
    LUTs in a row instead of one. So each of them may add a cycle to the latency, and a LUT to the levels of a stage. For pipelines as
    :func:`hwq.fabric.retime.retimed` takes them.
    """
    plain, latency = retimed(netlist)
    counters = sorted(_counters(netlist), key=lambda c: c.whole)
    moved = {c.chain: c for c in counters[: _enough(sites_of(plain), counters)]} if counters else {}
    if not moved:
        return plain, latency
    cells: list[Lut | Chain | Dsp] = []
    made = replace(netlist, cells=cells, flops=list(netlist.flops), _known={})
    for cell in netlist.cells:
        cells += _luts(made, moved[cell]) if isinstance(cell, Chain) and cell in moved else [cell]
    return retimed(made)


def _enough(sites: Sites, counters: list[_Counter]) -> int:
    """How many of the first counters to move: one after the other, as long as CARRY8 fill more CLBs than anything else."""
    luts, halves, flops = sites.luts, 2 * sites.carry, sites.ff
    for n, counter in enumerate(counters):
        if 8 * halves <= max(2 * luts, flops):
            return n
        luts, halves, flops = luts + 1 + counter.whole, halves - 1, flops + FLOPS * counter.whole
    return len(counters)


def _counters(netlist: Netlist) -> list[_Counter]:
    """Chains that count up to seven bits and whose inner carry nobody reads."""
    by_output = {cell.o6: cell for cell in netlist.cells if isinstance(cell, Lut) and cell.o5 is not None}
    chains = [cell for cell in netlist.cells if isinstance(cell, Chain) and len(cell.s) == 2]
    inner = {chain.co[0] for chain in chains} - {literal & ~1 for literal in loads(netlist)}
    found = (_counter(chain, by_output) for chain in chains if chain.co[0] in inner)
    return [c for c in found if c]


def _counter(chain: Chain, by_output: dict[int, Lut]) -> _Counter | None:
    parity, upper = (by_output.get(s) for s in chain.s)
    if parity is None or upper is None or (parity.o5, upper.o5) != chain.di or upper.pins[PINS] != TRUE:
        return None
    bits, last = upper.pins[:PINS], parity.pins[PINS]
    flips = _flips(upper.init)
    if flips is None or min(bits) <= TRUE or sorted(parity.pins[:PINS]) != sorted(bits) or parity.init != _parity(sum(flips) & 1):
        return None
    return _Counter(chain, bits, flips, (max(last, chain.ci), min(last, chain.ci)))


def _luts(netlist: Netlist, counter: _Counter) -> list[Lut]:
    """The counter without a chain."""
    low, middle, high = *counter.chain.o, counter.chain.co[1]
    bits, flips, (sixth, seventh) = counter.bits, counter.flips, counter.plain
    if not counter.whole:
        return [Lut(_six(k, flips, seventh), (*bits, sixth), o) for k, o in enumerate((low, middle, high))]
    parity, carry, two, four = (netlist.signal() for _ in range(4))
    held = [netlist.flop(b) for b in (parity, *bits[3:], sixth, seventh)]
    return [
        Lut(_three(flips[:3]), bits[:3], parity),
        Lut(_pairs(flips), (*bits, TRUE), four, two),
        Lut(_sums(flips[3:]), (*held, TRUE), low, carry),
        Lut(_ends(), (netlist.flop(two), netlist.flop(four), carry, FALSE, FALSE, TRUE), high, middle),
    ]


# -- truth tables


@lru_cache(maxsize=2)
def _parity(flip: int) -> int:
    return truth(lambda *v: (sum(v) + flip) & 1, 6)


@lru_cache(maxsize=256)
def _flips(init: int) -> tuple[int, ...] | None:
    """Which pins a table of both upper digits of a count (equal to 1, to 2) takes as complements; None if it is no such table."""
    return next((f for f in product((0, 1), repeat=PINS) if init == _two(f)), None)


@lru_cache(maxsize=64)
def _two(flips: tuple[int, ...]) -> int:
    return _both(lambda *v: _count(v, flips) >> 1 == 1, lambda *v: _count(v, flips) >> 1 == 2)


def _pairs(flips: tuple[int, ...]) -> int:
    """O6: the count is four or five; O5: two or three."""
    swapped = _two(flips)
    return swapped >> 32 | (swapped & 0xFFFFFFFF) << 32


@lru_cache(maxsize=512)
def _six(digit: int, flips: tuple[int, ...], more: int) -> int:
    return truth(lambda *v: (_count(v, (*flips, 0)) + more) >> digit & 1, 6)


@lru_cache(maxsize=8)
def _three(flips: tuple[int, ...]) -> int:
    return truth(lambda *v: _count(v, flips) & 1, 3)


@lru_cache(maxsize=4)
def _sums(flips: tuple[int, ...]) -> int:
    """Of a parity, two bits more and two plain ones: O6 the parity of all, O5 the majority of that of the first three and the others."""

    def three(v: tuple[int, ...]) -> int:
        return (_count(v[:3], (0, *flips)) & 1) + v[3] + v[4]

    return _both(lambda *v: three(v) & 1, lambda *v: three(v) >> 1)


@lru_cache(maxsize=1)
def _ends() -> int:
    """Of the number ``two + 2 * four + carry``: O6 its upper bit, O5 its lower one."""
    return _both(lambda two, four, carry, *_: (two + 2 * four + carry) >> 1, lambda two, four, carry, *_: two ^ carry)


def _both(upper: Function, lower: Function) -> int:
    return truth(lower, PINS) | truth(upper, PINS) << 32


def _count(bits: tuple[int, ...], flips: tuple[int, ...]) -> int:
    return sum(b ^ f for b, f in zip(bits, flips, strict=True))
