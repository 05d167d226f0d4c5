"""How a contraction is computed, apart from its folding: codes of its weights, lanes, and the constants that go to what follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import lcm

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.code_choice import weight_code_of
from hwq.fabric.front_bits import Products
from hwq.fabric.lane_array import DSP_WORDS, dsp_word
from hwq.fabric.lane_form import LaneForm, lane_form
from hwq.fabric.lane_netlist import has_netlist
from hwq.fabric.weight_code import WeightCode
from hwq.network.graph import Node
from hwq.network.ops import Conv, Requantize, Saturating, Threshold
from hwq.numerics.encoding import Encoding
from hwq.plan.domain import Domain, words_per_vector

__all__ = ["Contraction", "RawForm", "contraction", "weight_code"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RawForm:
    """The raw sums of words of a contraction, as they are accumulated.

    The sum of products of a word is ``step * y + offset`` of the lane; taps in the padding contribute nothing. Where the code 0
    is not the integer 0, the raw sum of a word in the padding is replaced: by ``zero`` = -offset / step (a whole word, the last one
    of a tap). If that is no integer, everything is counted in halves: ``refine`` = 2.
    """

    lane: LaneForm
    refine: int = 1
    zero: tuple[int, int] | None = None

    @property
    def step(self) -> int:
        """Integer that one unit stands for."""
        return self.lane.step // self.refine

    @property
    def y_max(self) -> int:
        """Largest raw sum of a word."""
        return self.lane.y_max * self.refine


@dataclass(frozen=True, eq=False)
class Contraction:
    """Contraction ``op`` of ``x`` in words of ``simd`` products, and ``node`` that follows; ``multiplier``, ``accumulator`` as in a plan.

    ``pe`` rows have the same activations: some may share slices.

    Where accumulation is exact, no word is replaced, and what follows has constants of channels anyway, the part of a sum that the
    weights alone decide never enters the lanes: it moves into those constants (:attr:`behind`, :attr:`offsets`). Weights have any code.
    """

    op: Conv
    x: Encoding
    simd: int
    node: Node | None = None
    multiplier: str = "auto"
    accumulator: str = "auto"
    pe: int = 1

    @property
    def words(self) -> int:
        """Words of an output."""
        return words_per_vector(self.op, self.simd)

    @property
    def may_part(self) -> bool:
        """Whether the weights' share of the sums can stand in the constants of the channels."""
        return _may_part(self.op, self.x, self.node)

    @cached_property
    def code(self) -> WeightCode:
        """What the weight memory holds."""
        return weight_code(self.op, self.x, self.multiplier) if self.may_part else WeightCode(self.op.weight_encoding)

    @cached_property
    def lane(self) -> LaneForm:
        """The dot product of one word."""
        return lane_form(self.x, self.code.encoding, self.simd, self.may_part, self.multiplier, self.pe)

    @cached_property
    def raw(self) -> RawForm:
        """How the words are added."""
        lane, op = self.lane, self.op
        if not op.window.is_padded or int(self.x.decode(0)) == 0:
            return RawForm(lane)
        offsets = [lane.offset(self.simd, padded) for padded in (0, -op.weights.shape[3] % self.simd)]
        refine = lane.step if any(offset % lane.step for offset in offsets) else 1
        step = lane.step // refine
        return RawForm(lane, refine, (-offsets[0] // step, -offsets[1] // step))

    @property
    def padded(self) -> int:
        """Columns of an output that do not exist."""
        return self.words * self.simd - self.op.mw

    @cached_property
    def shares(self) -> Ints | None:
        """What stands between the scaled accumulator and the sum of each channel, (MH,); None where it is no matter of channels."""
        if not self.lane.apart:
            return None
        bases, _ = _totals(self.op, self.code, self.lane.products)
        pad = self.lane.pad_weight
        return self.code.factor * (bases + self.padded * (self.lane.bases[pad] - self.lane.pad_product))

    @cached_property
    def domain(self) -> Domain:
        """Domain of the accumulator; where :attr:`shares` are, they come on top for each channel."""
        accumulation, lane = self.op.accumulation, self.lane
        if isinstance(accumulation, Saturating):
            return Domain(accumulation.lo, accumulation.hi)
        factor = self.code.factor
        if lane.apart:
            _, tops = _totals(self.op, self.code, lane.products)
            return Domain(0, int(tops.max()) + self.padded * lane.raw(0, lane.pad_weight), factor * lane.step)
        form, columns = self.raw, self.words * self.simd
        return Domain(0, self.words * form.y_max, factor * form.step, factor * lane.offset(columns, self.padded))

    @property
    def reach(self) -> int:
        """The largest raw sum of an output where all columns exist."""
        if self.lane.apart:
            return int(_totals(self.op, self.code, self.lane.products)[1].max())
        return self.op.mw * self.lane.raw_max

    @cached_property
    def behind(self) -> Node | None:
        """What follows, on values of :attr:`domain`: the node with the shares of the weights in its constants."""
        if self.node is None or self.shares is None:
            return self.node
        return Node(self.node.name, _moved(self.node.op, self.shares, self.domain), self.node.inputs, self.node.outputs)

    @cached_property
    def offsets(self) -> Ints | None:
        """What is added to the integers of each channel where nothing follows that could."""
        return self.shares if self.node is None else None

    @property
    def row_bits(self) -> int:
        """Bits of the accumulator in a row whose lane adds to it with its last adder; 0 where lane and accumulator are apart.

        They are apart where a vector is one word, the accumulation saturates, words in the padding are replaced, or the lane is no circuit.
        """
        apart = isinstance(self.op.accumulation, Saturating) or self.raw.zero is not None or self.words == 1
        return 0 if apart or not has_netlist(self.lane) else self.domain.bits

    @property
    def slice_word(self) -> int:
        """Bits of the word of an arithmetic slice in which a row sums up; 0 where it does so in LUTs, or not at all."""
        return dsp_word(self.row_bits) if self.accumulator == "dsp" and self.row_bits else 0

    @property
    def rows(self) -> int:
        """Rows that belong together: as many as multiply, and sum up, in whole slices."""
        return lcm(self.lane.rows, DSP_WORDS[self.slice_word] if self.slice_word else 1)


@lru_cache(maxsize=1024)
def contraction(
    op: Conv, x: Encoding, simd: int, node: Node | None = None, multiplier: str = "auto", accumulator: str = "auto", pe: int = 1
) -> Contraction:
    """The same contraction, worked out once."""
    return Contraction(op, x, simd, node, multiplier, accumulator, pe)


@lru_cache(maxsize=256)
def weight_code(op: Conv, x: Encoding, multiplier: str = "auto") -> WeightCode:
    """The code of the weights of ``op`` on activations ``x``."""
    return weight_code_of(op.weights, op.weight_encoding, x, multiplier)


def _may_part(op: Conv, x: Encoding, node: Node | None) -> bool:
    if isinstance(op.accumulation, Saturating) or (op.window.is_padded and int(x.decode(0)) != 0):
        return False
    # Thresholds that all channels share are no memory: they stay so.
    shared = node is not None and isinstance(node.op, Threshold) and len(node.op.thresholds) < op.mh and node.op.count > 1
    return not shared


@lru_cache(maxsize=256)
def _totals(op: Conv, code: WeightCode, products: Products | None) -> tuple[Ints, Ints]:
    """Sums over the weights of each channel of their bases, and of the largest raw values."""
    assert products is not None
    bases, tops = (np.asarray(values) for values in (products.bases, products.tops))
    found = np.zeros((2, op.mh), np.int64)
    for channel, row in enumerate(op.matrix):
        codes = code.encode(row)
        found[:, channel] = bases[codes].sum(), tops[codes].sum()
    return found[0], found[1]


def _moved(op: object, shares: Ints, domain: Domain) -> Threshold | Requantize:
    """The staircase of ``domain.scale * value + share``, on ``domain.scale * value``."""
    if isinstance(op, Threshold):
        # What never fires, or always does, must not grow beyond any number: thresholds are brought to where values are.
        least, most = (domain.scale * end + shares[:, None] for end in (domain.lo, domain.hi + 1))
        moved = np.clip(op.thresholds, least, most) - shares[:, None]
        return replace(op, thresholds=moved)
    assert isinstance(op, Requantize)
    return replace(op, offset=op.offset.astype(object) + op.multiplier.astype(object) * shares)
