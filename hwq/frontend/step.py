"""One step of the symbolic execution: a node of the source graph with the values of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwq.errors import InputError
from hwq.frontend.builder import Builder
from hwq.frontend.expression import Expr, leaf, map_constants
from hwq.frontend.host_program import host_steps
from hwq.frontend.options import ReadOptions
from hwq.frontend.source import SourceNode
from hwq.frontend.values import Constant, HostValue, Pending, Unknown, Value
from hwq.network.ops import Flatten

__all__ = ["Rule", "Step", "Unresolved", "elementwise", "flattened"]


class Unresolved(Exception):
    """An operand lies behind a problem that was already reported."""


class _PerElement(Exception):
    """A constant has one value an element, the leaf one function a channel."""


@dataclass(frozen=True, eq=False)
class Step:
    """A node under execution; ``name`` is the user's name for it."""

    node: SourceNode
    name: str
    inputs: tuple[Value | None, ...]
    builder: Builder
    options: ReadOptions

    def attribute(self, key: str, default: Any = None) -> Any:
        """An attribute of the node."""
        return self.node.attributes.get(key, default)

    def value(self, place: int) -> Value | None:
        """Input ``place``, None where it is absent."""
        return self.inputs[place] if place < len(self.inputs) else None

    def array(self, place: int, what: str) -> NDArray[Any] | None:
        """The constant at input ``place``, None where it is absent; raises :class:`InputError` where it is computed from data."""
        value = self.value(place)
        if value is None:
            return None
        if isinstance(value, Unknown):
            raise Unresolved
        if not isinstance(value, Constant):
            raise InputError(
                "NOT-CONSTANT",
                f"the {what} of {self.node.op} depends on the data, a constant was expected",
                where=self.name,
                hint="Dynamic quantization and products of two activations cannot be compiled; freeze the model first",
            )
        return value.array

    def need(self, place: int, what: str) -> NDArray[Any]:
        """As :meth:`array`, but absent is an error."""
        array = self.array(place, what)
        if array is None:
            raise InputError("OP-OPERANDS", f"{self.node.op} lacks its {what}", where=self.name)
        return array

    def error(self, code: str, message: str, hint: str | None = None) -> InputError:
        """An error about this node."""
        return InputError(code, message, where=self.name, hint=hint)


Rule = Callable[[Step], Value | tuple[Value | None, ...]]
Operand = Callable[[ArrayLike], NDArray[np.float64]]


def elementwise(step: Step, build: Callable[[Expr, Operand], Expr], place: int = 0) -> Value:
    """The tensor at input ``place`` under one more elementwise function.

    ``build`` gets the pending function and a converter that brings constants of the source into the leaf's order.
    """
    x = step.inputs[place]
    if isinstance(x, Pending):
        try:
            return x.with_expr(build(x.expr, lambda c: _operand(step, x, c)))
        except _PerElement:
            flat = flattened(step, x, place)
            return flat.with_expr(build(flat.expr, lambda c: _operand(step, flat, c)))
    if isinstance(x, HostValue):
        expr = build(leaf(), lambda c: _host_operand(step, x, c))
        return HostValue(x.origin, (*x.steps, *host_steps(expr)), x.shape, x.dtype, x.name)
    return x if isinstance(x, Unknown) else Unknown()


def _operand(step: Step, x: Pending, c: ArrayLike) -> NDArray[np.float64]:
    value = np.asarray(c, dtype=np.float64)
    if not np.isfinite(value).all():
        raise step.error("NOT-FINITE", "a constant is NaN or infinite", "Train or export the model again")
    out = x.layout.to_leaf(value, x.leaf.channels)
    if out is None:
        raise step.error(
            "BROADCAST", f"a constant of shape {value.shape} would enlarge the tensor of shape {x.shape}, which is not supported"
        )
    if out.size > 1 and out.size != x.leaf.channels:
        raise _PerElement
    return out


def flattened(step: Step, x: Pending, place: int = 0) -> Pending:
    """The image as one pixel, every element a channel: where constants differ from pixel to pixel."""
    b = step.builder
    if x.leaf.pixels == 1 and x.leaf.made is None:
        return x
    made = b.integers(x, step.name, step.node.inputs[place]) if x.leaf.made is not None or x.expr.discretises else None
    source, expr = (x.leaf, x.expr) if made is None else (made.leaf, made.rest)
    flat = b.cached("flatten", source, lambda: b.emit(f"{step.name}.flatten", Flatten(), (source,), f"{step.node.inputs[place]}.flat")[1])
    return Pending(flat, map_constants(expr, lambda c: np.tile(c, source.pixels)), x.layout)


def _host_operand(step: Step, x: HostValue, c: ArrayLike) -> NDArray[np.float64]:
    value = np.asarray(c, dtype=np.float64)
    if not np.isfinite(value).all() or np.broadcast_shapes(value.shape, x.shape) != x.shape:
        raise step.error("BROADCAST", f"a constant of shape {value.shape} does not fit the tensor of shape {x.shape}")
    return value
