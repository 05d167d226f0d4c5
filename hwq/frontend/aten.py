"""The table of torch operators: how each becomes nodes of ONNX's vocabulary, and the builder they write to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwq.errors import InputError
from hwq.frontend.exported import ExportedGraph, ExportedNode, Ref
from hwq.frontend.source import SourceNode

__all__ = ["HANDLERS", "ONNX_TYPES", "Call", "Handler", "SourceBuilder", "handles"]

# numpy dtype name -> ONNX TensorProto.DataType, the value of Cast's attribute ``to``.
ONNX_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "uint32": 12,
    "uint64": 13,
}


class SourceBuilder:
    """Collects the nodes and constants of a :class:`~hwq.frontend.source.SourceGraph`."""

    def __init__(self, graph: ExportedGraph, reserved: Sequence[str] = ()) -> None:
        self.graph = graph
        self.nodes: list[SourceNode] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.live: set[str] = set()  # tensors that depend on an input
        self._names: dict[str, str] = {}  # graph tensor -> source tensor
        self._taken = set(reserved)
        self._read = {tensor for _, tensor in graph.outputs} | {r for node in graph.nodes for r in _reads(node)}

    def bind(self, tensor: str, name: str) -> None:
        """``tensor`` of the exported graph is ``name`` of the source graph from here on."""
        self._names[tensor] = name

    def name_of(self, tensor: str) -> str:
        """Source tensor of an exported graph's tensor."""
        if tensor not in self._names:
            if tensor not in self.graph.tensors:
                raise InputError("GRAPH-DAMAGED", f"tensor {tensor!r} is used before anything makes it")
            self._names[tensor] = self.constant(self.graph.tensors[tensor], tensor)
        return self._names[tensor]

    def is_read(self, tensor: str) -> bool:
        """Whether anything in the exported graph reads the tensor, or gives it to the user."""
        return tensor in self._read

    def unique(self, name: str) -> str:
        """``name``, with a number behind it where it is taken."""
        candidate, k = name, 1
        while candidate in self._taken:
            candidate, k = f"{name}.{k}", k + 1
        self._taken.add(candidate)
        return candidate

    def constant(self, value: ArrayLike, name: str = "constant") -> str:
        """A new constant tensor."""
        key = self.unique(name)
        self.constants[key] = np.asarray(value)
        return key

    def emit(self, op: str, layer: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Any]) -> None:
        """One node; ``outputs`` are new source tensors."""
        if any(i in self.live for i in inputs):
            self.live.update(o for o in outputs if o)
        self.nodes.append(SourceNode(layer, op, tuple(inputs), tuple(outputs), dict(attributes)))


def _reads(node: ExportedNode) -> list[str]:
    values = [v for a in node.arguments.values() for v in (a if isinstance(a, list) else [a])]
    return [v.name for v in values if isinstance(v, Ref)]


class Call:
    """One torch operator while it is converted: its arguments by name, and where its results go."""

    def __init__(self, builder: SourceBuilder, node: ExportedNode) -> None:
        self.builder = builder
        self.node = node
        self.layer = node.layer or next((o for o in node.outputs if o), node.target)

    def get(self, name: str, default: Any = None) -> Any:
        """Plain argument ``name``."""
        value = self.node.arguments.get(name, default)
        return default if value is None else value

    def has(self, name: str) -> bool:
        """Whether argument ``name`` is given and not None."""
        return self.node.arguments.get(name) is not None

    def tensor(self, name: str) -> str:
        """Argument ``name`` as a source tensor; a number becomes a constant of the result's dtype."""
        value = self.node.arguments.get(name)
        if isinstance(value, Ref):
            return self.builder.name_of(value.name)
        if isinstance(value, bool | int | float):
            return self.number(value)
        raise InputError("GRAPH-DAMAGED", f"argument {name!r} of {self.node.target} is {value!r}, a tensor was expected", where=self.layer)

    def number(self, value: float) -> str:
        """A constant scalar in the float format that the operator computes in (a Python number is rounded to it, as torch does)."""
        return self.builder.constant(np.asarray(value, dtype=self._computing_dtype()))

    def _computing_dtype(self) -> str:
        dtypes = [self.builder.graph.metas[v.name].dtype for v in self.node.arguments.values() if isinstance(v, Ref)]
        floats = [d for d in dtypes if d.startswith("float")]
        return max(floats, default=self.dtype if self.dtype.startswith("float") else "float64", key=lambda d: int(d[5:]))

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of tensor argument ``name``."""
        value = self.node.arguments[name]
        return self.builder.graph.metas[value.name].shape if isinstance(value, Ref) else ()

    def dtype_of(self, name: str) -> str:
        """numpy dtype name of tensor argument ``name``."""
        return self.builder.graph.metas[self.node.arguments[name].name].dtype

    def axis(self, value: int, rank: int) -> int:
        """A non-negative axis."""
        return value + rank if value < 0 else value

    def inner_axis(self, value: int, rank: int, what: str, name: str = "self") -> int:
        """A non-negative axis of argument ``name``; the batch of a tensor that depends on the input is refused."""
        axis = self.axis(int(value), rank)
        if axis == 0 and isinstance(self.node.arguments.get(name), Ref):
            self.keep_batch(self.tensor(name), what)
        return axis

    def keep_batch(self, tensor: str, what: str) -> None:
        """Refuse ``what`` the operator does along the batch, unless ``tensor`` is a constant."""
        if tensor in self.builder.live:
            hint = "Frames are independent: use another axis"
            raise InputError("BATCH-AXIS", f"{what} works on the batch axis", where=self.layer, hint=hint)

    def integers(self, values: Sequence[int], name: str) -> str:
        """A constant list of integers."""
        return self.builder.constant(np.asarray(values, np.int64), name)

    @property
    def output(self) -> str:
        """Graph tensor of the first result that is used."""
        return next((o for o in self.node.outputs if o), "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return self.builder.graph.metas[self.output].shape

    @property
    def dtype(self) -> str:
        """numpy dtype name of the result."""
        meta = self.builder.graph.metas.get(self.output)
        return meta.dtype if meta else "float32"

    def step(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node in between; returns its output."""
        out = self.builder.unique(f"{self.output or self.node.target}.{op.lower()}")
        self.builder.emit(op, self.layer, inputs, (out,), attributes)
        return out

    def result(self, op: str, *inputs: str, index: int = 0, **attributes: Any) -> None:
        """The node that gives result ``index`` of the operator; nothing where that result is unused."""
        tensor = self.node.outputs[index] if index < len(self.node.outputs) else ""
        if tensor:
            out = self.builder.unique(tensor)
            self.builder.emit(op, self.layer, inputs, (out,), attributes)
            self.builder.bind(tensor, out)


Handler = Callable[[Call], None]
HANDLERS: dict[str, Handler] = {}


def handles(*targets: str) -> Callable[[Handler], Handler]:
    """Registers a function for operators, named with (``aten.add.Tensor``) or without (``aten.add``) their overload."""

    def register(function: Handler) -> Handler:
        for target in targets:
            HANDLERS[target] = function
        return function

    return register
