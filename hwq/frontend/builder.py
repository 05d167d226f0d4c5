"""The Network under construction: names, nodes, and the step from pending functions to integer tensors."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import HwqError, InputError
from hwq.frontend.activation import Activation, activation_of, pass_through
from hwq.frontend.arrangement import Arrangement
from hwq.frontend.expression import Expr, leaf, map_constants, walk
from hwq.frontend.inputs import InputState, host_integers, raw_integers
from hwq.frontend.normalize import Affine, is_integral, split_affine
from hwq.frontend.options import ReadOptions
from hwq.frontend.realise import realised
from hwq.frontend.trace import Trace, trace_entry
from hwq.frontend.values import Integers, Leaf, Pending
from hwq.network.graph import Node
from hwq.network.ops import Conv, Op, Threshold
from hwq.numerics.encoding import Encoding
from hwq.numerics.prover import FEW_THRESHOLDS

__all__ = ["Builder", "Integers", "behind", "replaced"]

Real = NDArray[np.float64]


class Builder:
    """Collects nodes in topological order; every name is the user's, made unique by ``@1``, ``@2``.

    ``problems`` is the list to which whoever goes on after a problem appends it.
    """

    def __init__(self, inputs: Sequence[InputState], problems: list[HwqError], options: ReadOptions | None = None) -> None:
        self.problems = problems
        self.options = options or ReadOptions()
        self.inputs = list(inputs)
        self.nodes: list[Node] = []
        self.encodings: dict[str, Encoding] = {}
        self.notes: dict[str, dict[str, Any]] = {}
        self.trace: Trace = {}
        self._known: dict[tuple[int, Expr], Integers] = {}
        self._leaves: list[Leaf] = []  # keeps leaves alive, since their identity is a key
        self._made: dict[tuple[Hashable, int], Leaf] = {}
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

    def emit(self, name: str, op: Op, sources: Sequence[Leaf], tensor: str) -> tuple[str, Leaf]:
        """Adds a node of one output behind ``sources``; returns its unique name and the leaf it makes."""
        name, made = self.emit_many(name, op, sources, (tensor,))
        return name, made[0]

    def emit_many(self, name: str, op: Op, sources: Sequence[Leaf], tensors: Sequence[str]) -> tuple[str, tuple[Leaf, ...]]:
        """Adds a node; an output named "" is dropped, its leaf never to be read."""
        name = self.unique(name)
        tensors = tuple(self.unique(t, tensor=True) if t else "" for t in tensors)
        shapes = tuple(s.shape for s in sources)
        try:
            made = op.shapes(shapes)
        except ValueError as error:
            raise InputError("OP-OPERANDS", str(error), where=name) from None
        reaches = op.intervals(tuple(s.interval for s in sources if s.interval is not None), shapes)
        encodings = op.encodings(reaches, tuple(self.encodings[s.tensor or ""] for s in sources))
        self.nodes.append(Node(name, op, tuple(s.tensor or "" for s in sources), tensors))
        self.notes[name] = {"op": op.kind}
        leaves = tuple(Leaf(t, shape, reach) for t, shape, reach in zip(tensors, made, reaches, strict=True))
        self.encodings |= {t: e for t, e in zip(tensors, encodings, strict=True) if t}
        return name, leaves

    def contract(self, name: str, source: Leaf, op: Conv, facts: dict[str, Any], tensor: str) -> Leaf:
        """Adds a contraction; returns its accumulators."""
        name, made = self.emit(name, op, (source,), tensor)
        assert made.interval is not None
        lo, hi = made.interval.bounds
        constant = int((made.interval.lo == made.interval.hi).sum())
        self.notes[name] = {
            "op": "dense" if op.is_dense else "conv",
            "shape": [op.mw, op.mh],
            "weights": op.weight_encoding.name,
            "input": self.encodings[source.tensor or ""].name,
            "accumulator": {"lo": lo, "hi": hi, "step": made.interval.step, "bits": self.encodings[made.tensor or ""].bits},
            "constant_channels": constant,
            "nonzero_weights": int(np.count_nonzero(op.weights)),
            **facts,
        }
        return made

    def integers(self, pending: Pending, fallback: str, tensor: str, channel_axis: int | None = 1) -> Integers:
        """The integer tensor behind a pending function, made by an activation node where one is needed.

        A model input that nobody has read yet becomes an image with its channels on ``channel_axis``, or (None) one flat pixel.
        Raises :class:`InputError` where nothing in the function makes integers.
        """
        pending = self.settled(pending, fallback, channel_axis)
        made = self.plain_integers(pending, fallback, tensor)
        self._note(pending, made, tensor)
        return made

    def plain_integers(self, pending: Pending, fallback: str, tensor: str) -> Integers:
        """As :meth:`integers`, of a tensor that the source graph does not show."""
        key = (id(pending.leaf), pending.expr)
        if key not in self._known:
            self._leaves.append(pending.leaf)
            self._known[key] = self._make(pending, fallback, tensor)
        return self._known[key]

    def _note(self, pending: Pending, made: Integers, tensor: str) -> None:
        """Remembers where in the source the integers stand."""
        assert made.leaf.tensor is not None
        if made.leaf.tensor in self.trace or made.leaf.shape[2] == 0:
            return
        direct = any(n.outputs[0] == made.leaf.tensor and n.inputs[0] == pending.leaf.tensor for n in self.nodes)
        core = split_affine(pending.expr, True).core if direct else None
        self.trace[made.leaf.tensor] = trace_entry(tensor, made.scale, made.offset, pending.layout, core)

    def _make(self, pending: Pending, fallback: str, tensor: str) -> Integers:
        shorter = self._behind_known(pending)
        if shorter is not None:
            return self.plain_integers(shorter, fallback, tensor)
        affine = split_affine(pending.expr, pending.leaf.integral)
        core_key = (id(pending.leaf), affine.core)
        if core_key in self._known:
            return behind(self._known[core_key], pending.expr, affine.core, affine)
        if pending.leaf.made is not None:
            return realised(self, pending, fallback, tensor)
        through = pass_through(affine, pending.leaf)
        if through is not None:
            return Integers(pending.leaf, affine.scale, affine.offset, through)
        activation = self._activation(affine, pending, fallback, tensor)
        if isinstance(activation, Integers):
            return activation
        label = next(reversed(affine.core.labels), fallback)
        made_leaf = pending.leaf if activation.op is None else self.activate(label, activation, pending.leaf, tensor)
        made = Integers(made_leaf, activation.scale, activation.offset, activation.rest)
        self._known[core_key] = made
        return behind(made, pending.expr, affine.core, affine)

    def _activation(self, affine: Affine, pending: Pending, fallback: str, tensor: str) -> Activation | Integers:
        """One op for all of the core, or, where that takes many thresholds, the integers behind a quantizer inside it first."""
        inner = next((e for e in reversed(walk(affine.core)[:-1]) if _is_earlier_quantizer(e, affine.core)), None)
        try:
            activation = activation_of(affine, pending.leaf)
            if inner is None or not isinstance(activation.op, Threshold) or activation.op.count <= FEW_THRESHOLDS:
                return activation
        except InputError:
            if inner is None:
                raise
        made = self.plain_integers(pending.with_expr(inner), fallback, f"{tensor}.before")
        if made.leaf is pending.leaf:
            return activation_of(affine, pending.leaf)
        expr = replaced(pending.expr, inner, made.rest)
        if expr is None:
            return activation_of(affine, pending.leaf)
        return self.plain_integers(Pending(made.leaf, expr, pending.layout), fallback, tensor)

    def activate(self, label: str, activation: Activation, source: Leaf, tensor: str) -> Leaf:
        """Adds the node of an activation."""
        assert activation.op is not None
        name, made = self.emit(label, activation.op, (source,), tensor)
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

    def remember(self, source: Leaf, core: Expr, made: Integers) -> None:
        """That ``core`` of ``source`` is there already."""
        self._leaves.append(source)
        self._known[(id(source), core)] = made

    def cached(self, what: Hashable, source: Leaf, make: Callable[[], Leaf]) -> Leaf:
        """What ``make`` builds of ``source``, once for the same ``what``."""
        key = (what, id(source))
        if key not in self._made:
            self._leaves.append(source)
            self._made[key] = make()
        return self._made[key]

    def settled(self, pending: Pending, fallback: str, channel_axis: int | None = 1) -> Pending:
        """The same value over integers that are decided, where it starts from a model input."""
        place = pending.leaf.source
        if place < 0 or pending.leaf.tensor is not None:
            return pending
        if self.inputs[place].leaf is None:
            self.inputs[place] = self._decided(self.inputs[place], pending, channel_axis)
        state = self.inputs[place]
        arrangement, expr = state.arrangement, replaced(pending.expr, state.core, state.rest)  # type: ignore[arg-type]
        assert state.leaf is not None
        assert arrangement is not None
        if expr is None:
            raise InputError(
                "INPUT-TWO-QUANTIZERS",
                f"the input {state.name!r} is quantized in two different ways",
                where=fallback,
                hint="Name the integers that arrive with --input-encoding and build the quantizers in with --input-quantizer hardware",
            )
        expr = map_constants(expr, arrangement.constant)
        if any(e.constant is not None and e.constant.ndim > 1 for e in walk(expr)):
            raise InputError(
                "PIXEL-CONSTANTS",
                f"constants that differ from pixel to pixel act on the input {state.name!r}",
                where=fallback,
                hint="Use one constant a channel, or quantize the input behind them",
            )
        return Pending(state.leaf, expr, pending.layout.through(arrangement.order))

    def _decided(self, state: InputState, pending: Pending, channel_axis: int | None) -> InputState:
        affine = split_affine(pending.expr, False)
        image = channel_axis is not None and len(pending.shape) > 2
        arrangement = Arrangement.image(pending.layout, channel_axis or 0) if image else Arrangement.flat(pending.leaf.channels)
        if state.wants_host(affine):
            state = host_integers(state, affine, arrangement)
        else:
            state = raw_integers(state, arrangement, needed=not affine.core.discretises)
        assert state.encoding is not None
        self.encodings[state.name] = state.encoding
        return state


def _is_earlier_quantizer(e: Expr, core: Expr) -> bool:
    """Whether ``e`` makes integers and all of ``core`` quantizes them again."""
    if not e.discretises or not is_integral(e, True):
        return False
    outer = replaced(core, e, leaf())
    return outer is not None and outer.discretises


def behind(made: Integers, expr: Expr, core: Expr, affine: Any) -> Integers:
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
