"""Pieces of contractions: rows of processing elements with their memories, or a circuit with the weights as wiring."""

from __future__ import annotations

from functools import partial
from math import lcm

from hwq.fabric.lane_array import DSP_WORDS, dsp_word
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.lane_netlist import has_netlist
from hwq.plan.activation_pieces import activation, constant_bits, rom
from hwq.plan.geometry import ceil_div
from hwq.plan.latency import FANOUT, READ_LATENCY, broadcast_levels
from hwq.plan.pieces import Piece, piece
from hwq.plan.reader_pieces import counter_bits
from hwq.plan.row_cost import lane_cost, row_cost, row_levels
from hwq.plan.summary import StageSummary
from hwq.plan.threshold import search_levels

__all__ = ["contraction", "unrolled"]


class _Element:
    """A row of a contraction in words of ``simd`` products, of ``pe`` rows in all."""

    def __init__(self, s: StageSummary, simd: int, pe: int) -> None:
        assert s.lane is not None
        self.s, self.simd, self.pe = s, simd, pe
        self.form: LaneForm = s.lane.sized(simd, pe if s.kind == "mvu" else 1)
        self.words = s.taps * ceil_div(s.columns, simd)
        self.is_masked = s.window.is_padded and int(s.x.decode(0)) != 0
        self.is_row = not (s.chunk or self.is_masked or self.words == 1) and has_netlist(self.form)
        padded = self.words * simd - s.mw
        top = self.form.raw(0, self.form.pad_weight) if self.form.apart else self.form.raw_max
        #: The largest accumulated value.
        self.most = s.reach + padded * top

    @property
    def bits(self) -> int:
        """Width of the accumulated value."""
        return self.s.acc_bits if self.s.chunk else max(1, self.most.bit_length())

    @property
    def limit_bits(self) -> int:
        """Width of a threshold of it."""
        return self.bits if self.s.chunk else (self.most + 1).bit_length()

    def accumulator(self, times: int) -> list[Piece]:
        """An accumulator apart from the lane; none where a vector is one word."""
        several, y = self.words > 1, self.form.y_bits
        clipped = self.s.acc_bits if self.s.chunk else 0
        if not (several or self.is_masked or clipped):
            return []
        return [
            piece(
                "accumulator",
                times,
                added=self.bits if several and not clipped else 0,
                chunked=y + (self.s.chunk // max(1, self.simd)).bit_length() if clipped and self.s.chunk > self.simd else 0,
                masked=y if self.is_masked else 0,
                clipped=clipped,
                grown=max(y, clipped) if clipped else 0,
            )
        ]

    def lanes(self, pixels: int, exact: bool) -> list[Piece]:
        """Lanes, with their accumulators where they are one: as many rows in a piece as share slices, the rest in another."""
        kind, bits = ("row", self.bits) if self.is_row else ("lane", 0)
        levels = row_levels(self.form, bits) if exact else 0
        word = dsp_word(bits) if self.s.accumulator == "dsp" and self.s.kind == "mvu" else 0
        together = lcm(self.form.rows, DSP_WORDS[word]) if word else self.form.rows
        whole, rest = divmod(self.pe, together)
        groups = [(together, whole * pixels), (rest, pixels)]
        priced = partial(row_cost, self.form, bits, in_slices=word > 0) if self.is_row else partial(lane_cost, self.form)
        return [Piece(kind, times=times, fixed=priced(exact=exact, rows=rows), levels=levels) for rows, times in groups if rows and times]

    def pieces(self, pixels: int, exact: bool) -> list[Piece]:
        """Lanes, accumulators, activations of all rows and pixels."""
        times = self.pe * pixels
        found = self.lanes(pixels, exact) + ([] if self.is_row else self.accumulator(times))
        s = self.s
        hold = self.words
        # Popcounts are an affine function of what they stand for, but for codes that are the integers.
        affine = s.share_bits > 0 or (not s.chunk and (self.form.step != 1 or self.form.low != 0))
        return [*found, *activation(s.staircase, self.limit_bits, s.out_bits, hold, affine, times)]


def contraction(
    s: StageSummary, pe: int, simd: int, memory: str, pixels: int, constants: str, latency: int | None = None, exact: bool = False
) -> list[Piece]:
    """A folded contraction without its Reader and Egress; ``exact``: lanes by their own circuits whatever that takes."""
    element = _Element(s, simd, pe)
    turns = s.groups * ceil_div(s.rows, pe) if s.kind == "mvu" else ceil_div(s.rows, pe)
    depth = turns * element.words
    found = element.pieces(pixels, exact)
    found.append(rom(pe * simd * s.w_bits, depth, memory))
    width = constant_bits(s.staircase, element.limit_bits) if s.staircase is not None else s.share_bits
    if width:
        found.append(rom(pe * width, turns, memory if constants == "auto" else constants))
    return [*found, _glue(element, pe, pixels, turns, depth, latency or _about(element, pe))]


def _about(e: _Element, pe: int) -> int:
    """Cycles from a firing to its code, as far as flip-flops that delay are concerned."""
    return READ_LATENCY + broadcast_levels(pe) + 2 + (e.simd + 7).bit_length() // 2 + _tail(e)


def _tail(e: _Element) -> int:
    stair = e.s.staircase
    if stair is None:
        return 1
    return 4 if stair.kind == "requantize" else search_levels(stair.count) + stair.has_base


def _glue(e: _Element, pe: int, pixels: int, turns: int, depth: int, latency: int) -> Piece:
    s = e.s
    is_mvu = s.kind == "mvu"
    levels = broadcast_levels(pe) if is_mvu else 0
    copies = sum(ceil_div(pe, FANOUT ** (levels - k)) for k in range(levels))
    channels = s.rows * s.groups if is_mvu else s.rows
    real = channels - (turns - 1) * pe
    early = max(0, latency - _tail(e) - 1 - broadcast_levels(pe))
    several_passes = s.kind == "mvu" and s.groups > 1 and ceil_div(s.rows, pe) > 1
    words = pixels if e.is_masked else 1
    bits = 3 + 2 * bool(s.chunk) + 2 * e.is_masked
    return piece(
        "contraction",
        counted=counter_bits(depth)
        + counter_bits(turns) * several_passes
        + counter_bits(ceil_div(s.columns, e.simd)) * e.is_masked
        + counter_bits(max(1, s.chunk // e.simd)) * bool(s.chunk),
        ragged=(pe - real) * pixels * s.out_bits if real != pe else 0,
        chunked=1 if s.chunk else 0,
        levels=latency,
        waits=words * bits * early,
        broadcast=copies * (pixels * e.simd * s.x_bits if is_mvu else 0)
        + words * bits * sum(ceil_div(pe, FANOUT ** (broadcast_levels(pe) - k)) for k in range(broadcast_levels(pe))),
        turned=counter_bits(turns) * max(0, latency - _tail(e)) if s.staircase or s.share_bits else 0,
        addressed=counter_bits(depth) * levels,
    )


def unrolled(s: StageSummary, simd: int, latency: int | None = None, circuit: Piece | None = None) -> list[Piece]:
    """An unrolled contraction without its row buffer and Egress; ``circuit`` where it exists already."""
    g = s.slide(simd)
    lanes = s.lanes_in(s.mh, simd) * s.x_bits
    found = [circuit or unrolled_circuit(s)]
    stair = s.staircase
    if stair is not None and stair.kind == "requantize":
        found += activation(stair, s.acc_bits, s.out_bits, times=s.mh)
    depth = latency or 8
    if g.is_gathered:
        return [*found, piece("unrolled_dense", counted=counter_bits(g.words), levels=depth, gathered=g.words * lanes)]
    (kh, _), window = s.window.kernel, s.taps * s.shape[2] * s.x_bits
    held = kh * (g.span[1] + 1) * g.words * lanes
    padded = s.window.is_padded
    return [*found, piece("unrolled_conv", levels=depth, held=held, masked=window if padded else 0, taps=s.taps if padded else 0)]


def unrolled_circuit(s: StageSummary) -> Piece:
    """The circuit of an unrolled contraction, from counts of its matrix."""
    products = s.mw * s.mh * s.nonzero
    # A weight of several bits has a non-zero digit in three (canonical signed digits).
    digits = 1.0 if s.w_bits <= 2 else (s.w_bits + 1) / 3
    binary = s.x_bipolar and s.w_bipolar
    spare = max(0, s.thresholds - 1) * s.mh * s.acc_bits
    return piece(
        "circuit",
        bits=products if binary else 0,
        digits=0 if binary else products * digits * s.x_bits,
        rows=s.mh * s.acc_bits,
        compared=spare,
    )
