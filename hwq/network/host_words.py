"""Host programs in words, for people: what runs on the processor before and after the hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hwq.network.host import HostStep

__all__ = ["step_in_words", "steps_in_words", "unsaid"]

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
    """One phrase a step, in the order they run; long constants are summed up."""
    return [step_in_words(step, _constant(step)) for step in steps]


def step_in_words(step: HostStep, constant: str) -> str:
    """One phrase for ``step``, with ``constant`` in the place of its constant."""
    if step.op == "clip":
        return f"clip to {_bound(step.attributes, 'low', '-inf')}..{_bound(step.attributes, 'high', 'inf')}"
    template = WORDS.get(step.op, step.op.replace("_", " "))
    fields = {k: "x".join(map(str, v)) if isinstance(v, list | tuple) else v for k, v in step.attributes.items()}
    return template.format(c=constant, **fields)


def unsaid(step: HostStep) -> dict[str, Any]:
    """The attributes of ``step`` that :func:`step_in_words` leaves out."""
    said = "{low}{high}" if step.op == "clip" else WORDS.get(step.op, "")
    return {k: v for k, v in step.attributes.items() if f"{{{k}}}" not in said}


def _bound(attributes: Mapping[str, Any], key: str, otherwise: str) -> str:
    value = attributes.get(key)
    if value is None or not np.isfinite(value):
        return otherwise
    return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))


def _constant(step: HostStep) -> str:
    if step.constant is None:
        return ""
    values = np.unique(step.constant)
    if len(values) == 1:
        return f"{values[0]:.9g}"
    return f"{step.constant.size} constants ({values[0]:.4g} to {values[-1]:.4g})"
