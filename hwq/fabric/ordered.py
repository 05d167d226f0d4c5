"""Cells in any order as a netlist that can be simulated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hwq.fabric.cells import Cells
from hwq.fabric.netlist import Chain, Lut, Netlist, inverted

__all__ = ["ordered"]

MULTIPLEXER = 0xCA  # S ? I1 : I0 of pins (I0, I1, S)


def ordered(cells: Cells, inputs: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]], signals: int) -> Netlist:
    """The circuit of ``cells`` between ``inputs`` and ``outputs`` (literals by port), front to back, chains cut into single positions.

    Wide multiplexers (MUXF7 to MUXF9) become LUTs. Raises :class:`ValueError` for other blocks and for a combinational loop.
    """
    parts: list[Lut | Chain] = [*_plain_luts(cells), *_positions(cells)]
    made_by = {output: k for k, part in enumerate(parts) for output in _outputs(part)}
    ranks = _ranks([[made_by[i] for i in _inputs(part) if i in made_by] for part in parts])
    netlist = Netlist("ordered", {k: tuple(v) for k, v in inputs.items()}, {k: tuple(v) for k, v in outputs.items()})
    netlist.cells.extend(parts[k] for k in ranks)
    netlist.flops.extend(cells.flops)
    netlist._signals = signals
    return netlist


def _plain_luts(cells: Cells) -> Iterator[Lut]:
    """LUTs without complemented pins, and multiplexers as such."""
    for lut in cells.luts:
        yield _plain(lut)
    for block in cells.blocks:
        if not block.kind.startswith("MUXF"):
            raise ValueError(f"a {block.kind} cannot be simulated")
        yield _plain(Lut(MULTIPLEXER, block.inputs, block.outputs[0]))


def _plain(lut: Lut) -> Lut:
    flips = sum(inverted(p) << k for k, p in enumerate(lut.pins) if p > 1)
    if not flips:
        return lut
    init = sum((lut.init >> (i ^ flips) & 1) << i for i in range(1 << len(lut.pins)))
    if lut.o5 is not None and flips >> 5:
        raise ValueError("a complement at I5 of a LUT6_2")
    return Lut(init, tuple(p & ~1 if p > 1 else p for p in lut.pins), lut.o6, lut.o5)


def _positions(cells: Cells) -> Iterator[Chain]:
    for chain in cells.chains:
        carry = chain.ci
        for s, di, o, co in zip(chain.s, chain.di, chain.o, chain.co, strict=True):
            yield Chain((s,), (di,), carry, (o,), (co,))
            carry = co


def _inputs(part: Lut | Chain) -> list[int]:
    return [b & ~1 for b in (part.pins if isinstance(part, Lut) else (*part.s, *part.di, part.ci))]


def _outputs(part: Lut | Chain) -> list[int]:
    if isinstance(part, Lut):
        return [part.o6] if part.o5 is None else [part.o6, part.o5]
    return [*part.o, *part.co]


def _ranks(needs: Sequence[Sequence[int]]) -> list[int]:
    """An order in which each comes after all it needs."""
    waiting = [len(set(n)) for n in needs]
    readers: list[list[int]] = [[] for _ in needs]
    for k, n in enumerate(needs):
        for other in set(n):
            readers[other].append(k)
    order = [k for k, n in enumerate(waiting) if not n]
    for k in order:
        for reader in readers[k]:
            waiting[reader] -= 1
            if not waiting[reader]:
                order.append(reader)
    if len(order) < len(needs):
        raise ValueError("the circuit has a combinational loop")
    return order
