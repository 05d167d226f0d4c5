"""Host programs in words, for people: what runs on the processor before and after the hardware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwq.network.host import ELEMENTWISE, HostStep

__all__ = ["idle_steps", "step_in_words", "steps_in_words", "unsaid"]

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
    "transpose": "transpose axes ({perm})",
    "softmax": "softmax",
    "log_softmax": "log-softmax",
    "argmax": "index of the largest",
    "topk": "indices of the {k} largest",
    "topk_values": "the {k} largest",
    "mean": "mean over axis {axis}",
}


def steps_in_words(steps: tuple[HostStep, ...], shape: Sequence[int] | None = None) -> list[str]:
    """One phrase a step, in the order they run; long constants are summed up.

    With the ``shape`` (without the batch) of the tensor they start from, steps that change nothing are left out.
    """
    idle = idle_steps(steps, shape) if shape is not None else frozenset()
    return [step_in_words(step, _constant(step)) for n, step in enumerate(steps) if n not in idle]


def idle_steps(steps: Sequence[HostStep], shape: Sequence[int]) -> frozenset[int]:
    """Places of the reshapes and transposes that leave a tensor of ``shape`` (without the batch) as it is."""
    idle = set()
    now: tuple[int, ...] | None = tuple(shape)
    for n, step in enumerate(steps):
        after = _shape_behind(step, now)
        if after == now and _is_still(step):
            idle.add(n)
        now = after
    return frozenset(idle)


def _is_still(step: HostStep) -> bool:
    """Whether ``step`` moves no element as long as it keeps the shape."""
    return step.op == "reshape" or (step.op == "transpose" and list(step.attributes["perm"]) == sorted(step.attributes["perm"]))


def _shape_behind(step: HostStep, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Shape behind ``step``; None where it is not followed."""
    if step.op == "reshape":
        wanted = tuple(int(n) for n in step.attributes["shape"])
        return wanted if min(wanted, default=1) > 0 else None
    if shape is None:
        return None
    if step.op == "transpose":
        return tuple((1, *shape)[axis] for axis in step.attributes["perm"][1:])
    if step.op not in ELEMENTWISE:
        return None
    constant = () if step.constant is None else np.shape(step.constant)
    return shape if np.broadcast_shapes((1, *shape), constant) == (1, *shape) else None


def step_in_words(step: HostStep, constant: str) -> str:
    """One phrase for ``step``, with ``constant`` in the place of its constant."""
    if step.op == "clip":
        return f"clip to {_bound(step.attributes, 'low', '-inf')}..{_bound(step.attributes, 'high', 'inf')}"
    template = WORDS.get(step.op, step.op.replace("_", " "))
    between = ", " if step.op == "transpose" else "x"
    fields = {k: between.join(map(str, v)) if isinstance(v, list | tuple) else v for k, v in step.attributes.items()}
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
