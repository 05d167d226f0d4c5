"""Pieces of a stage, from its counts and lanes: what the planner prices and what an estimate adds up."""

from __future__ import annotations

from typing import Any

from hwq.plan.activation_pieces import activation, constant_bits, rom
from hwq.plan.contraction_pieces import contraction, unrolled
from hwq.plan.geometry import ceil_div
from hwq.plan.latency import READ_LATENCY
from hwq.plan.pieces import Piece, piece
from hwq.plan.reader_pieces import counter_bits
from hwq.plan.resources import Resources
from hwq.plan.summary import StageSummary

__all__ = ["constants_memory", "stage_pieces"]

DSP_BITS = 9  # products this wide and wider become slices


def constants_memory(memory: str, constants: str) -> str:
    """Memory of the constants of channels in stages without weights."""
    return constants if constants != "auto" else "logic" if memory == "logic" else "lutram"


def stage_pieces(
    s: StageSummary,
    pe: int,
    simd: int,
    memory: str,
    pixels: int = 1,
    constants: str = "auto",
    style: str = "folded",
    latency: int | None = None,
    exact: bool = False,
) -> list[Piece]:
    """A stage without its input buffer and Egress."""
    if s.kind == "flatten":
        return []
    if style == "unrolled":
        return unrolled(s, simd, latency)
    if s.kind in ("mvu", "depthwise"):
        return contraction(s, pe, simd, memory, pixels, constants, latency, exact)
    kind = constants_memory(memory, constants)
    lanes = pe * pixels
    match s.kind:
        case "pool":
            return _pool(s, pe, pixels, kind)
        case "add" | "mul":
            return _join(s, pe, pixels, kind)
        case "concat":
            wide = pe == s.rows
            inputs = len(s.sizes)
            word = lanes * s.out_bits
            words = 1 if wide else sum(ceil_div(n, pe) for n in s.sizes)
            return [piece("concat", inputs=inputs, counted=counter_bits(words), chosen=0 if wide else (inputs - 1) * word)]
        case "split":
            words = 1 if pe == s.rows else sum(ceil_div(n, pe) for n in s.sizes)
            return [piece("split", outputs=len(s.sizes), counted=counter_bits(words))]
        case "upsample":
            return [_upsample(s, pe)]
        case "pad":
            h, w, _ = s.out_shape
            words = ceil_div(s.rows, pe)
            return [piece("pad", counted=counter_bits(words) + counter_bits(h) + counter_bits(w), bits=lanes * s.out_bits)]
        case "argmax":
            return [_argmax(s, pe)]
        case "topk":
            return [_topk(s, pe)]
    return _elementwise(s, pe, pixels, kind)


def _activations(s: StageSummary, pe: int, pixels: int, bits: int, kind: str, affine: bool) -> list[Piece]:
    units = activation(s.staircase, bits, s.out_bits, 1, affine, pe * pixels)
    if s.staircase is None:
        return units
    return [*units, rom(pe * constant_bits(s.staircase, bits), ceil_div(s.rows, pe), kind)]


def _ragged(s: StageSummary, pe: int, pixels: int) -> int:
    """Bits of a word that the last one of a pixel has zero."""
    return (ceil_div(s.rows, pe) * pe - s.rows) * pixels * s.out_bits


def _pool(s: StageSummary, pe: int, pixels: int, kind: str) -> list[Piece]:
    lanes = pe * pixels
    padded = s.window.is_padded
    if s.mode != "sum":
        wide = s.x_bits if s.x_bits > 1 else 0
        return [
            piece(
                "pool_extreme",
                kept=lanes * wide,
                single=lanes * (not wide),
                masked=lanes * s.x_bits if padded else 0,
                stored=lanes * s.x_bits,
                real=pixels * padded,
            )
        ]
    bits = (s.taps * ((1 << s.x_bits) - 1)).bit_length() if not s.x_bipolar else (s.taps + 1).bit_length()
    core = piece(
        "pool_sum", added=lanes * bits, masked=lanes if padded and s.x_bipolar else 0, ragged=_ragged(s, pe, pixels), stored=lanes * bits
    )
    return [core, *_activations(s, pe, pixels, bits, kind, s.x_bipolar)]


def _join(s: StageSummary, pe: int, pixels: int, kind: str) -> list[Piece]:
    lanes, words = pe * pixels, ceil_div(s.rows, pe)
    bits = s.acc_bits
    common: dict[str, Any] = {"counted": counter_bits(words), "inputs": len(s.sizes), "ragged": _ragged(s, pe, pixels)}
    found = _activations(s, pe, pixels, bits, kind, False)
    if s.kind == "mul":
        width = 2 * s.products
        slices = Resources(dsp=float(lanes)) if width >= DSP_BITS else Resources()
        multiplied = 0 if slices.dsp else lanes * s.products * s.products
        return [
            piece("mul", fixed=slices, **common, single=lanes * (not s.products), multiplied=multiplied, stored=lanes * (2 * width or 3)),
            *found,
        ]
    if not s.products:
        operands = s.operands * lanes * s.x_bits
        terms = (s.operands - 1 + s.adders) * lanes * bits
        return [piece("add", **common, added=terms, stored=operands + terms), *found]
    slices = Resources(dsp=float(lanes * len(s.sizes))) if s.products + s.x_bits >= DSP_BITS else Resources()
    partials = 0 if slices.dsp else lanes * len(s.sizes) * s.products * s.x_bits
    memory = rom(pe * s.operands * s.products, words, kind)
    core = piece(
        "add_weighted",
        fixed=slices,
        **common,
        multiplied=partials,
        added=lanes * bits * (s.operands - 1),
        delayed=lanes * len(s.sizes) * s.x_bits * READ_LATENCY,
    )
    return [core, memory, *found]


def _upsample(s: StageSummary, pe: int) -> Piece:
    words, columns = ceil_div(s.rows, pe), s.shape[1]
    up, across = s.factor[0], s.factor[1]
    span = words * (columns if up > 1 else 1)
    counted = counter_bits(words) + counter_bits(across) + counter_bits(columns) + counter_bits(up)
    return piece("upsample", counted=counted, held=(2 * span + 1).bit_length(), stored=pe * s.out_bits)


def _argmax(s: StageSummary, pe: int) -> Piece:
    rounds, index = (pe - 1).bit_length(), s.out_bits
    lanes = sum(k * (pe >> k) for k in range(1, rounds + 1))
    return piece(
        "argmax",
        counted=counter_bits(ceil_div(s.rows, pe)),
        compared=pe * s.x_bits,
        numbered=lanes,
        index=index,
        rounds=rounds,
        based=index * rounds,
    )


def _topk(s: StageSummary, pe: int) -> Piece:
    rounds, index = (pe - 1).bit_length(), max(1, (s.rows - 1).bit_length())
    key = index + s.x_bits + 1
    return piece(
        "topk",
        counted=counter_bits(ceil_div(s.rows, pe)),
        compared=s.picks * pe * key,
        delayed=s.picks * pe * key * rounds,
        index=index * s.picks * (s.picks - 1) // 2 * (rounds + 1),
        picks=s.picks,
    )


def _elementwise(s: StageSummary, pe: int, pixels: int, kind: str) -> list[Piece]:
    lanes, words = pe * pixels, ceil_div(s.rows, pe)
    if s.staircase is not None:
        core = piece(
            "elementwise",
            counted=counter_bits(words),
            ragged=_ragged(s, pe, pixels),
            delayed=lanes * s.x_bits * READ_LATENCY,
        )
        bits = s.x_bits + (not s.x_bipolar)
        return [core, *_activations(s, pe, pixels, bits, kind, False)]
    if s.border:
        h, w, _ = s.shape
        constants = rom(pixels * (pe + 1) * s.out_bits, s.table * words, kind)
        counted = counter_bits(words) + counter_bits(h) + counter_bits(w)
        delayed = lanes * s.x_bits * 2 * READ_LATENCY
        return [piece("border", counted=counted, added=lanes * s.out_bits, delayed=delayed, ragged=_ragged(s, pe, pixels)), constants]
    core = piece("elementwise", counted=counter_bits(words), ragged=_ragged(s, pe, pixels))
    table = rom(s.out_bits, (1 << s.x_bits) * words, kind)
    return [core, Piece(table.component, table.counts, lanes, table.fixed)]
