"""Pieces of what lies between the stages and around them: queues, converters, forks, AXI streams, registers."""

from __future__ import annotations

from functools import lru_cache

from hwq.network.ops import Window
from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.memories import written
from hwq.plan.pieces import Piece, piece
from hwq.plan.reader_pieces import counter_bits, reader
from hwq.plan.units import FIFO_EGRESS, AxiIn, AxiOut, Converter, Edge

__all__ = ["axi_in", "axi_out", "converter", "egress", "fifo", "flag_queue", "fork", "status", "top"]


@lru_cache(maxsize=1 << 16)
def egress(width: int, depth: int) -> Piece:
    """Credits and output queue of ``depth`` words of ``width`` bits."""
    if depth == 1:
        return piece("register", bits=width)
    pointers, rows = (depth - 1).bit_length(), ceil_div(1 << (depth - 1).bit_length(), 64)
    return piece(
        "egress",
        fixed=written(width, 1 << pointers, "lutram"),
        deep=depth > 2,
        credits=depth.bit_length(),
        pointers=pointers,
        rows=width * (rows - 1),
    )


def fifo(width: int, depth: int, memory: str = "lutram") -> tuple[Piece, ...]:
    """A FIFO, in LUT RAM or in other memory."""
    if memory == "lutram":
        return piece("fifo"), egress(width, depth)
    inner = reader(width, Geometry(1, 1, 1, Window((1, 1))), depth, memory)
    return piece("deep_fifo", credits=depth.bit_length()), inner, egress(width, FIFO_EGRESS)


def converter(u: Converter, source: Edge, target: Edge) -> tuple[Piece, ...]:
    """A width converter with its Egress."""
    into, out = (counter_bits(n) + counter_bits(u.blocks) for n in (u.words_in, u.words_out))
    whole = (source.height, source.width, source.channels) == (target.height, target.width, target.channels)
    rest = u.elements if whole else source.positions * source.channels - (u.blocks - 1) * u.elements
    held = u.words_out * target.word_bits
    core = piece(
        "converter",
        counted=into + out,
        collected=u.words_in * source.word_bits,
        held=held,
        shifted=min(held, u.elements * source.bits) - target.word_bits if u.words_out > 1 else 0,
        enables=u.words_in if u.last_in != u.words_in else 0,
        masked=max(0, min(u.elements, u.last_out * target.lanes) - rest) * source.bits,
    )
    return core, egress(target.word_bits, u.depth)


def fork(outputs: int) -> Piece:
    """An eager fork."""
    return piece("fork", outputs=outputs)


def axi_in(u: AxiIn, edge: Edge) -> tuple[Piece, ...]:
    """An AXI4-Stream ingress."""
    ragged = edge.words * edge.elements - edge.channels
    core = piece("axi_in", position=counter_bits(edge.words), bits=edge.word_bits, ragged=ragged * edge.bits)
    return core, egress(edge.word_bits, u.depth)


def axi_out(u: AxiOut, edge: Edge) -> tuple[Piece, ...]:
    """An AXI4-Stream egress."""
    lanes, codes = u.bus_bits // u.pitch, edge.channels * edge.positions
    beats = ceil_div(codes, lanes)
    ragged = beats * lanes - codes
    core = piece(
        "axi_out",
        position=counter_bits(beats),
        ragged=ragged * edge.bits if beats > 1 else 0,
        keep=ragged * u.pitch // 8 if beats > 1 else 0,
    )
    return core, egress(lanes * edge.bits, u.depth)


def status(inputs: int, outputs: int, fifos: int) -> Piece:
    """The registers of :func:`hwq.gateware.registers.register_map`: counters of 64 bits, peaks of queues."""
    return piece("status", counters=1 + 3 * inputs + 2 * outputs, peaks=inputs + outputs + fifos)


def flag_queue(frames: int) -> Piece:
    """The queue of one bit a frame between an input and an output."""
    bits = (frames + 1).bit_length()
    return piece("flag_queue", fixed=written(1, 1 << bits, "lutram"), bits=bits, rows=ceil_div(1 << bits, 64) - 1)


def top(stages: int, inputs: int, outputs: int, fifos: int) -> Piece:
    """What connects the components, and asks the stages' memories."""
    return piece("top", stages=stages, streams=inputs + outputs, levels=inputs + outputs + fifos)
