"""Host programs in words: what runs on the processor before and after the hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.host import HostStep, apply_step

__all__ = ["count_saturated", "steps_in_words"]

# {c} is the constant, other fields are the step's attributes.
WORDS = {
    "add": "add {c}",
    "sub": "subtract {c}",
    "rsub": "{c} minus x",
    "mul": "multiply by {c}",
    "div": "divide by {c}",
    "rdiv": "{c} over x",
    "pow": "to the power {c}",
    "max": "at least {c}",
    "min": "at most {c}",
    "prelu": "where negative, multiply by {c}",
    "neg": "negate",
    "abs": "absolute value",
    "relu": "negative becomes 0",
    "round": "round ({mode})",
    "sign": "sign",
    "bipolar": "+1 where x >= 0, else -1",
    "ge": "1 where x >= {c}, else 0",
    "gt": "1 where x > {c}, else 0",
    "le": "1 where x <= {c}, else 0",
    "lt": "1 where x < {c}, else 0",
    "eq": "1 where x == {c}, else 0",
    "select": "{then} where not 0, else {otherwise}",
    "reshape": "reshape to {shape}",
    "transpose": "transpose {perm}",
    "softmax": "softmax",
    "log_softmax": "log-softmax",
    "argmax": "index of the largest",
    "topk": "indices of the {k} largest",
    "topk_values": "the {k} largest",
    "mean": "mean over axis {axis}",
}


def steps_in_words(steps: tuple[HostStep, ...]) -> list[str]:
    """One phrase a step, in the order they run."""
    return [_words(step) for step in steps]


def _words(step: HostStep) -> str:
    if step.op == "clip":
        return f"clip to {_bound(step.attributes, 'low', '-inf')}..{_bound(step.attributes, 'high', 'inf')}"
    template = WORDS.get(step.op, step.op.replace("_", " "))
    fields = {k: "x".join(map(str, v)) if isinstance(v, list | tuple) else v for k, v in step.attributes.items()}
    return template.format(c=_constant(step), **fields)


def _bound(attributes: Mapping[str, Any], key: str, otherwise: str) -> str:
    value = attributes.get(key)
    return otherwise if value is None or not np.isfinite(value) else f"{value:g}"


def _constant(step: HostStep) -> str:
    if step.constant is None:
        return ""
    values = np.unique(step.constant)
    if len(values) == 1:
        return f"{values[0]:.9g}"
    return f"{step.constant.size} constants ({values[0]:.4g} to {values[-1]:.4g})"


def count_saturated(head: tuple[HostStep, ...], x: NDArray[Any]) -> int:
    """How many values of ``x`` (N, ...) the clips of a host head moved: what the input encoding cannot express."""
    y = np.asarray(x).astype(np.float64)
    moved = 0
    for step in head:
        before, y = y, apply_step(step, y)
        if step.op == "clip":
            moved += int((before != y).sum())
    return moved
