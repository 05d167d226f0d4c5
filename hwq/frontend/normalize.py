"""Splitting a pending function into what makes integers and the affine rest: ``real = core * scale + offset``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.expression import DISCRETISERS, Expr

__all__ = ["Affine", "is_integral", "split_affine"]

Real = NDArray[np.float64]
AFFINE = ("add", "sub", "rsub", "mul", "div", "neg")


@dataclass(frozen=True, eq=False)
class Affine:
    """``real = core * scale + offset``, scale and offset binary64 of shape () or (C,)."""

    core: Expr
    scale: Real
    offset: Real


def is_integral(expr: Expr, integer_leaf: bool) -> bool:
    """Whether every value is an integer, seen from the operations alone; ``integer_leaf`` says it of the leaf."""
    if expr.op == "leaf":
        return integer_leaf
    if expr.op in DISCRETISERS:
        return True
    if len(expr.args) != 1 or not is_integral(expr.args[0], integer_leaf):
        return False
    if expr.op in ("relu", "neg", "abs"):
        return True
    if expr.op == "clip":
        return all(np.isinf(v) or float(v).is_integer() for v in (expr.attributes.get("low", 0), expr.attributes.get("high", 0)))
    return expr.op in ("add", "sub", "rsub", "max", "min") and _whole(expr.constant)


def _whole(c: Real | None) -> bool:
    return c is not None and bool((c == np.rint(c)).all() and np.isfinite(c).all() and (np.abs(c) < 2.0**40).all())


def split_affine(expr: Expr, integer_leaf: bool) -> Affine:
    """Peels multiplications and additions off the outside, down to a core of integers where there is one.

    Given: ``((round(x) - 3) * 0.5) + 1``.  Result: core ``round(x) - 3``, scale 0.5, offset 1.
    ReLU and clip are moved inside a positive scale, where that changes no bit. Scales are multiplied in binary64 in graph order.
    """
    expr = push_inside(expr, integer_leaf)
    peeled: list[Expr] = []
    core = expr
    while core.op in AFFINE and len(core.args) == 1 and not is_integral(core, integer_leaf):
        peeled.append(core)
        core = core.args[0]
    scale, offset = np.asarray(1.0), np.asarray(0.0)
    for e in reversed(peeled):
        scale, offset = _extend(e, scale, offset)
    return Affine(core, scale, offset)


def _extend(e: Expr, scale: Real, offset: Real) -> tuple[Real, Real]:
    c = np.asarray(1.0 if e.constant is None else e.constant)
    with np.errstate(all="ignore"):
        made = {
            "neg": lambda: (-scale, -offset),
            "add": lambda: (scale, offset + c),
            "sub": lambda: (scale, offset - c),
            "rsub": lambda: (-scale, c - offset),
            "mul": lambda: (scale * c, offset * c),
            "div": lambda: (scale / c, offset / c),
        }[e.op]()
    return np.asarray(made[0]), np.asarray(made[1])


def push_inside(expr: Expr, integer_leaf: bool) -> Expr:
    """``relu(q * s) = relu(q) * s`` and ``clip(q * s, s * a, s * b) = clip(q, a, b) * s`` for integers q, a, b and s > 0.

    Both hold bit for bit: multiplication by a positive number is monotone and keeps zero.
    """
    if len(expr.args) != 1:
        return expr
    inner = push_inside(expr.args[0], integer_leaf)
    if inner is not expr.args[0]:
        expr = Expr(expr.op, (inner,), expr.constant, expr.attributes, expr.name)
    if expr.op not in ("relu", "clip", "max", "min") or inner.op not in ("mul", "div") or len(inner.args) != 1:
        return expr
    q, s = inner.args[0], inner.constant
    if s is None or not ((s > 0) & np.isfinite(s)).all() or not is_integral(q, integer_leaf):
        return expr
    moved = _moved(expr, q, inner)
    return expr if moved is None else Expr(inner.op, (push_inside(moved, integer_leaf),), s, inner.attributes, inner.name)


def _moved(expr: Expr, q: Expr, scaling: Expr) -> Expr | None:
    if expr.op == "relu":
        return q.then("relu", name=expr.name)
    if expr.op == "clip":
        bounds = {k: _bound(float(v), scaling) for k, v in expr.attributes.items()}
        if any(b is None for b in bounds.values()):
            return None
        return q.then("clip", name=expr.name, **bounds)
    bound = None if expr.constant is None or expr.constant.ndim else _bound(float(expr.constant), scaling)
    return None if bound is None else q.then(expr.op, bound, name=expr.name)


def _bound(value: float, scaling: Expr) -> float | None:
    """The integer that ``scaling`` takes to ``value`` exactly, in every channel."""
    s = scaling.constant
    assert s is not None
    if np.isinf(value) or value == 0.0:
        return value
    inside = np.rint(value / s if scaling.op == "mul" else value * s)
    back = inside * s if scaling.op == "mul" else inside / s
    return float(inside.flat[0]) if (back == value).all() and (inside == inside.flat[0]).all() else None
