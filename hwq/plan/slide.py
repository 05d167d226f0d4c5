"""Geometry of an unrolled contraction: a column of the window a step, a whole window a cycle. All counts are words and firings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hwq.plan.geometry import Geometry, ceil_div

__all__ = ["Slide"]


@dataclass(frozen=True)
class Slide(Geometry):
    """An image of ``height`` x ``width`` pixels of ``words`` words, read column by column through all rows of the window at once.

    Firing (row of windows oh, column x, word) reads that word of the ``kernel[0]`` rows of taps; the columns go through a shift
    register that holds a window. The columns of a row follow those of the row before without a gap, so that the windows at the right
    border are complete while the next row begins. Column ``first + ow * stride`` of a row completes its window ow: beyond the
    width that is column ``x - width`` of the next row. The last row goes on, without reading, as far as its windows do, then the
    frame is done:

        firings = ((rows - 1) * width + last_columns) * words

    Law: ``base`` = frame * H * row + (oh * sy - top) * row + min(x, width) * words + word; word m may enter while
    m < base + buffer. A firing waits for its word in the lowest row of taps inside the image. Only the last word of a column that
    completes a window wants a credit.
    """

    @property
    def span(self) -> tuple[int, int]:
        """Rows and columns from the first to the last tap of a window, less one."""
        (kh, kw), (dy, dx) = self.window.kernel, self.window.dilation
        return (kh - 1) * dy, (kw - 1) * dx

    @property
    def first(self) -> int:
        """Column that completes the first window of a row."""
        return self.span[1] - self.window.padding[1]

    @property
    def last_columns(self) -> int:
        """Columns of the last row of a frame."""
        return self.first + (self.out_width - 1) * self.window.stride[1] + 1

    @property
    def sf(self) -> int:
        """Firings a column: the least between two windows."""
        return self.words

    @property
    def vectors(self) -> int:
        return self.out_height * self.out_width

    @property
    def firings(self) -> int:
        return ((self.out_height - 1) * self.width + self.last_columns) * self.words

    @property
    def least_buffer(self) -> int:
        return self.span[0] * self.row + 1

    def base(self, frame: int, oh: int, og: int) -> int:
        """Global index of the first word of row ``oh`` of windows; ``og`` is 0."""
        return frame * self.frame + (oh * self.window.stride[0] - self.window.padding[0]) * self.row

    def banks(self, buffer: int) -> int:
        """Rows of memory that ``buffer`` words lie in."""
        return ceil_div(buffer, self.row)

    @cached_property
    def completes(self) -> tuple[bool, ...]:
        """For every column of a row whether it completes a window of that row; those beyond the width are columns of the next."""
        stride = self.window.stride[1]
        ends = range(self.first, self.last_columns, stride)
        return tuple(x in ends for x in range(max(self.width, self.last_columns)))

    @cached_property
    def lowest(self) -> tuple[int, ...]:
        """For every row of windows the lowest row of the image that it has a tap in; -1 where it has none."""
        top, sy = self.window.padding[0], self.window.stride[0]
        taps = [[oh * sy - top + k * self.window.dilation[0] for k in range(self.window.kernel[0])] for oh in range(self.out_height)]
        return tuple(max((y for y in row if 0 <= y < self.height), default=-1) for row in taps)

    @property
    def moves_forward(self) -> bool:
        """Whether rows and frames follow one another: false where there is so much padding that windows lie in it side by side."""
        (sy, sx), (top, left, _, _) = self.window.stride, self.window.padding
        return (
            (self.out_height - 1) * sy < self.height
            and (self.out_width - 1) * sx < self.width
            and top <= self.span[0]
            and left <= self.span[1]
        )

    @property
    def is_gathered(self) -> bool:
        """Whether every pixel is a window: nothing needs to be kept but the words of one."""
        return self.window.kernel == (1, 1) and self.window.stride == (1, 1) and not self.window.is_padded
