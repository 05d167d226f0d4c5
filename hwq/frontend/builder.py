"""The Network under construction: names, nodes, and the step from pending functions to integer tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import HwqError, InputError
from hwq.frontend.activation import Activation, activation_of, pass_through
from hwq.frontend.expression import Expr, leaf, walk
from hwq.frontend.inputs import InputState, host_integers, raw_integers
from hwq.frontend.normalize import split_affine
from hwq.frontend.trace import Trace, trace_entry
from hwq.frontend.values import Leaf, Pending
from hwq.network.graph import Node
from hwq.network.ops import Conv, Unary
from hwq.numerics.encoding import Encoding

__all__ = ["Builder", "Integers"]

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Integers:
    """An integer tensor that stands for real numbers: ``real = integer * scale + offset``, () or (C,) each.

    ``rest`` is the same as a pending function in the graph's own order of operations.
    """

    leaf: Leaf
    scale: Real
    offset: Real
    rest: Expr


class Builder:
    """Collects nodes in topological order; every name is the user's, made unique by ``@1``, ``@2``.

    ``problems`` is the list to which whoever goes on after a problem appends it.
    """

    def __init__(self, inputs: Sequence[InputState], problems: list[HwqError]) -> None:
        self.problems = problems
        self.inputs = list(inputs)
        self.nodes: list[Node] = []
        self.encodings: dict[str, Encoding] = {}
        self.notes: dict[str, dict[str, Any]] = {}
        self.trace: Trace = {}
        self._known: dict[tuple[int, Expr], Integers] = {}
        self._leaves: list[Leaf] = []  # keeps leaves alive, since their identity is a key
        self._names: set[str] = set()
        self._tensors: set[str] = {i.name for i in inputs}

    def unique(self, name: str, *, tensor: bool = False) -> str:
        """``name``, or ``name@1`` and so on where a node (or tensor) has it already."""
        taken = self._tensors if tensor else self._names
        candidate, count = name, 0
        while candidate in taken:
            count += 1
            candidate = f"{name}@{count}"
        taken.add(candidate)
        return candidate

    def emit(self, name: str, op: Unary, source: Leaf, channels: int, tensor: str) -> tuple[str, Leaf]:
        """Adds a node behind ``source``; returns its unique name and the leaf it makes."""
        assert source.tensor is not None
        assert source.interval is not None
        name, tensor = self.unique(name), self.unique(tensor, tensor=True)
        reach = op.interval(source.interval, (1, 1, source.channels))
        self.nodes.append(Node(name, op, (source.tensor,), (tensor,)))
        self.encodings[tensor] = op.encoding(reach, self.encodings[source.tensor])
        return name, Leaf(tensor, channels, reach)

    def contract(self, name: str, source: Leaf, op: Conv, facts: dict[str, Any], tensor: str) -> Leaf:
        """Adds a contraction; returns its accumulators."""
        name, made = self.emit(name, op, source, op.mh, tensor)
        assert made.interval is not None
        lo, hi = made.interval.bounds
        constant = int((made.interval.lo == made.interval.hi).sum())
        self.notes[name] = {
            "op": "dense",
            "shape": [op.mw, op.mh],
            "weights": op.weight_encoding.name,
            "input": self.encodings[source.tensor or ""].name,
            "accumulator": {"lo": lo, "hi": hi, "step": made.interval.step, "bits": self.encodings[made.tensor or ""].bits},
            "constant_channels": constant,
            "nonzero_weights": int(np.count_nonzero(op.weights)),
            **facts,
        }
        return made

    def integers(self, pending: Pending, fallback: str, tensor: str) -> Integers:
        """The integer tensor behind a pending function, made by an activation node where one is needed.

        Raises :class:`InputError` where nothing in the function makes integers.
        """
        key = (id(pending.leaf), pending.expr)
        if key not in self._known:
            self._leaves.append(pending.leaf)
            self._known[key] = self._make(pending, fallback, tensor)
            self._note(pending, self._known[key], tensor)
        return self._known[key]

    def _note(self, pending: Pending, made: Integers, tensor: str) -> None:
        """Remembers where in the source the integers stand."""
        assert made.leaf.tensor is not None
        if made.leaf.tensor not in self.trace:
            direct = any(n.outputs[0] == made.leaf.tensor and n.inputs[0] == pending.leaf.tensor for n in self.nodes)
            core = split_affine(pending.expr, True).core if direct else None
            self.trace[made.leaf.tensor] = trace_entry(tensor, made.scale, made.offset, pending.layout, core)

    def _make(self, pending: Pending, fallback: str, tensor: str) -> Integers:
        if pending.leaf.tensor is None:
            return self._of_input(pending, fallback, tensor)
        shorter = self._behind_known(pending)
        if shorter is not None:
            return self._make(shorter, fallback, tensor)
        affine = split_affine(pending.expr, True)
        through = pass_through(affine, pending.leaf)
        if through is not None:
            return Integers(pending.leaf, affine.scale, affine.offset, through)
        core_key = (id(pending.leaf), affine.core)
        if core_key in self._known:
            made = self._known[core_key]
            return _behind(made, pending.expr, affine.core, affine)
        activation = activation_of(affine, pending.leaf)
        label = next(reversed(affine.core.labels), fallback)
        made_leaf = pending.leaf if activation.op is None else self._activate(label, activation, pending.leaf, tensor)
        made = Integers(made_leaf, activation.scale, activation.offset, activation.rest)
        self._known[core_key] = made
        return _behind(made, pending.expr, affine.core, affine)

    def _activate(self, label: str, activation: Activation, source: Leaf, tensor: str) -> Leaf:
        assert activation.op is not None
        name, made = self.emit(label, activation.op, source, source.channels, tensor)
        self.notes[name] = {"op": activation.op.kind, "output": self.encodings[made.tensor or ""].name, **activation.facts}
        return made

    def _behind_known(self, pending: Pending) -> Pending | None:
        """The same value starting from integers that already exist, where all of it goes through them."""
        for e in reversed(walk(pending.expr)):
            made = self._known.get((id(pending.leaf), e))
            if made is not None and e.op != "leaf" and made.leaf is not pending.leaf:
                shorter = replaced(pending.expr, e, made.rest)
                if shorter is not None:
                    return Pending(made.leaf, shorter, pending.layout)
        return None

    def _of_input(self, pending: Pending, fallback: str, tensor: str) -> Integers:
        state = self.inputs[pending.leaf.source]
        if state.leaf is None:
            affine = split_affine(pending.expr, False)
            if state.wants_host(affine):
                state = host_integers(state, affine, pending.leaf.channels)
            else:
                state = raw_integers(state, pending.leaf.channels, needed=not affine.core.discretises)
            self.inputs[pending.leaf.source] = state
            assert state.leaf is not None
            self.encodings[state.name] = state.encoding  # type: ignore[assignment]
        assert state.leaf is not None
        assert state.core is not None
        assert state.rest is not None
        expr = replaced(pending.expr, state.core, state.rest)
        if expr is None:
            raise InputError(
                "INPUT-TWO-QUANTIZERS",
                f"the input {state.name!r} is quantized in two different ways",
                where=fallback,
                hint="Name the integers that arrive with --input-encoding and build the quantizers in with --input-quantizer hardware",
            )
        return self._make(Pending(state.leaf, expr, pending.layout), fallback, tensor)


def _behind(made: Integers, expr: Expr, core: Expr, affine: Any) -> Integers:
    """Integers of ``core`` as integers of ``expr``, which is affine in it."""
    rest = replaced(expr, core, made.rest)
    scale, offset = made.scale * affine.scale, made.offset * affine.scale + affine.offset
    if rest is None:  # a clip was moved inside the scale: the affine form is the same function
        rest = leaf().then("mul", scale).then("add", offset)
    return replace(made, scale=np.asarray(scale), offset=np.asarray(offset), rest=rest)


def replaced(expr: Expr, part: Expr, by: Expr) -> Expr | None:
    """``expr`` with ``part`` replaced by ``by``; None where it reads the leaf on another way too."""
    memo: dict[int, Expr | None] = {}
    stack = [(expr, False)]
    while stack:
        e, done = stack.pop()
        if id(e) in memo:
            continue
        if e == part:
            memo[id(e)] = by
        elif e.op == "leaf":
            memo[id(e)] = None
        elif done:
            args = [memo[id(a)] for a in e.args]
            memo[id(e)] = None if any(a is None for a in args) else Expr(e.op, tuple(args), e.constant, e.attributes, e.name)  # type: ignore[arg-type]
        else:
            stack.append((e, True))
            stack.extend((a, False) for a in e.args)
    return memo[id(expr)]
