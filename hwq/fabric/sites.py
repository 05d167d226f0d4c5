"""Physical LUTs of a circuit: how many LUT sites of an UltraScale+ device its cells take once they share sites as they may.

One counter for every netlist, own ones and those of a synthesis tool. A site is one six-input LUT with two outputs (UG574); a
count of cells says less, since two small LUTs share a site and a carry position takes one that may hold no cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hwq.errors import InputError
from hwq.fabric.cells import Cells, Driver, cells_of, drivers, joined_chains, live
from hwq.fabric.matching import maximum_matching
from hwq.fabric.netlist import TRUE, Chain, Lut, Netlist
from hwq.fabric.pairing import Single, may_share, neighbours
from hwq.fabric.wide_muxes import mux_sources

__all__ = ["MEMORY_SITES", "Sites", "count_sites", "sites_of"]

# LUT sites that a memory or shift register takes (UG974, UG574).
MEMORY_SITES = {
    **{"RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4},
    **{"RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "SRL16": 1, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1},
    **{"RAM256X1D": 8, "RAM512X1S": 8, "RAM32X16DR8": 8, "RAM64X8SW": 8},
}
BRAM36 = {"RAMB36E1": 1.0, "RAMB36E2": 1.0, "RAMB18E1": 0.5, "RAMB18E2": 0.5}
MEMORY = re.compile(r"(RAM|SRL|CFGLUT)[A-Z]*\d")


@dataclass(frozen=True)
class Sites:
    """What a circuit takes of a device.

    ``luts`` = LUTs with two outputs + LUTs with one - ``pairs`` + ``route_throughs`` + ``conflicts``: LUT sites, memory apart.

    Parameters
    ----------
    luts, luts_related
        Sites when any two LUTs with at most five distinct inputs between them share one, and when only those that have an
        input in common do (a placer's choice lies between the two).
    exact
        Whether the pairs are proven to be the most; else ``luts`` is an upper bound.
    cells
        LUT cells as they stand in the netlist, two-output ones as one.
    pairs
        Sites that hold two single-output LUTs.
    route_throughs
        Carry positions whose S is not driven by a LUT of its own, and inputs of F7 to F9 multiplexers that no LUT (or smaller
        multiplexer) of their own drives.
    conflicts
        Sites needed because O and CO of a position (or O5 beside one of them) leave without a flip-flop, though they share one
        output multiplexer; and because a chain's carry-in and first DI both need the bypass pin, unless O5 of the position's LUT
        is DI: a LUT that makes DI alone can be that, for one chain, where it may share the site.
    inverters
        LUTs that only invert, for a reader which is no LUT; counted in ``luts`` (two may share a site).
    carry_positions, carry, carry_cells
        Positions in use; CARRY8 they fill, two chains of up to four positions sharing one (DUAL_CY4); carry cells in the netlist.
    lutram, ff, dsp, bram36, uram, muxes
        LUT sites as memory or shift registers; flip-flops; DSP slices; block RAMs of 36 kbit; UltraRAMs; F7 to F9 multiplexers.
    depth
        The most LUTs in a row between registers or ports. Carry chains add none.
    """

    luts: int
    luts_related: int
    exact: bool
    cells: int
    pairs: int
    route_throughs: int
    conflicts: int
    inverters: int
    carry_positions: int
    carry: int
    carry_cells: int
    lutram: int
    ff: int
    dsp: int
    bram36: float
    uram: int
    muxes: int
    depth: int

    @property
    def clb(self) -> int:
        """CLBs at least: each has 8 LUT sites, a CARRY8 and 16 flip-flops."""
        return max(-(-(self.luts + self.lutram) // 8), self.carry, -(-self.ff // 16))


def sites_of(netlist: Netlist) -> Sites:
    """The sites of an own netlist; what no output needs is not counted."""
    return count_sites(cells_of(netlist))


def count_sites(cells: Cells) -> Sites:
    """The sites of ``cells``; what no output needs is not counted. 60 000 LUTs take some 10 seconds.

    Raises :class:`InputError` of code ``CELL-MEMORY`` for a memory or shift register whose LUTs are not known.
    """
    circuit = _Circuit(cells)
    singles = circuit.singles()
    any_pair, exact = neighbours(singles, related=False)
    related, _ = neighbours(singles, related=True)
    bound = len(circuit.bypassed)
    pairs, related_pairs = (bound + sum(p >= 0 for p in maximum_matching(n)) // 2 for n in (any_pair, related))
    whole = circuit.duals + len(singles) + 2 * bound + circuit.route_throughs + circuit.conflicts
    kinds = Counter(block.kind for block in circuit.blocks)
    return Sites(
        luts=whole - pairs,
        luts_related=whole - related_pairs,
        exact=exact,
        cells=len(circuit.luts),
        pairs=pairs,
        route_throughs=circuit.route_throughs,
        conflicts=circuit.conflicts,
        inverters=len(circuit.inverted),
        carry_positions=sum(len(c.s) for c in circuit.chains),
        carry=_carry8([len(c.s) for c in circuit.chains]),
        carry_cells=cells.carry_cells,
        lutram=sum(_memory_sites(kind) * n for kind, n in kinds.items()),
        ff=sum(f.q in circuit.live for f in cells.flops),
        dsp=sum(n for kind, n in kinds.items() if kind.startswith("DSP48")),
        bram36=sum(BRAM36.get(kind, 0) * n for kind, n in kinds.items()),
        uram=kinds["URAM288"],
        muxes=sum(n for kind, n in kinds.items() if kind.startswith("MUXF")),
        depth=_depth(circuit.ends, circuit.drivers),
    )


def _memory_sites(kind: str) -> int:
    if MEMORY.match(kind) and kind not in MEMORY_SITES and kind not in BRAM36:
        message = f"how many LUTs a cell {kind} takes is not known"
        raise InputError("CELL-MEMORY", message, hint=f"memories of LUTs that can be counted: {', '.join(sorted(MEMORY_SITES))}")
    return MEMORY_SITES.get(kind, 0)


class _Circuit:
    """Live cells, who reads what, and which LUT stands at which carry position."""

    def __init__(self, cells: Cells) -> None:
        self.drivers = drivers(cells)
        self.live = live(cells, self.drivers)
        self.luts = [lut for lut in cells.luts if self._outputs(lut)]
        self.blocks = [b for b in cells.blocks if not self.live.isdisjoint(b.outputs)]
        self.chains = [c for c in map(self._trimmed, joined_chains(cells.chains)) if c.s]
        self.flops = [f for f in cells.flops if f.q in self.live]
        self._read(cells.outputs)
        self._place()

    def _outputs(self, lut: Lut) -> list[int]:
        return [o for o in (lut.o6, lut.o5) if o is not None and o in self.live]

    def _trimmed(self, chain: Chain) -> Chain:
        used = [k for k, ends in enumerate(zip(chain.o, chain.co, strict=True)) if not self.live.isdisjoint(ends)]
        n = used[-1] + 1 if used else 0
        return Chain(chain.s[:n], chain.di[:n], chain.ci, chain.o[:n], chain.co[:n])

    def _read(self, outputs: Sequence[int]) -> None:
        """``fabric``: signals read by anything but a flip-flop or DI; ``di``: how often each is read as DI; ``inverted``: those that
        somebody needs complemented who cannot do it himself; ``ends``: where paths end."""
        plain = [b for c in self.chains for b in c.s] + [c.ci for c in self.chains]
        plain += [b for block in self.blocks for b in block.inputs] + list(outputs)
        plain += [b for f in self.flops for b in (f.enable, f.reset)]
        di = [b for c in self.chains for k, b in enumerate(c.di) if c.co[k] in self.live]
        stored = [f.d for f in self.flops]
        inputs = [p for lut in self.luts for o in self._outputs(lut) for p in self.drivers[o].inputs]
        self.inverted = sorted({b & ~1 for b in (*plain, *di, *stored) if b > TRUE and b & 1})
        self.fabric = {b & ~1 for b in (*plain, *inputs, *self.inverted)}
        self.di = Counter(b for b in di if not b & 1)
        self.stored = {b for b in stored if not b & 1}
        self.ends = [*outputs, *stored, *(b for f in self.flops for b in (f.enable, f.reset))]
        self.ends += [b for block in self.blocks if block.registered for b in block.inputs]

    def _place(self) -> None:
        """Give each carry position its LUT; count what that costs."""
        by_output = {o: lut for lut in self.luts for o in self._outputs(lut)}
        self.position: dict[int, tuple[int, int]] = {}
        self.bypassed: dict[int, int] = {}
        self.duals = sum(len(self._outputs(lut)) == 2 for lut in self.luts)
        self.conflicts = 0
        self.muxed, self.route_throughs = mux_sources(self.blocks, {o for lut in self.luts for o in self._upper(lut)})
        for c, chain in enumerate(self.chains):
            for k, s in enumerate(chain.s):
                lut = by_output.get(s)
                if lut is None or lut.o6 in self.position or not self._may_propagate(lut, s):
                    self.route_throughs += 1
                    lut = None
                else:
                    self.position[lut.o6] = (c, k)
                self.conflicts += self._multiplexer_conflict(lut, chain, k)
        for c, chain in enumerate(self.chains):
            self.conflicts += self._bypass_conflict(by_output, c, chain)

    def _may_propagate(self, lut: Lut, s: int) -> bool:
        """S is wired to O6; the outputs of a LUT can change places unless one reads six inputs."""
        return s == lut.o6 or len(set(self.drivers[lut.o6].inputs) | set(self.drivers[s].inputs)) <= 5

    def _leaving(self, chain: Chain, k: int) -> int:
        """How many of O and CO leave the slice without a flip-flop."""
        return sum(bit in self.fabric or bit in self.di for bit in (chain.o[k], chain.co[k]))

    def _multiplexer_conflict(self, lut: Lut | None, chain: Chain, k: int) -> int:
        leaving = self._leaving(chain, k)
        if lut is None or len(self._outputs(lut)) < 2:
            return int(leaving == 2)
        other = lut.o5 if chain.s[k] == lut.o6 else lut.o6
        assert other is not None
        elsewhere = other in self.fabric or self.di[other] > (chain.di[k] == other)
        return max(0, leaving + elsewhere - 1)

    def _upper(self, lut: Lut) -> list[int]:
        """Its output that can be on O6, the other one being on O5."""
        outputs = self._outputs(lut)
        return outputs if len(outputs) == 1 else [lut.o6]

    def _bypass_conflict(self, by_output: dict[int, Lut], c: int, chain: Chain) -> int:
        """The first position's DI and a variable carry-in both want the bypass pin, unless O5 of the position's LUT drives DI.

        Where a LUT of its own makes DI, it must share the site of the position: ``bypassed``, by DI, the outputs of the LUTs at S.
        """
        di, s = chain.di[0], chain.s[0]
        if min(chain.ci, di) <= TRUE or chain.co[0] not in self.live:
            return 0
        lut, generate = by_output.get(s), by_output.get(di)
        if lut is None or generate is None or self.position.get(lut.o6) != (c, 0):
            return 1
        if lut is generate:
            return 0
        alone = len(self._outputs(lut)) == len(self._outputs(generate)) == 1 and di not in self.bypassed
        if not alone or not may_share(self._single(lut, s), self._single(generate, di)):
            return 1
        self.bypassed[di] = s
        return 0

    def singles(self) -> list[Single]:
        """LUTs that may share a site: those with one output, inverters included, but for those that must share with each other."""
        bound = {*self.bypassed, *self.bypassed.values()}
        found = []
        for lut in self.luts:
            outputs = self._outputs(lut)
            if len(outputs) == 1 and outputs[0] not in bound:
                found.append(self._single(lut, outputs[0]))
        return found + [Single(frozenset({s}), None, False, None, (s | 1) in self.muxed) for s in self.inverted]

    def _single(self, lut: Lut, output: int) -> Single:
        pins = frozenset(p & ~1 for p in self.drivers[output].inputs)
        place = self.position.get(lut.o6)
        generates = None
        if self.di[output] == 1 and output not in self.fabric and output not in self.stored:
            generates = output
        if place is None:
            return Single(pins, None, False, generates, output in self.muxed)
        chain, k = self.chains[place[0]], place[1]
        # Behind a variable carry-in on the bypass pin, a constant DI comes from O5.
        bypassed = k == 0 and chain.di[0] <= TRUE < chain.ci and chain.co[0] in self.live
        return Single(pins, chain.di[k], bypassed or self._leaving(chain, k) > 0, None)


def _carry8(lengths: Iterable[int]) -> int:
    """CARRY8 that chains of these lengths fill: a chain goes on in the lower half, one of up to four starts in either."""
    whole = goes_on = short = 0
    for n in lengths:
        rest = n % 8
        whole += n // 8 + (rest > 4)
        goes_on += n > 8 and 0 < rest <= 4
        short += n <= 4
    return whole + max(goes_on, -(-(goes_on + short) // 2))


def _depth(ends: Iterable[int], made_by: dict[int, Driver]) -> int:
    """The most levels between registers or ports; an end that is a complement costs the inverter's."""
    level: dict[int, int] = {}
    ends = list(ends)
    waiting = [b & ~1 for b in ends]
    while waiting:
        signal = waiting[-1]
        driver = made_by.get(signal)
        if signal in level or driver is None or not driver.inputs:
            level.setdefault(signal, driver.levels if driver else 0)
            waiting.pop()
            continue
        missing = [b & ~1 for b in driver.inputs if b & ~1 not in level]
        if missing:
            waiting += missing
            continue
        level[signal] = driver.levels + max(level[b & ~1] for b in driver.inputs)
        waiting.pop()
    return max((level[b & ~1] + (b > TRUE and b & 1) for b in ends), default=0)
