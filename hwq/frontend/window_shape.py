"""The geometry of ONNX's sliding windows (Conv, pools): sizes and padding from a node's attributes, for any number of axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["WindowShape"]


@dataclass(frozen=True)
class WindowShape:
    """One sliding window, a number per spatial axis.

    ``before`` and ``after`` are the padding that the model states; ``overhang`` is what the last window of ``ceil_mode``
    reads beyond it. Windows that would start in the padding behind the image do not exist (torch, ONNX opset 22).
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    out: tuple[int, ...]

    @classmethod
    def of(cls, attributes: Mapping[str, Any], size: Sequence[int], kernel: Sequence[int]) -> WindowShape:
        """Of a node's attributes over an image of ``size``; raises ``ValueError`` where they make no sense."""
        n = len(size)
        kernel = tuple(int(k) for k in kernel)
        stride, dilation = (_numbers(attributes, key, n) for key in ("strides", "dilations"))
        if len(kernel) != n or min((*kernel, *stride, *dilation), default=1) < 1:
            raise ValueError(f"a window of {kernel}, stride {stride}, dilation {dilation} over {n} axes")
        reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        before, after = _padding(attributes, size, reach, stride)
        up = bool(attributes.get("ceil_mode", 0))
        out = tuple(_count(*v, up) for v in zip(size, reach, stride, before, after, strict=True))
        if min(out, default=1) < 1:
            raise ValueError(f"a window of {kernel} over {tuple(size)} with padding {before}, {after} fits nowhere")
        return cls(tuple(size), kernel, stride, dilation, before, after, out)

    @property
    def overhang(self) -> tuple[int, ...]:
        """Positions behind the padding that the last window reads, 0 or more."""
        last = ((o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(self.out, self.stride, self.kernel, self.dilation, strict=True))
        padded = (b + z + a for b, z, a in zip(self.before, self.size, self.after, strict=True))
        return tuple(max(0, e - p) for e, p in zip(last, padded, strict=True))


def _numbers(attributes: Mapping[str, Any], key: str, n: int) -> tuple[int, ...]:
    values = tuple(int(v) for v in attributes.get(key) or [1] * n)
    if len(values) != n:
        raise ValueError(f"{key} {values} for {n} axes")
    return values


def _padding(
    attributes: Mapping[str, Any], size: Sequence[int], reach: Sequence[int], stride: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding before and behind; ``auto_pad`` SAME makes ceil(size / stride) windows, the odd one on the side it names."""
    n, auto = len(size), attributes.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = tuple(int(v) for v in attributes.get("pads") or [0] * 2 * n)
        if len(pads) != 2 * n or min(pads, default=0) < 0:
            raise ValueError(f"padding {pads} for {n} axes")
        return pads[:n], pads[n:]
    if auto == "VALID":
        return (0,) * n, (0,) * n
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad {auto!r}")
    needed = [max(0, (-(-z // s) - 1) * s + r - z) for z, s, r in zip(size, stride, reach, strict=True)]
    less, more = tuple(p // 2 for p in needed), tuple(p - p // 2 for p in needed)
    return (less, more) if auto == "SAME_UPPER" else (more, less)


def _count(size: int, reach: int, stride: int, before: int, after: int, up: bool) -> int:
    free = size + before + after - reach
    if not up:
        return free // stride + 1
    count = -(-free // stride) + 1
    return count - 1 if (count - 1) * stride >= size + before else count
