"""Cost of the stages as a planner asks for it: a stage, its input buffer, its Egress; and the memories in them."""

from __future__ import annotations

from hwq.plan.banks import BankLayout
from hwq.plan.geometry import ceil_div
from hwq.plan.memories import Memory, ram, rom
from hwq.plan.pieces import cost_of, piece_cost
from hwq.plan.reader_pieces import reader, row_buffer
from hwq.plan.resources import Resources
from hwq.plan.stage_pieces import stage_pieces
from hwq.plan.stream_pieces import egress
from hwq.plan.summary import WINDOWED, StageSummary
from hwq.plan.units import memory_kind

__all__ = ["buffer_of", "constants_kind", "input_cost", "queue_cost", "roms_of", "stage_cost"]


def constants_kind(memory: str, constants: str) -> str:
    """Memory of thresholds and multipliers: what the plan says, else that of the weights."""
    return memory if constants == "auto" else constants


def roms_of(s: StageSummary, pe: int, simd: int, memory: str, constants: str = "auto", style: str = "folded") -> tuple[Memory, ...]:
    """Weight memory and memory of constants of a stage; all V pixels share them. An unrolled one has none."""
    if style == "unrolled":
        return ()
    words = s.groups * ceil_div(s.rows, pe) if s.kind == "mvu" else ceil_div(s.rows, pe)
    found = []
    if s.kind == "mvu":
        found.append(rom(pe * simd * s.w_bits, words * s.taps * ceil_div(s.columns, simd), memory, s.weight_bits))
    elif s.kind == "depthwise":
        found.append(rom(pe * s.w_bits, words * s.taps, memory, s.weight_bits))
    width = _constant_bits(s)
    if width:
        found.append(rom(pe * width, words, constants_kind(memory, constants), s.mh * width))
    return tuple(found)


def _constant_bits(s: StageSummary) -> int:
    """Bits of the constants of a channel: multiplier and offset, or thresholds."""
    if s.multiplier_bits:
        return 2 * s.multiplier_bits + s.acc_bits
    return s.thresholds * s.acc_bits


def buffer_of(s: StageSummary, pe: int, simd: int, pixels: int, depth: int, kind: str = "auto", style: str = "folded") -> Memory | None:
    """The memory of an input buffer of ``depth`` words; that of a Reader lies in banks, one or more a pixel of its words."""
    width = s.lanes_in(pe, simd) * s.x_bits
    if style == "unrolled":
        g = s.slide(simd)
        return None if g.is_gathered else ram(width, g.row, kind, g.banks(depth), bits=depth * width)
    if s.kind == "upsample":
        return ram(width, depth, kind)
    if s.kind not in WINDOWED:
        return None
    layout = BankLayout(s.geometry(pe, simd, pixels), depth, memory_kind(kind, depth))
    return ram(width, layout.depth, layout.memory, pixels * layout.split, bits=depth * pixels * width)


def stage_cost(
    s: StageSummary, pe: int, simd: int, memory: str, pixels: int = 1, constants: str = "auto", style: str = "folded"
) -> Resources:
    """A stage without its buffer and Egress."""
    return cost_of(stage_pieces(s, pe, simd, memory, pixels, constants, style))


def queue_cost(width: int, depth: int) -> Resources:
    """An Egress of ``depth`` words of ``width`` bits."""
    return piece_cost(egress(width, depth))


def input_cost(s: StageSummary, pe: int, simd: int, pixels: int, depth: int, kind: str, style: str = "folded") -> Resources:
    """An input buffer of ``depth`` words with what fills and reads it; nothing for a stage without one."""
    width = s.lanes_in(pe, simd) * s.x_bits
    if style == "unrolled":
        g = s.slide(simd)
        return Resources() if g.is_gathered else piece_cost(row_buffer(width, g, depth, memory_kind(kind, g.row)))
    if s.kind == "upsample":
        return ram(width, depth, kind).cost
    if s.kind not in WINDOWED:
        return Resources()
    return piece_cost(reader(pixels * width, s.geometry(pe, simd, pixels), depth, memory_kind(kind, depth)))
