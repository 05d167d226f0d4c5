"""An operation of the Network in a few words, for tables and drawings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hwq.network.graph import Network
from hwq.network.ops import Add, Concat, Conv, Op, Pad, Pool, Requantize, Shape, Split, Threshold, TopK, Upsample, Window
from hwq.plan.stages import Stage, is_depthwise

__all__ = ["operation", "shape_text", "stage_operation", "stage_shapes"]


def operation(op: Op) -> str:
    """What ``op`` is: ``3x3 conv, stride 2``, ``max pool 2x2``, ``4 thresholds``."""
    return _WORDS.get(type(op), lambda op: op.kind.replace("_", " "))(op)


def stage_operation(network: Network, stage: Stage) -> str:
    """What a stage computes, with the staircase fused behind it."""
    op = stage.node.op
    of_image = isinstance(op, Conv) and op.is_dense and network.tensors[stage.source].shape[:2] != (1, 1)
    return ("conv 1x1" if of_image else operation(op)) + (f", then {operation(stage.activation.op)}" if stage.activation else "")


def stage_shapes(network: Network, stage: Stage) -> str:
    """Shapes of what a stage reads and writes, ``8x8x16 -> 4x4x32``; ``784 -> 10`` where all images are one pixel."""
    shapes = [[network.tensors[t].shape for t in tensors if t] for tensors in (stage.sources, stage.targets)]
    flat = all(s[:2] == (1, 1) for side in shapes for s in side)
    return " -> ".join(_several([shape_text(s, flat=flat) for s in side]) for side in shapes)


def shape_text(shape: Shape, *, flat: bool | None = None) -> str:
    """``HxWxC``, or ``C`` alone for one pixel."""
    if flat if flat is not None else shape[:2] == (1, 1):
        return str(shape[2])
    return "x".join(map(str, shape))


def _several(texts: list[str]) -> str:
    if len(texts) > 2 and len(set(texts)) == 1:
        return f"{len(texts)} times {texts[0]}"
    return ", ".join(texts)


def _window(w: Window) -> str:
    """Whatever is not plain of a window: stride, padding, dilation."""
    parts = [f"stride {_pair(w.stride)}"] if w.stride != (1, 1) else []
    if any(w.padding):
        parts.append(f"pad {w.padding[0]}" if len(set(w.padding)) == 1 else f"pad {','.join(map(str, w.padding))}")
    if w.dilation != (1, 1):
        parts.append(f"dilation {_pair(w.dilation)}")
    return "".join(f", {p}" for p in parts)


def _pair(values: tuple[int, int]) -> str:
    return str(values[0]) if values[0] == values[1] else f"{values[0]}x{values[1]}"


def _conv(op: Conv) -> str:
    if op.is_dense:
        return "dense"
    kernel = f"{op.window.kernel[0]}x{op.window.kernel[1]}"
    kind = "depthwise" if is_depthwise(op) else "conv"
    groups = f", {op.groups} groups" if op.groups > 1 and kind == "conv" else ""
    return f"{kind} {kernel}{_window(op.window)}{groups}"


def _pool(op: Pool) -> str:
    return f"{op.mode} pool {op.window.kernel[0]}x{op.window.kernel[1]}{_window(op.window)}"


def _threshold(op: Threshold) -> str:
    return f"{op.count} threshold{'s' * (op.count != 1)}"


_WORDS: dict[type[Op], Callable[[Any], str]] = {
    Conv: _conv,
    Pool: _pool,
    Threshold: _threshold,
    Requantize: lambda op: "requantize",
    Add: lambda op: "add",
    Concat: lambda op: "concat",
    Split: lambda op: f"split {'+'.join(map(str, op.sizes))}" if len(op.sizes) <= 4 else f"split in {len(op.sizes)}",
    Upsample: lambda op: f"upsample {_pair(op.factor)} times",
    Pad: lambda op: f"pad {','.join(map(str, op.padding))}",
    TopK: lambda op: f"top {op.k}",
}
