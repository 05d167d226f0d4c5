"""Pieces of a whole design, component by component, and of what stands around them."""

from __future__ import annotations

from collections.abc import Mapping

from hwq.network.ops import Conv
from hwq.plan import stream_pieces
from hwq.plan.contraction_pieces import unrolled
from hwq.plan.dataflow import Dataflow
from hwq.plan.flags import frames_in_flight, inputs_of
from hwq.plan.memories import ram
from hwq.plan.pieces import Piece
from hwq.plan.reader_pieces import reader, row_buffer
from hwq.plan.stage_pieces import stage_pieces
from hwq.plan.summary import StageSummary
from hwq.plan.units import (
    AxiIn,
    AxiOut,
    Converter,
    Fifo,
    Fork,
    Unit,
    UnrolledConv,
    UnrolledDense,
    UpsampleUnit,
    WindowUnit,
    memory_kind,
)
from hwq.plan.unrolled import UnrolledForm, circuit_piece

__all__ = ["frame_pieces", "unit_pieces"]


def unit_pieces(unit: Unit, dataflow: Dataflow, summaries: Mapping[str, StageSummary], exact: bool = True) -> list[Piece]:
    """Everything in a component; ``exact``: circuits of the fabric are made and counted."""
    edges = dataflow.edges
    match unit:
        case AxiIn():
            return [*stream_pieces.axi_in(unit, edges[unit.outputs[0]])]
        case AxiOut():
            return [*stream_pieces.axi_out(unit, edges[unit.inputs[0]])]
        case Converter():
            return [*stream_pieces.converter(unit, edges[unit.inputs[0]], edges[unit.outputs[0]])]
        case Fifo():
            return [*stream_pieces.fifo(edges[unit.outputs[0]].word_bits, unit.depth, unit.memory)]
        case Fork():
            return [stream_pieces.fork(len(unit.outputs))]
    p = unit.plan  # type: ignore[attr-defined]
    s = summaries[unit.stage.name]  # type: ignore[attr-defined]
    found = [stream_pieces.egress(edges[e].word_bits, unit.depth) for e in unit.outputs]  # type: ignore[attr-defined]
    if isinstance(unit, UnrolledDense | UnrolledConv):
        found += unrolled(s, p.simd, unit.latency, _circuit(unit, s) if exact else None)
    else:
        found += stage_pieces(s, p.pe, p.simd, p.memory, p.pixels, p.constants, p.style, getattr(unit, "latency", None), exact)
    return found + _input(unit, edges[unit.inputs[0]].word_bits)


def _input(unit: Unit, width: int) -> list[Piece]:
    """The input buffer."""
    if isinstance(unit, UnrolledConv):
        g = unit.geometry
        return [row_buffer(width, g, unit.buffer, memory_kind(unit.plan.buffer_memory, g.row))]  # type: ignore[arg-type]
    if isinstance(unit, WindowUnit):
        return [reader(width, unit.geometry, unit.buffer, memory_kind(unit.plan.buffer_memory, unit.buffer))]
    if isinstance(unit, UpsampleUnit):
        kind = memory_kind(unit.plan.buffer_memory, unit.buffer)
        return [Piece("ring", fixed=ram(width, 1 << max(1, (unit.buffer - 1).bit_length()), kind).cost)]
    return []


def _circuit(unit: UnrolledDense | UnrolledConv, s: StageSummary) -> Piece:
    op = unit.stage.node.op
    assert isinstance(op, Conv)
    return circuit_piece(UnrolledForm(op, s.x, unit.stage.activation, s.out))


def frame_pieces(dataflow: Dataflow) -> list[Piece]:
    """What a design has once: its registers, the queues of flags, the wiring between components."""
    inputs, outputs, fifos = (sum(isinstance(u, kind) for u in dataflow.units) for kind in (AxiIn, AxiOut, Fifo))
    queue = stream_pieces.flag_queue(frames_in_flight(dataflow))
    queues = sum(map(len, inputs_of(dataflow).values()))
    checked = sum(hasattr(u, "stage") for u in dataflow.units)
    return [
        stream_pieces.status(inputs, outputs, fifos),
        stream_pieces.top(checked, inputs, outputs, fifos),
        Piece(queue.component, queue.counts, queues, queue.fixed),
    ]
