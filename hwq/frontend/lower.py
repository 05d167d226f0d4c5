"""Lowering: symbolic execution of a source graph, from real numbers to the integer Network and the host programs around it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from hwq.errors import HwqError, InputError, Problems
from hwq.frontend.builder import Builder
from hwq.frontend.expression import composed, leaf
from hwq.frontend.fold import fold
from hwq.frontend.host_program import host_steps
from hwq.frontend.inputs import InputState
from hwq.frontend.options import InputEncoding, ReadOptions
from hwq.frontend.rules import RULES, refusal
from hwq.frontend.source import SourceGraph, SourceNode
from hwq.frontend.step import Step, Unresolved
from hwq.frontend.trace import TRACE, turned
from hwq.frontend.values import Constant, HostValue, Layout, Leaf, Pending, Unknown, Value
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import Conv
from hwq.numerics.encoding import Integer
from hwq.transform.mirror import fold_mirrors
from hwq.transform.orient import orient
from hwq.transform.padding import split_padding

__all__ = ["lower"]

log = logging.getLogger("hwq")

MAX_INPUT_ELEMENTS = 1 << 24
# Inputs of these types carry their integers as they are.
DTYPE_ENCODINGS = {"bool": "BINARY", "uint8": "UINT8", "int8": "INT8", "uint16": "UINT16", "int16": "INT16"}


def lower(graph: SourceGraph, options: ReadOptions | None = None) -> Model:
    """The Model of a source graph.

    Raises :class:`hwq.errors.Problems` with everything that stands in the way, each by the user's name for the layer.
    """
    return _Lowering(graph, options or ReadOptions()).run()


class _Lowering:
    def __init__(self, graph: SourceGraph, options: ReadOptions) -> None:
        self.graph, self.options = graph, options
        self.problems: list[HwqError] = []
        self.values: dict[str, Value | None] = {"": None}
        self.builder = Builder([self._input(k) for k in range(len(graph.inputs))], self.problems, self.options)
        self.names = _names(graph.nodes)

    def _input(self, place: int) -> InputState:
        source = self.graph.inputs[place]
        stated = None
        try:
            stated = self.options.encoding_of(source.encoding or DTYPE_ENCODINGS.get(source.dtype))
        except InputError as error:
            self.problems.append(error)
            stated = InputEncoding(Integer(8, False), Fraction(1), Fraction(0))  # one message for one mistake
        self.values[source.name] = self._start(place)
        return InputState(source, stated, self.options.input_quantizer == "hardware")

    def _start(self, place: int) -> Value:
        source = self.graph.inputs[place]
        if not source.shape or source.shape[0] != 1 or 0 in source.shape:
            self.problems.append(
                InputError(
                    "INPUT-SHAPE",
                    f"the input has shape {source.shape}, the first axis must be a batch of 1",
                    where=source.name,
                    hint="Export the model with a batch of 1 or a dynamic batch axis",
                )
            )
            return Unknown()
        if prod(source.shape) > MAX_INPUT_ELEMENTS:
            message = f"the input has shape {source.shape}, at most {MAX_INPUT_ELEMENTS} elements a frame are read"
            self.problems.append(InputError("INPUT-SHAPE", message, where=source.name))
            return Unknown()
        layout = Layout.of(source.shape)
        return Pending(Leaf(None, (1, 1, layout.size), None, place), leaf(), layout)

    def run(self) -> Model:
        needed = _needed(self.graph)
        for name, array in self.graph.constants.items():
            self.values.setdefault(name, Constant(np.asarray(array)))
        for place, node in enumerate(self.graph.nodes):
            if needed[place]:
                self._execute(node, self.names[place])
        outputs = self._outputs()
        self._check_input_options()
        if self.problems:
            raise Problems(_distinct(self.problems))
        return self._model(outputs)

    def _execute(self, node: SourceNode, name: str) -> None:
        missing = [i for i in node.inputs if i not in self.values]
        inputs = tuple(self.values.get(i, Unknown()) for i in node.inputs)
        step = Step(node, name, inputs, self.builder, self.options)
        try:
            if missing:
                raise step.error("GRAPH-ORDER", f"its input {missing[0]!r} is computed by no earlier node")
            made = self._apply(step)
        except Unresolved:
            made = ()
        except RecursionError:
            self.problems.append(step.error("GRAPH-DEPTH", "too many elementwise operations follow each other"))
            made = ()
        except HwqError as error:
            self.problems.extend(error.entries())
            made = ()
        for k, output in enumerate(node.outputs):
            if output:
                value = made[k] if k < len(made) else None
                self.values[output] = value if value is not None else Unknown(_shape_of(inputs))

    def _apply(self, step: Step) -> tuple[Value | None, ...]:
        if "::" in step.node.op:
            raise refusal(step)
        if all(v is None or isinstance(v, Constant) for v in step.inputs):
            return fold(step)
        if any(isinstance(v, Unknown) for v in step.inputs) and step.node.op not in RULES:
            raise refusal(step)
        rule = RULES.get(step.node.op)
        if rule is None:
            raise refusal(step)
        made = rule(step)
        return made if isinstance(made, tuple) else (made,)

    def _check_input_options(self) -> None:
        """Options that name the integers of the inputs say nothing where the model's own quantizers make them on the host."""
        o = self.options
        stated = {"--input-encoding": o.input_encoding, "--input-scale": o.input_scale, "--input-offset": o.input_offset}
        given = [option for option, value in stated.items() if value is not None]
        made = [i for i in self.builder.inputs if i.core is not None]
        if given and made and all(i.core is not None and i.core.op != "leaf" for i in made):
            own = made[0].encoding
            self.problems.append(
                InputError(
                    "OPTION",
                    f"the model quantizes its own input {made[0].name!r} to {own.name if own else 'integers'}",
                    where=given[0],
                    hint="Leave the option out, or add --input-quantizer hardware to build the quantizer in",
                )
            )

    def _outputs(self) -> list[tuple[str, HostValue]]:
        made: list[tuple[str, HostValue]] = []
        for name in self.graph.outputs:
            value = self.values.get(name)
            try:
                out = self._output(name, value)
            except RecursionError:
                self.problems.append(InputError("GRAPH-DEPTH", "too many elementwise operations follow each other", where=name))
                continue
            except HwqError as error:
                self.problems.extend(error.entries())
                continue
            if out is not None:
                made.append((name, out))
        if not made and not self.problems:
            self.problems.append(InputError("NO-LAYERS", "no output depends on the input", where=self.graph.name))
        return made

    def _output(self, name: str, value: Value | None) -> HostValue | None:
        """Integers and the host's steps behind them."""
        if isinstance(value, Unknown) and self.problems:
            return None
        if isinstance(value, Constant):
            log.warning("the output %r is a constant and is left out", name)
            return None
        if not isinstance(value, Pending | HostValue):
            raise InputError("OUTPUT", f"the output {name!r} does not depend on the input, or is not available", where=name)
        if isinstance(value, Pending):
            value = HostValue(value, (), value.shape)
        origin = value.origin
        origin = self._integers(name, origin)
        source, expr = origin.leaf, origin.expr
        if source.tensor is None or any(source.tensor == i.name for i in self.builder.inputs):
            if self.problems:
                return None
            raise InputError("NO-LAYERS", f"nothing between the inputs and {name!r} can go into hardware", where=name)
        steps = (*host_steps(expr), *origin.layout.host_steps(), *value.steps)
        return HostValue(origin, steps, value.shape, value.dtype, name)

    def _integers(self, name: str, origin: Pending) -> Pending:
        """The output over an integer tensor of the Network."""
        origin = self.builder.settled(origin, name)
        if origin.leaf.tensor is not None and not origin.expr.discretises:
            return origin
        try:
            made = self.builder.integers(origin, name, name)
        except InputError as error:
            if error.code != "NO-QUANTIZER" or origin.expr.discretises:
                raise
            made = self.builder.plain_integers(origin.with_expr(leaf()), name, name)
            return Pending(made.leaf, composed(origin.expr, made.rest), origin.layout)
        return Pending(made.leaf, made.rest, origin.layout)

    def _model(self, outputs: Sequence[tuple[str, HostValue]]) -> Model:
        b = self.builder
        inputs = [i for i in b.inputs if i.leaf is not None and i.encoding is not None]
        for unused in (i.name for i in b.inputs if i not in inputs):
            log.warning("note: no output depends on the input %r; it is left out", unused)
        tensors = list(dict.fromkeys(v.origin.leaf.tensor or "" for _, v in outputs))
        name = self.options.name or self.graph.name or "model"
        network = Network(
            name,
            tuple(NetworkInput(i.name, i.leaf.shape, i.encoding) for i in inputs if i.leaf and i.encoding),
            _alive(b.nodes, tensors),
            tuple(tensors),
        )
        network = fold_mirrors(network)
        oriented = orient(network)
        names = _free_names({v.origin.leaf.tensor or "": o for o, v in reversed(outputs)}, network)
        trace = {names.get(t, t): entry for t, entry in turned(b.trace, network, oriented).items() if t in network.tensors}
        notes = {**{n.name: b.notes.get(n.name, {}) for n in network.nodes}, **_turned_notes(network, oriented, b.notes), TRACE: trace}
        network = split_padding(_renamed(oriented, names))
        named = dict(zip(tensors, network.outputs, strict=True))
        model_inputs = tuple(ModelInput(i.name, i.source.shape[1:], i.source.dtype, i.head) for i in inputs)
        model_outputs = tuple(self._described(o, v, named[v.origin.leaf.tensor or ""]) for o, v in outputs)
        return Model(network, model_inputs, model_outputs, dict(self.graph.provenance), self.graph.document(), notes)

    def _described(self, name: str, value: HostValue, tensor: str) -> ModelOutput:
        first = self.graph.inputs[0].dtype
        floating = first if np.dtype(first).kind == "f" else "float32"
        dtype = value.dtype or self.graph.provenance.get("output_dtypes", {}).get(name) or floating
        return ModelOutput(name, tensor, value.shape[1:], dtype, value.steps)


def _names(nodes: Sequence[SourceNode]) -> list[str]:
    """The user's names, or the op and its place where there is none."""
    return [n.name or f"{n.op}_{k}" for k, n in enumerate(nodes)]


def _needed(graph: SourceGraph) -> list[bool]:
    """Which nodes lead to an output; dead branches are dropped."""
    wanted = set(graph.outputs)
    needed = [False] * len(graph.nodes)
    for place in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[place]
        if any(o in wanted for o in node.outputs if o):
            needed[place] = True
            wanted.update(i for i in node.inputs if i)
    return needed


def _alive(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[Node, ...]:
    """The nodes that lead to an output; outputs that nobody reads are dropped."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs) - {""}:
            kept.append(replace(node, outputs=tuple(o if o in wanted else "" for o in node.outputs)))
            wanted.update(node.inputs)
    return tuple(reversed(kept))


def _shape_of(inputs: Sequence[Value | None]) -> tuple[int, ...] | None:
    return next((v.shape for v in inputs if isinstance(v, Pending | HostValue | Unknown)), None)


def _free_names(names: dict[str, str], network: Network) -> dict[str, str]:
    """Output tensors and the model's names for them, where those are free."""
    return {old: new for old, new in names.items() if new not in network.tensors}


def _renamed(network: Network, names: dict[str, str]) -> Network:
    """The Network with some tensors under other names."""
    nodes = tuple(
        replace(n, inputs=tuple(names.get(i, i) for i in n.inputs), outputs=tuple(names.get(o, o) for o in n.outputs))
        for n in network.nodes
    )
    return Network(network.name, network.inputs, nodes, tuple(names.get(o, o) for o in network.outputs))


def _turned_notes(before: Network, after: Network, notes: dict[str, Any]) -> dict[str, Any]:
    """Notes of contractions whose rows were negated: the interval as it is now, and how many rows."""
    changed = {}
    for old, new in zip(before.nodes, after.nodes, strict=True):
        if isinstance(old.op, Conv) and isinstance(new.op, Conv) and not np.array_equal(old.op.weights, new.op.weights):
            info = after.tensors[new.outputs[0]]
            lo, hi = info.interval.bounds
            negated = int((old.op.weights != new.op.weights).any((1, 2, 3)).sum())
            accumulator = {**notes[new.name]["accumulator"], "lo": lo, "hi": hi, "bits": info.encoding.bits}
            changed[new.name] = {**notes[new.name], "accumulator": accumulator, "negated_channels": negated}
    return changed


def _distinct(problems: list[HwqError]) -> list[HwqError]:
    return list({(p.code, p.where, p.message): p for p in problems}.values())
