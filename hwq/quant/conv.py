"""Convolutions that train with quantized weights and compute on their integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hwq.errors import InputError
from hwq.quant.layers import Accumulator, WeightLayer
from hwq.quant.quantizer import Quantizer
from hwq.quant.window import Window, convolve, convolve_saturating

__all__ = ["Conv1d", "Conv2d"]


class _Conv(WeightLayer):
    """Convolution over ``RANK`` spatial axes."""

    RANK: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        weight: Quantizer | str,
        input: Quantizer | str | None = None,
        accumulator: Accumulator | None = None,
        padding_mode: str = "zeros",
    ) -> None:
        if padding_mode != "zeros":
            raise self._wrong(f"padding_mode is {padding_mode!r}; hwq.quant pads with zeros only")
        kernel = self._axes(kernel_size, "kernel_size", 1)
        self._check_channels(in_channels, out_channels, groups)
        taps = in_channels // groups
        fans = (taps + out_channels // groups) * _product(kernel)
        super().__init__((out_channels, taps, *kernel), fans, bias, weight, input, accumulator)
        self.in_channels, self.out_channels = in_channels, out_channels
        dilations = self._axes(dilation, "dilation", 1)
        pads = self._padding(padding, kernel, dilations)
        self.window = Window(self._axes(stride, "stride", 1), pads, dilations, groups)
        if padding == "same" and self.window.stride != (1,) * self.RANK:
            raise self._wrong("padding='same' needs a stride of 1")

    def _axes(self, value: Any, option: str, low: int) -> tuple[int, ...]:
        axes = (value,) * self.RANK if isinstance(value, int) else tuple(value) if isinstance(value, Sequence) else (value,)
        if len(axes) != self.RANK or not all(isinstance(v, int) and v >= low for v in axes):
            raise self._wrong(f"{option} is {value!r}, {self.RANK} whole number{'s' * (self.RANK > 1)} of at least {low} were expected")
        return axes

    def _padding(self, padding: Any, kernel: tuple[int, ...], dilations: tuple[int, ...]) -> tuple[int, ...]:
        if not isinstance(padding, str):
            return self._axes(padding, "padding", 0) * 2
        if padding not in ("same", "valid"):
            raise self._wrong(f"padding is {padding!r}, a number, 'same' or 'valid' was expected")
        whole = [d * (k - 1) if padding == "same" else 0 for k, d in zip(kernel, dilations, strict=True)]
        # An odd number of zeros puts the larger half behind, as torch does.
        return (*(w // 2 for w in whole), *(w - w // 2 for w in whole))

    def _check_channels(self, inputs: int, outputs: int, groups: int) -> None:
        if not all(isinstance(n, int) for n in (inputs, outputs, groups)):
            raise self._wrong(f"{inputs!r} channels to {outputs!r} in {groups!r} groups were asked; whole numbers were expected")
        if min(inputs, outputs, groups) < 1 or inputs % groups or outputs % groups:
            raise self._wrong(f"{inputs} channels to {outputs} in {groups} groups were asked; groups must divide both")

    def _wrong(self, message: str) -> InputError:
        return InputError("LAYER-SHAPE", message, where=type(self).__name__)

    def forward(self, x: Tensor) -> Tensor:
        self.window.check(x, self.weight, type(self).__name__)
        return super().forward(x)

    def _contract(self, x: Tensor, codes: Tensor) -> Tensor:
        return convolve(x, codes, self.window)

    def _saturate(self, integers: Tensor, codes: Tensor, accumulator: Accumulator) -> Tensor:
        return convolve_saturating(integers, codes, self.window, accumulator.bits, accumulator.chunk)

    def _per_output(self, values: Tensor) -> Tensor:
        return values.reshape(-1, *[1] * self.RANK)

    def frozen(self) -> nn.Module:
        """The hard form: integer codes, binary32 scales, float64 arithmetic."""
        from hwq.quant.frozen import FrozenConv

        codes, scale = self.hard_weight()
        encoding = self.weight_quantizer.encoding
        return FrozenConv(self.window, codes, scale, self.bias, self.input_quantizer, self.accumulator, encoding)

    def extra_repr(self) -> str:
        w = self.window
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={tuple(self.weight.shape[2:])}, stride={w.stride}"]
        parts += [f"padding={w.padding}", f"dilation={w.dilation}", f"groups={w.groups}", f"bias={self.bias is not None}"]
        return ", ".join([*parts, f"accumulator={self.accumulator}"])


class Conv1d(_Conv):
    """Convolution over one axis: ``y = (x * integers) * scale + bias`` for ``x`` (N, C, L).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As of ``torch.nn.Conv1d``; the weight is (O, C / groups, k). Padding is with real zeros, whatever the input's levels are
        (``padding_mode`` must be ``"zeros"``).
    weight, input, accumulator
        As of :class:`hwq.quant.Linear`; saturating sums go along the kernel, then the channels of the group.
    """

    RANK = 1


class Conv2d(_Conv):
    """Convolution over two axes: ``y = (x * integers) * scale + bias`` for ``x`` (N, C, H, W).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As of ``torch.nn.Conv2d``; the weight is (O, C / groups, kh, kw). Padding is with real zeros, whatever the input's levels are
        (``padding_mode`` must be ``"zeros"``).
        Depthwise is ``groups=in_channels``.
    weight, input, accumulator
        As of :class:`hwq.quant.Linear`; saturating sums go along kernel rows, columns, then the channels of the group.
    """

    RANK = 2


def _product(values: tuple[int, ...]) -> int:
    result = 1
    for v in values:
        result *= v
    return result
