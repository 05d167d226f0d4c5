"""Carry chains cut into the slices of the fabric, eight positions each; two short chains share one."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.fabric.netlist import Chain, Lut, Netlist

__all__ = ["CarryQuad", "CarrySlice", "carry_quads", "carry_slices"]

WHOLE, HALF = 8, 4


@dataclass(frozen=True)
class CarrySlice:
    """One CARRY8: ``lower`` from position 0 on, and in DUAL_CY4 ``upper`` from position 4 on with a carry-in of its own (CI_TOP)."""

    lower: Chain
    upper: Chain | None = None


@dataclass(frozen=True)
class CarryQuad:
    """One CARRY4 of up to four positions; ``goes_on``: its carry-in is the last carry-out of the one before (CI), else its own (CYINIT)."""

    chain: Chain
    goes_on: bool


def carry_slices(netlist: Netlist) -> list[CarrySlice]:
    """All chains of ``netlist``, in order; chains of at most four positions are paired with the next such one.

    Only chains with as many chains in front of them are paired: none of the two feeds the other, and no tool sees a loop through the cell.
    Source: UG574, CARRY8 with CARRY_TYPE = DUAL_CY4.
    """
    found: list[CarrySlice] = []
    waiting: dict[int, int] = {}
    for chain, level in _levels(netlist):
        if len(chain.s) > HALF:
            found += [CarrySlice(piece) for piece in _pieces(chain)]
        elif level in waiting:
            place = waiting.pop(level)
            found[place] = CarrySlice(found[place].lower, chain)
        else:
            waiting[level] = len(found)
            found.append(CarrySlice(chain))
    return found


def carry_quads(netlist: Netlist) -> list[CarryQuad]:
    """All chains of ``netlist``, in order, cut into the carry cells of 7 series. Source: UG474, CARRY4."""
    chains = [cell for cell in netlist.cells if isinstance(cell, Chain)]
    return [CarryQuad(piece, k > 0) for chain in chains for k, piece in enumerate(_pieces(chain, HALF))]


def _pieces(chain: Chain, size: int = WHOLE) -> list[Chain]:
    """``size`` positions each; the carry-in of the next is the last carry-out."""
    found = []
    for k in range(0, len(chain.s), size):
        part = slice(k, k + size)
        found.append(Chain(chain.s[part], chain.di[part], chain.co[k - 1] if k else chain.ci, chain.o[part], chain.co[part]))
    return found


def _levels(netlist: Netlist) -> list[tuple[Chain, int]]:
    """Every chain with the number of chains on the longest path to it from inputs and flip-flops."""
    level = [0] * netlist.signals
    found = []
    for cell in netlist.cells:
        if isinstance(cell, Lut):
            latest = max((level[p >> 1] for p in cell.pins), default=0)
            for output in (cell.o6, cell.o6 if cell.o5 is None else cell.o5):
                level[output >> 1] = latest
        elif isinstance(cell, Chain):
            latest = max(level[b >> 1] for b in (*cell.s, *cell.di, cell.ci))
            found.append((cell, latest))
            for output in (*cell.o, *cell.co):
                level[output >> 1] = latest + 1
        else:
            latest = max((level[b >> 1] for _, bits in cell.inputs for b in bits), default=0)
            for _, bits in cell.outputs:
                for output in bits:
                    level[output >> 1] = latest
    return found
