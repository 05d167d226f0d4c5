"""Dropping what no output needs."""

from __future__ import annotations

from dataclasses import replace

from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Flop, Lut, Netlist, essential

__all__ = ["prune"]


def prune(netlist: Netlist) -> Netlist:
    """The same circuit without cells and flip-flops that no output depends on; signals keep their numbers.

    A LUT6_2 of which one output is read becomes a plain LUT of the pins that matter; chains end at their last position read.
    """
    needed = _needed(netlist)
    cells = [kept for cell in netlist.cells if (kept := _kept(cell, needed)) is not None]
    flops = [f for f in netlist.flops if f.q >> 1 in needed]
    return Netlist(netlist.name, dict(netlist.inputs), dict(netlist.outputs), cells, flops, netlist.signals)


def _needed(netlist: Netlist) -> set[int]:
    """Signals the outputs depend on, through flip-flops too."""
    driver: dict[int, Lut | Chain | Dsp | Flop] = {f.q >> 1: f for f in netlist.flops}
    for cell in netlist.cells:
        driver.update((b >> 1, cell) for b in _outputs(cell))
    open_ = [b >> 1 for bits in netlist.outputs.values() for b in bits]
    needed: set[int] = set()
    while open_:
        signal = open_.pop()
        if signal in needed:
            continue
        needed.add(signal)
        if signal in driver:
            open_.extend(b >> 1 for b in _read(driver[signal], signal))
    return needed


def _outputs(cell: Lut | Chain | Dsp) -> list[int]:
    if isinstance(cell, Lut):
        return [cell.o6] if cell.o5 is None else [cell.o6, cell.o5]
    if isinstance(cell, Chain):
        return [*cell.o, *cell.co]
    return [b for _, bits in cell.outputs for b in bits]


def _read(cell: Lut | Chain | Dsp | Flop, signal: int) -> list[int]:
    """Pins that matter to one output of a cell."""
    if isinstance(cell, Lut):
        return list(_essential(cell, signal)[1])
    if isinstance(cell, Flop):
        return [cell.d, cell.enable, cell.reset]
    if isinstance(cell, Dsp):
        return [b for _, bits in cell.inputs for b in bits]
    last = next(k for k, pair in enumerate(zip(cell.o, cell.co, strict=True)) if signal in (pair[0] >> 1, pair[1] >> 1))
    own_di = [cell.di[last]] if signal == cell.co[last] >> 1 else []
    return [*cell.s[: last + 1], *cell.di[:last], *own_di, cell.ci]


def _essential(lut: Lut, signal: int) -> tuple[int, tuple[int, ...]]:
    """Truth table and pins of one output, constants and pins that do not matter left out."""
    return essential(lut.init, lut.pins) if signal == lut.o6 >> 1 else essential(lut.init & 0xFFFFFFFF, lut.pins[:5])


def _kept(cell: Lut | Chain | Dsp, needed: set[int]) -> Lut | Chain | Dsp | None:
    if isinstance(cell, Lut):
        return _kept_lut(cell, needed)
    if isinstance(cell, Dsp):
        return cell if any(b >> 1 in needed for b in _outputs(cell)) else None
    used = max((k + 1 for k, (o, co) in enumerate(zip(cell.o, cell.co, strict=True)) if {o >> 1, co >> 1} & needed), default=0)
    if not used:
        return None
    di = list(cell.di[:used])
    if cell.co[used - 1] >> 1 not in needed:
        di[-1] = FALSE
    return Chain(cell.s[:used], tuple(di), cell.ci, cell.o[:used], cell.co[:used])


def _kept_lut(lut: Lut, needed: set[int]) -> Lut | None:
    read = [o for o in (lut.o6, lut.o5) if o is not None and o >> 1 in needed]
    if len(read) != 1 or lut.o5 is None:
        # What drives a pin that matters to no output is gone.
        return replace(lut, pins=tuple(p if p <= TRUE or p >> 1 in needed else FALSE for p in lut.pins)) if read else None
    table, pins = _essential(lut, read[0] >> 1)
    return Lut(table, tuple(pins), read[0]) if pins else Lut(3 * table, (FALSE,), read[0])
