"""What the planner may know of a stage: sizes, encodings and counts, never the weights themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hwq.fabric.lane_form import LaneForm
from hwq.network.graph import Network
from hwq.network.ops import (
    Add,
    BorderAffine,
    Conv,
    Lookup,
    Mul,
    Op,
    Pad,
    Pool,
    Requantize,
    Saturating,
    Split,
    Threshold,
    TopK,
    Upsample,
    Window,
)
from hwq.numerics.encoding import Bipolar, Encoding, smallest_integer
from hwq.plan.contraction import Contraction, contraction
from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.join import JoinForm, signed_digits
from hwq.plan.slide import Slide
from hwq.plan.stages import Stage
from hwq.plan.staircase import Staircase, staircase_of

__all__ = ["CONTRACTIONS", "WINDOWED", "StageSummary", "summary_of"]

PIXEL = Window((1, 1))
BINARY = Bipolar()
# Kinds with a Reader, and those that take one pixel at a time.
CONTRACTIONS = ("mvu", "depthwise")
WINDOWED = (*CONTRACTIONS, "pool")
SINGLE_PIXEL = ("upsample", "pad", "flatten", "argmax", "topk")


@dataclass(frozen=True)
class StageSummary:
    """Counts of one stage.

    Parameters
    ----------
    kind
        As :attr:`hwq.plan.stages.Stage.kind`.
    mw, mh
        Products an output and output channels of a contraction; input and output channels for the other kinds.
    x_bits, w_bits, acc_bits, out_bits
        Widths of input code, stored weight, accumulator (or input integer) and output code.
    x_bipolar, w_bipolar
        Whether codes stand for -1 and +1.
    nonzero
        Share of weights that are not zero.
    chunk
        Products between two saturations, 0 where accumulation is exact.
    thresholds
        Thresholds a channel; 0 without a staircase.
    multiplier_bits
        Width of the requantizer's multiplier; 0 without one.
    shape, out_shape
        (H, W, C) of the first input and the first output that is kept.
    window
        The sliding window of a stage with a Reader.
    groups
        Groups of a convolution.
    sizes
        Channels of every input of a join or concat, of every output of a split.
    factor
        Of an upsampling, or the padding of a pad.
    table, border
        Entries a channel of a lookup table, classes of a border affine (``border``); 0 for other kinds.
    picks
        Indices that a top-k gives.
    mode
        Of a pool: ``max``, ``min`` or ``sum``.
    x, out
        Encodings of the first input and the first output.
    lane, accumulator, reach, share_bits
        Of a contraction: the lane of one product; where sums accumulate, as in a plan; the largest raw sum of an output; width of the
        shares of the weights that are added to plain integers, 0 where there are none.
    staircase
        Counts of the staircase behind it, or of its own.
    operands, adders, products
        Of a join: numbers it adds up; additions by which shared factors become shifts; bits of its coefficients, where channels differ.
    """

    name: str
    kind: str
    mw: int
    mh: int
    x_bits: int
    w_bits: int
    acc_bits: int
    out_bits: int
    x_bipolar: bool = False
    w_bipolar: bool = False
    nonzero: float = 1.0
    chunk: int = 0
    thresholds: int = 0
    multiplier_bits: int = 0
    shape: tuple[int, int, int] = (1, 1, 1)
    out_shape: tuple[int, int, int] = (1, 1, 1)
    window: Window = PIXEL
    groups: int = 1
    sizes: tuple[int, ...] = ()
    factor: tuple[int, ...] = ()
    table: int = 0
    border: bool = False
    picks: int = 1
    mode: str = ""
    x: Encoding = BINARY
    out: Encoding = BINARY
    lane: LaneForm | None = None
    accumulator: str = "auto"
    reach: int = 0
    share_bits: int = 0
    staircase: Staircase | None = None
    operands: int = 0
    adders: int = 0
    products: int = 0

    @property
    def weight_bits(self) -> int:
        """Bits of all weights."""
        return self.mw * self.mh * self.w_bits

    @property
    def taps(self) -> int:
        """Pixels of a window."""
        return self.window.kernel[0] * self.window.kernel[1]

    @property
    def columns(self) -> int:
        """Most ``simd``: input channels of a group of a contraction, 1 for every other kind."""
        return self.shape[2] // self.groups if self.kind == "mvu" else 1

    @property
    def rows(self) -> int:
        """Most ``pe``: output channels of a group of a contraction, channels of the others; all channels of a concat or split."""
        if self.kind == "mvu":
            return self.mh // self.groups
        if self.kind == "flatten":
            return self.out_shape[2]
        return sum(self.sizes) if self.kind in ("concat", "split") else self.mh if self.kind == "depthwise" else self.shape[2]

    @property
    def multiplier(self) -> int:
        """Output channels an input channel of a depthwise convolution."""
        return self.mh // self.groups if self.kind == "depthwise" else 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the images read and written, which V must divide; (1,) where V is always 1."""
        return (1,) if self.kind in SINGLE_PIXEL else (self.shape[1], self.out_shape[1])

    @property
    def slides(self) -> bool:
        """Whether its window can be unrolled: a contraction whose windows follow one another."""
        return self.kind in CONTRACTIONS and not self.chunk and self.slide(1).moves_forward

    def slide(self, simd: int) -> Slide:
        """The geometry of the stage when it is unrolled, reading ``simd`` channels a word; depthwise: all."""
        h, w, c = self.shape
        return Slide(h, w, ceil_div(c, simd) if self.kind == "mvu" else 1, self.window)

    def lanes_in(self, pe: int, simd: int, place: int = 0) -> int:
        """Channels of a word of input ``place``."""
        if self.kind == "mvu":
            return simd
        if self.kind == "concat" and pe == self.rows:
            return self.sizes[place]
        return pe // self.multiplier

    def lanes_out(self, pe: int, place: int = 0) -> int:
        """Channels of a word of output ``place``."""
        if self.kind == "split" and pe == self.rows:
            return self.sizes[place]
        return {"argmax": 1, "topk": self.picks}.get(self.kind, pe)

    def geometry(self, pe: int, simd: int, pixels: int = 1, style: str = "folded") -> Geometry:
        """The Reader of a stage that has one."""
        if style == "unrolled":
            return self.slide(simd)
        h, w, c = self.shape
        if self.kind == "mvu":
            words = self.groups * ceil_div(self.columns, simd)
            return Geometry(h, w, words, self.window, pixels, self.groups, ceil_div(self.rows, pe))
        words = ceil_div(c, pe // self.multiplier)
        return Geometry(h, w, words, self.window, pixels, words)

    def cycles(self, pe: int, simd: int = 1, pixels: int = 1, style: str = "folded") -> int:
        """Cycles a frame of the stage on its own: its firings, but at least its words."""
        if self.kind in WINDOWED:
            g = self.geometry(pe, simd, pixels, style)
            return max(g.firings, g.frame)
        h, w, _ = self.out_shape if self.kind in ("upsample", "pad", "flatten") else self.shape
        if self.kind in ("concat", "split"):
            words = 1 if pe == self.rows else sum(ceil_div(n, pe) for n in self.sizes)
        else:
            words = ceil_div(self.rows, pe)
        return h * ceil_div(w, pixels) * words


def summary_of(network: Network, stage: Stage, multiplier: str = "auto", accumulator: str = "auto") -> StageSummary:
    """Counts of ``stage``, from its op, its staircase and its tensors' exact intervals; ``multiplier``, ``accumulator`` as in a plan."""
    source = network.tensors[stage.source]
    target = network.tensors[next(t for t in stage.targets if t)]
    op = stage.node.op
    c = source.shape[2]
    acc = network.tensors[next(t for t in stage.node.outputs if t)]
    bits = smallest_integer(*acc.interval.bounds).bits
    thresholds, multiplier_bits = _staircase(stage.activation.op if stage.activation else op)
    summary = StageSummary(
        stage.name,
        stage.kind,
        c,
        target.shape[2],
        source.encoding.bits,
        0,
        bits if isinstance(op, Conv | Pool | Add | Mul | BorderAffine) else source.encoding.bits,
        target.encoding.bits,
        thresholds=thresholds,
        multiplier_bits=multiplier_bits,
        shape=source.shape,
        out_shape=target.shape,
        sizes=op.sizes if isinstance(op, Split) else tuple(network.tensors[s].shape[2] for s in stage.sources),
        x=source.encoding,
        out=target.encoding,
        staircase=staircase_of(stage.activation.op if stage.activation else op),
    )
    if isinstance(op, Add | Mul):
        summary = _join(summary, JoinForm(op, tuple(network.tensors[s].encoding for s in stage.sources)))
    if not isinstance(op, Conv):
        return _other(summary, op)
    return _conv(replace(summary, accumulator=accumulator), contraction(op, source.encoding, 1, stage.activation, multiplier))


def _conv(s: StageSummary, form: Contraction) -> StageSummary:
    op = form.op
    sat = op.accumulation if isinstance(op.accumulation, Saturating) else None
    return replace(
        s,
        mw=op.mw,
        mh=op.mh,
        w_bits=form.code.bits,
        lane=form.lane,
        reach=form.reach,
        share_bits=_signed_bits(form.offsets) if form.offsets is not None else 0,
        acc_bits=sat.bits if sat else s.acc_bits,
        x_bipolar=isinstance(form.x, Bipolar),
        w_bipolar=isinstance(form.code.encoding, Bipolar),
        nonzero=float(np.count_nonzero(op.weights)) / max(1, op.weights.size),
        chunk=sat.chunk if sat else 0,
        window=op.window,
        groups=op.groups,
    )


def _other(s: StageSummary, op: Op) -> StageSummary:
    match op:
        case Pool():
            return replace(s, window=op.window, mode=op.mode)
        case Upsample():
            return replace(s, factor=op.factor)
        case Pad():
            return replace(s, factor=op.padding)
        case Lookup():
            return replace(s, table=op.table.shape[1])
        case BorderAffine():
            return replace(s, table=op.scale.size, border=True)
        case TopK():
            return replace(s, picks=op.k)
    return s


def _join(s: StageSummary, form: JoinForm) -> StageSummary:
    if isinstance(form.op, Mul):
        return replace(s, products=0 if form.is_equality else max(d.bits for d in form.domains))
    if not form.is_shared:
        low, high = int(form.coefficients.min()), int(form.coefficients.max())
        return replace(s, operands=form.operands, products=smallest_integer(min(low, -1), max(high, 0)).bits)
    return replace(s, operands=form.operands, adders=sum(max(0, len(signed_digits(k)) - 1) for k in form.factors))


def _signed_bits(values: np.ndarray) -> int:
    return smallest_integer(min(-1, int(values.min())), int(values.max())).bits


def _staircase(op: Op) -> tuple[int, int]:
    if isinstance(op, Threshold):
        return op.count, 0
    if isinstance(op, Requantize):
        return 0, max(int(abs(int(m))).bit_length() for m in op.multiplier) + 1
    return 0, 0
