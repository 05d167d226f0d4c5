"""Ages of signals in a pipeline: how many cycles ago the operands came that they depend on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Lut, Netlist
from hwq.fabric.slices import port_cycles

__all__ = ["OutOfStep", "ages", "check_pipeline"]

Ways = tuple[tuple[int, int], ...]  # signal, cycles from it


class OutOfStep(AssertionError):
    """A circuit that is no pipeline: operands of different cycles meet, or come back."""


def check_pipeline(netlist: Netlist, latency: int) -> None:
    """That every output depends on the inputs of ``latency`` cycles ago and on no others, or is constant; linear in the circuit.

    Flip-flops taken as wires, the circuit then computes the same function, ``latency`` cycles later: what is proven of the one holds for
    the other. Raises :class:`OutOfStep` where two ways from the inputs to a cell or output pass different numbers of flip-flops
    (registers of slices included), at flip-flops with an enable or a reset, and at feedback. Accumulators are no pipelines.
    """
    ends = [b >> 1 for bits in netlist.outputs.values() for b in bits]
    known = ages(netlist, ends)
    found = {age for end in ends if (age := known[end]) is not None}
    if not found <= {latency}:
        raise OutOfStep(f"outputs of {netlist.name} are {sorted(found)} cycles old, not {latency}")


def ages(netlist: Netlist, ends: Iterable[int], sources: Iterable[int] | None = None) -> dict[int, int | None]:
    """Cycles from ``sources`` (signals; the inputs) to every signal on the ways to ``ends``; None: depends on no source.

    Raises :class:`OutOfStep` as :func:`check_pipeline`.
    """
    begin = [b >> 1 for bits in netlist.inputs.values() for b in bits] if sources is None else sources
    found: dict[int, int | None] = {FALSE: None, **dict.fromkeys(begin, 0)}
    ways, waiting = _ways(netlist), set[int]()
    open_ = list(ends)
    while open_:
        signal = open_[-1]
        own = () if signal in found else ways.get(signal, ())
        missing = [s for s, _ in own if s not in found]
        if not missing:
            found.setdefault(signal, _common(signal, own, found))
            open_.pop()
        elif signal in waiting:
            raise OutOfStep(f"signal {signal} of {netlist.name} depends on itself")
        waiting.add(signal)
        open_ += missing
    return found


def _common(signal: int, ways: Ways, found: dict[int, int | None]) -> int | None:
    own = {age + cycles for s, cycles in ways if (age := found[s]) is not None}
    if len(own) > 1:
        raise OutOfStep(f"ways of different latency meet in signal {signal}: {sorted(own)} cycles")
    return own.pop() if own else None


def _ways(netlist: Netlist) -> dict[int, Ways]:
    """What every signal is made of."""
    made: dict[int, Ways] = {}
    for cell in netlist.cells:
        if isinstance(cell, Lut):
            made.update(dict.fromkeys([cell.o6 >> 1] if cell.o5 is None else [cell.o6 >> 1, cell.o5 >> 1], _plain(cell.pins)))
        elif isinstance(cell, Chain):
            made.update(dict.fromkeys([b >> 1 for b in (*cell.o, *cell.co)], _plain((*cell.s, *cell.di, cell.ci))))
        else:
            made.update(dict.fromkeys([b >> 1 for _, bits in cell.outputs for b in bits], _through(cell)))
    for flop in netlist.flops:
        if (flop.enable, flop.reset) != (TRUE, FALSE):
            raise OutOfStep(f"flip-flop {flop.q >> 1} of {netlist.name} may hold its value")
        made[flop.q >> 1] = ((flop.d >> 1, 1),)
    return made


def _plain(pins: Sequence[int]) -> Ways:
    return tuple((p >> 1, 0) for p in pins if p > TRUE)


def _through(cell: Dsp) -> Ways:
    use, cycles = dict(cell.parameters), port_cycles(cell)
    if use["Z"] == 2 or use["W"] in (1, 4):
        raise OutOfStep("a slice adds to its last sum")
    return tuple((b >> 1, cycles[port]) for port, bits in cell.inputs if port in cycles for b in bits if b > TRUE)
