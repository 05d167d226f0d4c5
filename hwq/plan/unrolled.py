"""Unrolled contractions: the constant matrix that becomes wiring, what each of its rows gives, and how deep the circuit is.

The circuits come from :mod:`hwq.fabric.unroll`; each is made once a process, whoever asks: its latency is part of the cycle laws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.fanout import fanout
from hwq.fabric.levels import depth
from hwq.fabric.sites import sites_of
from hwq.fabric.unroll import layer
from hwq.fabric.unroll.layer import UnrolledLayer
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput, Staircase
from hwq.network.graph import Network, Node
from hwq.network.ops import Conv, Threshold
from hwq.numerics.encoding import Bipolar, Encoding, Integer, smallest_integer
from hwq.plan.domain import Domain
from hwq.plan.latency import READ_LATENCY, activation_latency
from hwq.plan.pieces import Piece
from hwq.plan.resources import Resources
from hwq.plan.stages import Stage

__all__ = ["CircuitFigures", "UnrolledForm", "circuit_piece", "form_of", "unrolled_latency"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class CircuitFigures:
    """Circuits of an unrolled stage.

    Parameters
    ----------
    latency
        Cycles from the window to what they give.
    levels
        Most logic levels between registers.
    fanout
        Most pins that one bit drives.
    luts, ff
        Physical LUT sites and flip-flops of all of them.
    """

    latency: int
    levels: int
    fanout: int
    luts: int
    ff: int


@dataclass(frozen=True, eq=False)
class UnrolledForm:
    """Contraction ``op`` of ``x`` with the staircase ``node`` behind it, all weights as wiring.

    Every group is a circuit of its own. A threshold staircase is part of the circuit; a requantizer stands behind its sums.

    Taps in the padding bring code 0. Where that is no zero (bipolar), they must not count: every tap that can lie there has a column
    of its own behind those of the window, a bit that is 1 there, and weights that take away what its code 0 brings:

        sum = sum over the window of w * x + sum over border taps t of (1 + v[t]) / 2 * W[t],   v = +-1,  W[t] = sum of w over tap t

    all of it twice where some W is odd.
    """

    op: Conv
    x: Encoding
    node: Node | None
    out: Encoding

    @cached_property
    def border_taps(self) -> tuple[int, ...]:
        """Taps (kh * KW + kw) that may lie in the padding and then need a column of their own."""
        if int(self.x.decode(0)) == 0:
            return ()
        assert isinstance(self.x, Bipolar)
        window = self.op.window
        (kh, kw), (dy, dx), (top, left, bottom, right) = window.kernel, window.dilation, window.padding
        rows = [k * dy < top or (kh - 1 - k) * dy < bottom for k in range(kh)]
        columns = [k * dx < left or (kw - 1 - k) * dx < right for k in range(kw)]
        return tuple(k * kw + j for k in range(kh) for j in range(kw) if rows[k] or columns[j])

    @property
    def taps(self) -> int:
        """Taps of a window."""
        return int(self.op.weights.shape[1] * self.op.weights.shape[2])

    @property
    def rows(self) -> int:
        """Output channels of a group."""
        return self.op.mh // self.op.groups

    @cached_property
    def _borders(self) -> Ints:
        """W of every output channel and border tap."""
        return self.op.weights.reshape(self.op.mh, self.taps, -1).sum(2)[:, list(self.border_taps)]

    @property
    def doubled(self) -> bool:
        """Whether the circuit computes twice the sum."""
        return bool((self._borders % 2).any())

    @cached_property
    def matrix(self) -> Ints:
        """Weights of the circuit: (MH, MW and a column a border tap)."""
        factor = 1 + self.doubled
        return np.concatenate([factor * self.op.matrix, factor * self._borders // 2], axis=1)

    @cached_property
    def constant(self) -> Ints:
        """What stands between the circuit's sum of products and (twice) the sum of the contraction, (MH,)."""
        return (1 + self.doubled) * self._borders.sum(1) // 2

    @cached_property
    def bounds(self) -> tuple[Ints, Ints]:
        """Least and largest sum of every output channel."""
        w, (lo, hi) = self.op.matrix, (self.x.lo, self.x.hi)
        if self.op.window.is_padded:
            lo, hi = min(lo, 0), max(hi, 0)
        up, down = np.maximum(w, 0).sum(1), np.minimum(w, 0).sum(1)
        return up * lo + down * hi, up * hi + down * lo

    @property
    def is_fused(self) -> bool:
        """Whether the circuit gives the codes themselves."""
        return self.node is None or isinstance(self.node.op, Threshold)

    @cached_property
    def sums(self) -> Encoding:
        """Encoding of the sums where a unit behind the circuit makes codes of them."""
        return smallest_integer(int(self.bounds[0].min()), int(self.bounds[1].max()))

    @property
    def domain(self) -> Domain:
        """What that unit reads."""
        return Domain(int(self.bounds[0].min()), int(self.bounds[1].max()))

    @cached_property
    def outputs(self) -> tuple[RowOutput, ...]:
        """What the circuit gives for every output channel."""
        if self.node is None or not self.is_fused:
            encoding, factor = self.out if self.is_fused else self.sums, 1 + self.doubled
            wide = smallest_integer(factor * encoding.lo, factor * encoding.hi) if self.doubled else encoding
            return tuple(Integers(wide, int(c)) for c in self.constant)
        op = self.node.op
        assert isinstance(op, Threshold)
        thresholds, steps = (np.broadcast_to(a, (self.op.mh, op.count)) for a in (op.thresholds, op.steps))
        base = np.broadcast_to(op.base, self.op.mh)
        return tuple(self._row(k, thresholds[k], steps[k], int(base[k])) for k in range(self.op.mh))

    def _row(self, row: int, thresholds: Ints, steps: Ints, index: int) -> RowOutput:
        lo, hi = (int(b[row]) for b in self.bounds)
        index += int(steps[thresholds <= lo].sum())
        jumps: dict[int, int] = {}
        for point, step in sorted(zip(thresholds.tolist(), steps.tolist(), strict=True)):
            if lo < point <= hi:
                jumps[point] = jumps.get(point, 0) + step
        factor, constant = 1 + self.doubled, int(self.constant[row])
        points = [(factor * p - constant, s) for p, n in jumps.items() for s in [1 if n > 0 else -1] * abs(n)]
        if self.out.bits == 1:
            if not points:
                # Always, or never.
                return Comparison(factor * lo - constant, falling=index == 0)
            if len(points) == 1:
                return Comparison(points[0][0], falling=points[0][1] < 0)
        encoding = Integer(1, False) if self.out.bits == 1 else self.out
        start = index if self.out.bits == 1 else self.out.lo + self.out.step * index
        return Staircase(tuple(p for p, _ in points), tuple(s for _, s in points), start, encoding)

    @cached_property
    def layers(self) -> tuple[UnrolledLayer, ...]:
        """The circuit of every group: ports ``x`` (elements of the window, then border taps) and ``y`` (codes of its rows)."""
        return tuple(_layer(*group) for group in self._groups)

    @cached_property
    def _groups(self) -> tuple[tuple[bytes, int, Encoding, Sequence[RowOutput]], ...]:
        """What makes the circuit of each group."""
        outputs, matrix, rows = self.outputs, self.matrix, self.rows
        starts = range(0, self.op.mh, rows)
        return tuple((matrix[k : k + rows].tobytes(), matrix.shape[1], self.x, outputs[k : k + rows]) for k in starts)

    @property
    def circuit_latency(self) -> int:
        """Cycles from the window to what the circuits give."""
        return max(made.latency for made in self.layers)

    @property
    def tail(self) -> int:
        """Cycles from what the circuits give to the codes."""
        return 0 if self.is_fused else activation_latency(self.node, self.domain)

    @property
    def figures(self) -> CircuitFigures:
        """What the circuits of all groups come to."""
        netlists = [made.netlist for made in self.layers]
        return CircuitFigures(
            self.circuit_latency,
            max(map(depth, netlists)),
            max(map(fanout, netlists)),
            sum(_luts(*group) for group in self._groups),
            sum(len(n.flops) for n in netlists),
        )


def form_of(network: Network, stage: Stage) -> UnrolledForm:
    """The form of contraction ``stage`` where it is unrolled."""
    op = stage.node.op
    assert isinstance(op, Conv)
    source, target = (network.tensors[t].encoding for t in (stage.source, stage.target))
    return UnrolledForm(op, source, stage.activation, target)


def circuit_piece(form: UnrolledForm) -> Piece:
    """The circuits of ``form`` as they are made."""
    found = form.figures
    return Piece("circuit", fixed=Resources(lut=float(found.luts), ff=float(found.ff)), levels=found.levels)


@lru_cache(maxsize=1024)
def _layer(weights: bytes, columns: int, x: Encoding, outputs: Sequence[RowOutput]) -> UnrolledLayer:
    matrix = np.frombuffer(weights, np.int64).reshape(-1, columns)
    return layer.unrolled_layer(matrix, x, outputs)


@lru_cache(maxsize=1024)
def _luts(weights: bytes, columns: int, x: Encoding, outputs: Sequence[RowOutput]) -> int:
    """LUT sites of a circuit; a large one takes seconds to count."""
    return sites_of(_layer(weights, columns, x, outputs).netlist).luts


def unrolled_latency(form: UnrolledForm, is_gathered: bool, circuit: int | None = None) -> int:
    """L of an unrolled stage in cycles: the register of the window, its memory and the mask of taps; the circuit.

    A window that ``is_gathered`` has the register alone. ``circuit`` is the latency of one that exists already; without it the circuit
    is made.
    """
    made = form.circuit_latency if circuit is None else circuit
    window = 1 if is_gathered else READ_LATENCY + 1 + form.op.window.is_padded
    return window + made + form.tail
