"""Geometry of a sliding-window Reader: which word every firing reads, and which words it frees. All counts are words and firings."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.network.ops import Window

__all__ = ["Geometry"]


def ceil_div(a: int, b: int) -> int:
    """Smallest integer not below ``a / b``."""
    return -(-a // b)


@dataclass(frozen=True)
class Geometry:
    """An image of ``height`` x ``width`` pixels in words of ``pixels`` (V) pixels, ``words`` words the channels of V pixels.

    The Reader visits groups of V neighbouring output pixels in raster order. In each it goes through ``blocks`` blocks of channel
    words (1 in a plain convolution, the groups of a grouped one, every word in a pool or a depthwise convolution); a block is read
    ``passes`` times over; a pass reads the taps in the order kh, kw, channel word of the block: ``sf`` firings. The last firing of
    a pass produces a word. A matrix-vector product is H = W = kernel = 1.

    Law (gateware.md 3): the base of group (oh, og) of frame f is the word of its first tap, padding counted as if it were there,

        base = f * height * row + ((oh * sy - top) * columns + og * sx - ceil(left / V)) * words,    row = columns * words

    and word m may enter while m < base + buffer. A tap in the padding reads nothing; the first firing of all waits for
    the first word of all to be offered, so that it makes no difference when the circuit came out of reset.
    """

    height: int
    width: int
    words: int
    window: Window
    pixels: int = 1
    blocks: int = 1
    passes: int = 1

    @property
    def columns(self) -> int:
        """Groups of V pixels in a row of the image."""
        return ceil_div(self.width, self.pixels)

    @property
    def row(self) -> int:
        """Words of a row of the image."""
        return self.columns * self.words

    @property
    def frame(self) -> int:
        """Words of a frame."""
        return self.height * self.row

    @property
    def out_height(self) -> int:
        """Rows of windows."""
        return self.window.size(self.height, self.width)[0]

    @property
    def out_width(self) -> int:
        """Columns of windows."""
        return self.window.size(self.height, self.width)[1]

    @property
    def out_groups(self) -> int:
        """Groups of V windows in a row."""
        return ceil_div(self.out_width, self.pixels)

    @property
    def sf(self) -> int:
        """Firings a pass: taps times channel words of a block."""
        return self.window.kernel[0] * self.window.kernel[1] * (self.words // self.blocks)

    @property
    def vectors(self) -> int:
        """Blocks a frame, of all groups of windows."""
        return self.out_height * self.out_groups * self.blocks

    @property
    def firings(self) -> int:
        """Firings a frame."""
        return self.vectors * self.passes * self.sf

    @property
    def least_buffer(self) -> int:
        """Words without which a window never becomes complete."""
        (kh, kw), (dy, dx) = self.window.kernel, self.window.dilation
        # Columns of words that V windows side by side span, from the word of the first tap on.
        first = -self.window.padding[1] % self.pixels
        reach = first + (self.pixels - 1) * self.window.stride[1] + (kw - 1) * dx
        return (kh - 1) * dy * self.row + (reach // self.pixels + 1) * self.words

    def base(self, frame: int, oh: int, og: int) -> int:
        """Global index of the first word of the window group; see the law."""
        top, left, _, _ = self.window.padding
        sy, sx = self.window.stride
        return frame * self.frame + ((oh * sy - top) * self.columns + og * sx - ceil_div(left, self.pixels)) * self.words

    @property
    def moves_forward(self) -> bool:
        """Whether the base never moves back: false where there is more padding than the window can hold."""
        ends = [self.base(0, oh, og) for oh in range(self.out_height) for og in (0, self.out_groups - 1)]
        return all(a <= b for a, b in zip(ends, [*ends[1:], self.base(1, 0, 0)], strict=True))
