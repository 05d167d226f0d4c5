"""Pending functions: what a model does to an integer tensor before it becomes integers again.

An expression is a graph of elementwise binary64 operations over one leaf (the tensor), per channel. Structurally equal
expressions are equal, so that a value computed twice is known to be one value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwq.network.host import ELEMENTWISE

__all__ = ["Expr", "composed", "constant", "evaluate", "leaf", "map_constants", "restricted", "stack", "walk"]

Real = NDArray[np.float64]

# Monotone in IEEE arithmetic for every constant operand, rising or falling.
MONOTONE = frozenset(
    [
        "add",
        "sub",
        "rsub",
        "mul",
        "max",
        "min",
        "neg",
        "relu",
        "clip",
        "round",
        "sign",
        "bipolar",
        "ge",
        "gt",
        "le",
        "lt",
        "sqrt",
        "hard_sigmoid",
    ]
)
# Give integers whatever they are given.
DISCRETISERS = frozenset(["round", "sign", "bipolar", "ge", "gt", "le", "lt", "eq"])


@dataclass(frozen=True, eq=False)
class Expr:
    """One operation of a pending function.

    Parameters
    ----------
    op
        ``leaf``, ``const``, ``where`` (three arguments), ``stack`` (functions of consecutive ranges of channels, attribute
        ``sizes``), or a name of ``hwq.network.host.ELEMENTWISE``.
    args
        Operands that depend on the leaf (or constants of ``where``).
    constant
        Constant operand, binary64, shape () or (C,) in the channel order of the leaf.
    attributes
        Plain data as in :class:`hwq.network.host.HostStep`.
    name
        The user's name of the layer that asked for it.
    """

    op: str
    args: tuple[Expr, ...] = ()
    constant: Real | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @cached_property
    def key(self) -> int:
        """Hash of the structure, names left out; equal for equal expressions."""
        c = None if self.constant is None else (self.constant.shape, self.constant.tobytes())
        return hash((self.op, tuple(a.key for a in self.args), c, tuple(sorted(self.attributes.items()))))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Expr) or (self.key, self.op, len(self.args)) != (other.key, other.op, len(other.args)):
            return False
        same_constant = (self.constant is None) == (other.constant is None) and (
            self.constant is None or self.constant.tobytes() == other.constant.tobytes()  # type: ignore[union-attr]
        )
        return same_constant and dict(self.attributes) == dict(other.attributes) and self.args == other.args

    def __hash__(self) -> int:
        return self.key

    def then(self, op: str, value: ArrayLike | None = None, *, name: str = "", **attributes: Any) -> Expr:
        """This expression with one more operation; operations that change nothing are left out."""
        c = None if value is None else _normal(value)
        if c is not None and c.ndim == 0 and ((op in ("mul", "div") and c == 1) or (op in ("add", "sub") and c == 0)):
            return self
        return Expr(op, (self,), c, attributes, name)

    @property
    def shared(self) -> bool:
        """Whether all channels have the same function."""
        return all(e.op != "stack" and (e.constant is None or e.constant.ndim == 0) for e in walk(self))

    @cached_property
    def discretises(self) -> bool:
        """Whether something in it makes integers."""
        found = all if self.op == "stack" else any
        return self.op in DISCRETISERS or (bool(self.args) and found(a.discretises for a in self.args))

    @cached_property
    def is_monotone(self) -> bool:
        """Whether every operation is known to be monotone in IEEE arithmetic, so that bisection is a proof."""
        if self.op == "leaf":
            return True
        if self.op == "stack":
            return all(a.is_monotone for a in self.args)
        if len(self.args) != 1 or not self.args[0].is_monotone:
            return False
        if self.op in MONOTONE:
            return True
        if self.op == "leaky_relu":
            return bool(self.attributes["slope"] >= 0)
        c = np.asarray(np.nan if self.constant is None else self.constant)
        return (self.op == "div" and bool((c != 0).all())) or (self.op == "prelu" and bool((c >= 0).all()))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the user's layers in it, innermost first."""
        return tuple(dict.fromkeys(e.name for e in walk(self) if e.name))


def leaf() -> Expr:
    """The tensor itself."""
    return Expr("leaf")


def constant(value: ArrayLike) -> Expr:
    """A constant operand of ``where``."""
    return Expr("const", (), _normal(value))


def stack(parts: Sequence[Expr], sizes: Sequence[int]) -> Expr:
    """The functions ``parts`` of consecutive ranges of ``sizes`` channels."""
    return Expr("stack", tuple(parts), None, {"sizes": tuple(sizes)})


def rebuilt(expr: Expr, make: Callable[[Expr, tuple[Expr, ...]], Expr]) -> Expr:
    """The expression made anew, operands first, each operation by ``make(old, new operands)``."""
    known: dict[int, Expr] = {}
    for e in walk(expr):
        known[id(e)] = make(e, tuple(known[id(a)] for a in e.args))
    return known[id(expr)]


def map_constants(expr: Expr, change: Callable[[Real], Real]) -> Expr:
    """The expression with ``change`` applied to its constants of one value a channel."""

    def make(e: Expr, args: tuple[Expr, ...]) -> Expr:
        c = e.constant
        return Expr(e.op, args, c if c is None or c.ndim == 0 else _normal(change(c)), e.attributes, e.name)

    return rebuilt(expr, make)


def composed(outer: Expr, inner: Expr) -> Expr:
    """``outer`` of ``inner``."""
    return rebuilt(outer, lambda e, args: inner if e.op == "leaf" else Expr(e.op, args, e.constant, e.attributes, e.name))


def restricted(expr: Expr, channels: slice) -> Expr:
    """The function of a range of channels; a ``stack`` gives way to its part, which must cover exactly that range."""

    known: dict[int, Expr] = {}
    for e in walk(expr, into_stacks=False):
        if e.op == "stack":
            ends = np.cumsum((0, *e.attributes["sizes"])).tolist()
            known[id(e)] = e.args[ends.index(channels.start)]
        else:
            c = e.constant if e.constant is None or e.constant.ndim == 0 else _normal(e.constant[channels])
            known[id(e)] = Expr(e.op, tuple(known[id(a)] for a in e.args), c, e.attributes, e.name)
    return known[id(expr)]


def _normal(value: ArrayLike) -> Real:
    """Binary64, and scalar where all channels agree."""
    c = np.asarray(value, dtype=np.float64)
    if c.ndim and c.size and (c == c.flat[0]).all() and (np.signbit(c) == np.signbit(c.flat[0])).all():
        c = c.reshape(-1)[0]
    return np.asarray(c, dtype=np.float64)


def walk(expr: Expr, *, into_stacks: bool = True) -> tuple[Expr, ...]:
    """All operations, operands before their users, each once; those inside a ``stack`` on request."""
    seen: dict[int, Expr] = {}
    pending: list[tuple[Expr, bool]] = [(expr, False)]
    while pending:
        e, done = pending.pop()
        if done:
            seen.setdefault(id(e), e)
        elif id(e) not in seen:
            pending.append((e, True))
            if into_stacks or e.op != "stack":
                pending.extend((a, False) for a in e.args)
    return tuple(seen.values())


def evaluate(expr: Expr, x: Real) -> Real:
    """Value for leaf values ``x`` of shape (C, N); one binary64 operation each, in graph order."""
    known: dict[int, Real] = {}
    with np.errstate(all="ignore"):
        for e in walk(expr, into_stacks=False):
            if e.op == "stack":
                known[id(e)] = _stacked(e, x)
                continue
            known[id(e)] = _apply(e, [known[id(a)] for a in e.args], x)
    return np.broadcast_to(known[id(expr)], x.shape)


def _stacked(e: Expr, x: Real) -> Real:
    ends = np.cumsum((0, *e.attributes["sizes"])).tolist()
    parts = [evaluate(a, x[low:high]) for a, low, high in zip(e.args, ends, ends[1:], strict=False)]
    return np.concatenate(parts)


def _apply(e: Expr, args: list[Real], x: Real) -> Real:
    c = e.constant if e.constant is None or e.constant.ndim == 0 else e.constant[:, None]
    if e.op == "leaf":
        return x
    if e.op == "const":
        assert c is not None
        return c
    if e.op == "where":
        return np.where(args[0] != 0, args[1], args[2])
    meaning: Callable[..., Real] = ELEMENTWISE[e.op]
    return meaning(args[0], args[1] if len(args) == 2 else c, e.attributes)
