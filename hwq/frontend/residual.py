"""Quantizers inserted into the branches of a sum on request (``--residual-encoding``), their error measured."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from hwq.frontend.expression import evaluate, leaf
from hwq.frontend.values import Integers, Layout, Pending

if TYPE_CHECKING:
    from hwq.frontend.builder import Builder

__all__ = ["requantized"]

log = logging.getLogger("hwq")
SAMPLES = 1 << 12  # integers of one channel at which the error is measured


def requantized(builder: Builder, operand: Integers, place: int, name: str) -> Integers:
    """The operand rounded half to even to the grid of the residual encoding; the largest error goes into the notes."""
    encoding = builder.options.residual
    assert encoding is not None
    unit = float(encoding.unit)
    label = f"{name}.residual{place}"
    expr = operand.rest.then("div", unit, name=label).then("round", name=label, mode="half_even")
    expr = expr.then("clip", name=label, low=float(encoding.lo), high=float(encoding.hi))
    before = len(builder.nodes)
    made = builder.plain_integers(Pending(operand.leaf, expr, Layout.of((1, *operand.leaf.shape))), label, label)
    largest, mean = _error(operand, Integers(made.leaf, made.scale, made.offset, expr.then("mul", unit)))
    log.warning("%s: operand %d rounded to %s, largest error %g", name, place, encoding.name, largest)
    if len(builder.nodes) > before:
        builder.notes[builder.nodes[-1].name]["residual"] = {"encoding": encoding.name, "largest_error": largest, "mean_error": mean}
    scale, offset = np.asarray(made.scale * unit), np.asarray(made.offset * unit)
    return Integers(made.leaf, scale, offset, leaf().then("mul", scale).then("add", offset))


def _error(operand: Integers, rounded: Integers) -> tuple[float, float]:
    """Largest and mean distance over the reachable integers, evenly spaced where they are many."""
    reach = operand.leaf.interval
    assert reach is not None
    count = (reach.hi - reach.lo) // reach.step
    places = np.linspace(0, 1, min(SAMPLES, int(count.max()) + 1))
    x = (reach.lo[:, None] + reach.step * np.rint(count[:, None] * places)).astype(np.float64)
    distance = np.abs(evaluate(operand.rest, x) - evaluate(rounded.rest, x))
    return float(distance.max()), float(distance.mean())
