"""Cells of a circuit as a counter sees them, whoever made it: LUTs, carry chains, flip-flops, and blocks of any other kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from hwq.fabric.carry_slices import carry_slices
from hwq.fabric.netlist import TRUE, Chain, Dsp, Flop, Lut, Netlist

__all__ = ["Block", "Cells", "Driver", "cells_of", "drivers", "joined_chains", "live", "support"]


@dataclass(frozen=True)
class Block:
    """A cell that is no LUT, carry or flip-flop: ``kind`` is its type, ``registered`` whether its outputs leave from registers."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    registered: bool
    levels: int = 0


@dataclass(frozen=True)
class Cells:
    """Cells in any order; bits are literals as in :class:`~hwq.fabric.netlist.Netlist`. ``outputs`` are the bits of the output ports."""

    luts: Sequence[Lut]
    chains: Sequence[Chain]
    flops: Sequence[Flop]
    blocks: Sequence[Block]
    outputs: Sequence[int]
    carry_cells: int = 0


def cells_of(netlist: Netlist) -> Cells:
    """The cells of an own netlist. A slice counts as registered unless its parameters say that its output register is absent."""
    chains = [c for c in netlist.cells if isinstance(c, Chain)]
    return Cells(
        [c for c in netlist.cells if isinstance(c, Lut)],
        chains,
        netlist.flops,
        [_block(c) for c in netlist.cells if isinstance(c, Dsp)],
        [b for bits in netlist.outputs.values() for b in bits],
        len(carry_slices(netlist)),
    )


def _block(cell: Dsp) -> Block:
    bits = [tuple(b for _, port in ports for b in port) for ports in (cell.inputs, cell.outputs)]
    return Block("DSP48E2", bits[0], bits[1], int(dict(cell.parameters).get("PREG", 1)) > 0)


# -- what depends on what


@dataclass(frozen=True)
class Driver:
    """What makes a signal: the signals it depends on without a register between (``inputs``), those a register waits for
    (``stored``), both literals, and the levels it adds."""

    inputs: tuple[int, ...] = ()
    stored: tuple[int, ...] = ()
    levels: int = 0


def drivers(cells: Cells) -> dict[int, Driver]:
    """The driver of every signal that a cell makes, by positive literal. O5 does not depend on what O6 alone reads, O not on DI."""
    return dict(_drivers(cells))


def _drivers(cells: Cells) -> Iterator[tuple[int, Driver]]:
    for lut in cells.luts:
        yield lut.o6, Driver(support(lut.init, lut.pins), levels=1)
        if lut.o5 is not None:
            yield lut.o5, Driver(support(lut.init & 0xFFFFFFFF, lut.pins[:5]), levels=1)
    for chain in cells.chains:
        carry = chain.ci
        for s, di, o, co in zip(chain.s, chain.di, chain.o, chain.co, strict=True):
            yield o, Driver((s, carry))
            yield co, Driver((s, carry, di))
            carry = co
    for flop in cells.flops:
        yield flop.q, Driver(stored=(flop.d, flop.enable, flop.reset))
    for block in cells.blocks:
        driver = Driver(stored=block.inputs) if block.registered else Driver(block.inputs, levels=block.levels)
        for bit in block.outputs:
            yield bit, driver


def live(cells: Cells, made_by: Mapping[int, Driver]) -> set[int]:
    """Signals that an output port needs, as positive literals."""
    found: set[int] = set()
    waiting = list(cells.outputs)
    while waiting:
        signal = waiting.pop() & ~1
        if signal <= TRUE or signal in found:
            continue
        found.add(signal)
        driver = made_by.get(signal)
        if driver:
            waiting += (*driver.inputs, *driver.stored)
    return found


def support(init: int, pins: tuple[int, ...]) -> tuple[int, ...]:
    """The pins that the function with truth table ``init`` depends on, constants left out."""
    fixed = tuple(p if p <= TRUE else -1 for p in pins)
    return tuple(pins[k] for k in _dependent(init, fixed))


@lru_cache(maxsize=65536)
def _dependent(init: int, fixed: tuple[int, ...]) -> tuple[int, ...]:
    """Indices of the variables (entries of -1; others are constants) that matter."""
    count = len(fixed)
    valid = [i for i in range(1 << count) if all(f < 0 or (i >> k) & 1 == f for k, f in enumerate(fixed))]
    return tuple(k for k, f in enumerate(fixed) if f < 0 and any((init >> i ^ init >> (i ^ (1 << k))) & 1 for i in valid))


# -- carry chains


@dataclass
class _Links:
    """Which chain goes on where another one ends."""

    following: dict[int, Chain] = field(default_factory=dict)
    starts: list[Chain] = field(default_factory=list)


def joined_chains(chains: Sequence[Chain]) -> list[Chain]:
    """Chains whose carry-in is another one's last carry-out made one: a CARRY4 and a CARRY8 are parts of longer ones."""
    links = _links(chains)
    joined = []
    for start in links.starts:
        parts = [start]
        while parts[-1].co[-1] in links.following:
            parts.append(links.following.pop(parts[-1].co[-1]))
        ports = [tuple(bit for part in parts for bit in getattr(part, port)) for port in ("s", "di", "o", "co")]
        joined.append(Chain(ports[0], ports[1], start.ci, ports[2], ports[3]))
    return joined


def _links(chains: Sequence[Chain]) -> _Links:
    ends = {chain.co[-1] for chain in chains}
    links = _Links()
    for chain in chains:
        if chain.ci in ends and chain.ci not in links.following:
            links.following[chain.ci] = chain
        else:
            links.starts.append(chain)
    return links
