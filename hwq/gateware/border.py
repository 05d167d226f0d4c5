"""Constants of border classes: a scale and an offset that depend on the place in the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value

from hwq.gateware.channels import channel_words, constants_memory
from hwq.gateware.parts import Parts
from hwq.gateware.pipeline import delay, register
from hwq.gateware.reader import Counter
from hwq.gateware.requantize import signed_bits
from hwq.gateware.rom import field, place_rom
from hwq.network.ops import BorderAffine
from hwq.numerics.encoding import Encoding
from hwq.plan.domain import encoding_domain
from hwq.plan.geometry import ceil_div
from hwq.plan.latency import READ_LATENCY
from hwq.plan.plan import StagePlan

__all__ = ["BorderConstants"]


class BorderConstants:
    """``scale * code + offset`` with the constants of the class of the pixel: place to class, class to constants, arithmetic.

    A word holds V pixels, whose classes differ: the columns of a row fall into classes of V pixels each.

    Timing: :func:`hwq.plan.latency.border_latency`. Cost: two small tables, a memory of constants (classes x channel words), a
    multiplier a lane unless all scales are 1, an adder a lane.
    """

    def __init__(self, op: BorderAffine, x: Encoding, out: Encoding, channels: int, plan: StagePlan) -> None:
        self.op, self.x, self.out, self.plan, self.channels = op, x, out, plan, channels
        self.domain = encoding_domain(x)
        groups = op.columns.reshape(-1, plan.pixels)
        #: Distinct groups of V column classes, and which of them stands in every place.
        self.groups, self.places = np.unique(groups, axis=0, return_inverse=True)
        self.scale = op.scale * self.domain.scale
        self.offset = op.offset + (op.scale * self.domain.offset)[..., None]
        self.scales = bool((op.scale != 1).any())

    @property
    def words(self) -> int:
        """Channel words of a pixel."""
        return ceil_div(self.channels, self.plan.pe)

    def codes(self, m: Module, parts: Parts, codes: Sequence[Value], step: Value, word: Value) -> tuple[list[Value], list[Value]]:
        """Codes of the results of a word whose channel word is ``word``; ``step`` ends a pixel. And what says that memories are right."""
        constants, checks = self._constants(m, parts, step, word)
        pe, (scale_bits, offset_bits) = self.plan.pe, self._widths()
        width = scale_bits + pe * offset_bits
        results = []
        for lane, code in enumerate(codes):
            pixel = field(constants, lane // pe, width)
            late = delay(m, code, 2 * READ_LATENCY, f"code_{lane}")
            value = late.as_signed() if self.domain.signed else late
            offset = self._number(m, pixel, scale_bits + lane % pe * offset_bits, offset_bits, f"offset_{lane}")
            if self.scales:
                scale = self._number(m, pixel, 0, scale_bits, f"scale_{lane}")
                value, offset = register(m, value * scale, f"product_{lane}"), register(m, offset, f"late_offset_{lane}")
            else:
                value = value * self.domain.scale
            results.append(register(m, (value + offset)[: self.out.bits], f"sum_{lane}"))
        return results, checks

    def _widths(self) -> tuple[int, int]:
        return signed_bits(self.scale) if self.scales else 0, signed_bits(self.offset)

    def _number(self, m: Module, word: Value, start: int, width: int, name: str) -> Value:
        number = Signal(width, name=name)
        m.d.comb += number.eq(word[start : start + width])
        return number.as_signed()

    def _constants(self, m: Module, parts: Parts, step: Value, word: Value) -> tuple[Value, list[Value]]:
        """The constants of the V pixels of a word, two memories later."""
        column = Counter(m, step, len(self.places), "column")
        row = Counter(m, step & column.last, len(self.op.rows), "row")
        row_class, row_ok = self._class(m, parts, "row", [int(c) for c in self.op.rows], row.value)
        group, group_ok = self._class(m, parts, "column", [int(c) for c in self.places.ravel()], column.value)
        late = delay(m, word, READ_LATENCY, "channel")
        channel_bits, group_bits = (self.words - 1).bit_length(), len(group)
        address = Cat(late[:channel_bits], group, row_class)
        rows, size = self.op.scale.shape[0], 1 << (channel_bits + group_bits)
        words = [0] * (rows * size)
        for a in range(rows):
            for g, columns in enumerate(self.groups):
                for w, content in enumerate(self._words(a, columns)):
                    words[a * size + (g << channel_bits) + w] = content
        scale_bits, offset_bits = self._widths()
        width = self.plan.pixels * (scale_bits + self.plan.pe * offset_bits)
        data, ok = place_rom(m, parts, "constants", words, width, constants_memory(self.plan), address)
        return data, [row_ok, group_ok, ok]

    def _class(self, m: Module, parts: Parts, name: str, classes: list[int], place: Value) -> tuple[Value, Value]:
        return place_rom(m, parts, f"{name}_class", classes, max(classes).bit_length(), "logic", place)

    def _words(self, row: int, columns: np.ndarray) -> list[int]:
        """Constants of V pixels of a row class in ``columns`` classes, one word a channel word."""
        scale_bits, offset_bits = self._widths()
        pe, words = self.plan.pe, [0] * self.words
        for v, column in enumerate(columns):
            scale = int(self.scale[row, column]) & ((1 << scale_bits) - 1)
            offsets = np.broadcast_to(self.offset[row, column], self.channels)
            masked = [int(o) & ((1 << offset_bits) - 1) for o in offsets] + [0] * (self.words * pe - self.channels)
            for w, packed in enumerate(channel_words(masked, pe, offset_bits)):
                words[w] |= (scale | packed << scale_bits) << (v * (scale_bits + pe * offset_bits))
        return words
