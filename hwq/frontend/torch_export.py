"""A live torch module as an :class:`ExportedGraph`, through ``torch.export`` in this process."""

from __future__ import annotations

import inspect
import logging
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim, ExportedProgram, export
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils import _pytree as pytree

from hwq.errors import HwqError, InputError, Problems
from hwq.frontend.aten_refused import RECURRENT
from hwq.frontend.exported import ExportedGraph, ExportedNode, Ref, TensorMeta, stateful
from hwq.frontend.torch_silence import silence

__all__ = ["export_module", "output_names", "to_numpy"]

LOG = logging.getLogger("hwq")
NARROW_FLOATS = (torch.float16, torch.bfloat16)
RESHAPES = frozenset(["aten.view", "aten.reshape", "aten._unsafe_view", "aten.flatten", "aten.squeeze", "aten.unsqueeze", "aten.unflatten"])
CUTS = frozenset(["aten.slice", "aten.narrow", "aten.select", "aten.index_select", "aten.index"])
TRACE_HINT = "Control flow on tensor values and calls into other libraries cannot be traced"
BRANCH_HINT = "Hardware computes the same for every frame: take the branch out of the forward"
ARITHMETIC = frozenset(["aten.add", "aten.sub", "aten.rsub", "aten.mul", "aten.div", "aten.pow"])


def export_module(module: nn.Module, example: tuple[Any, ...], name: str) -> ExportedGraph:
    """Export ``module`` in eval mode with a free batch where it allows one.

    Inputs are named as the parameters of the user's ``forward``. Raises :class:`InputError` when torch cannot export it.
    """
    user = _user(module)
    frozen = user is not module
    _refuse_recurrent(user)
    program, outputs = _export(module, example)
    return _Converter(program, "module" if frozen else "").graph(name, _parameter_names(user, len(example)), outputs, frozen)


def _user(module: nn.Module) -> nn.Module:
    """The user's module: what a frozen one holds."""
    from hwq.quant.frozen import Frozen

    return module.module if isinstance(module, Frozen) else module


def _refuse_recurrent(module: nn.Module) -> None:
    """Before the export: it would write out every step of them, which takes minutes."""
    paths = [path for path, part in module.named_modules() if isinstance(part, nn.RNNBase)]
    if paths:
        reason, hint = RECURRENT
        raise Problems([InputError("OP-UNSUPPORTED", reason, where=path or type(module).__name__, hint=hint) for path in paths])


def _parameter_names(module: nn.Module, count: int) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in inspect.signature(module.forward).parameters.values() if p.kind in kinds]
    return names[:count] if len(names) >= count else [f"input_{k}" for k in range(count)]


def to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """The values of a tensor; half precision is widened to float32, which holds it exactly."""
    t = tensor.detach().cpu()
    return np.array((t.float() if t.dtype in NARROW_FLOATS else t).numpy(), order="C")


def _export(module: nn.Module, example: tuple[Any, ...]) -> tuple[ExportedProgram, list[str]]:
    user = _user(module)
    outputs = output_names(module, example)
    # Two frames of the example: torch specialises a batch of 0 or 1. Where a free batch fails, one frame is exported.
    twice = pytree.tree_map(_two_frames, example)
    shapes = pytree.tree_map(lambda t: {0: Dim.DYNAMIC} if isinstance(t, torch.Tensor) and t.dim() else None, twice)
    variadic = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in inspect.signature(module.forward).parameters.values())
    try:
        return _quiet_export(module, twice, (shapes,) if variadic else shapes), outputs
    except HwqError:
        raise
    except Exception as error:
        LOG.debug("export with a free batch failed, one frame is exported: %s", error)
    try:
        return _quiet_export(module, pytree.tree_map(_one_frame, example), None), outputs
    except HwqError:
        raise
    except Exception as error:  # torch raises dozens of types here, all meaning the same to the user
        raise _export_failed(error, type(user).__name__) from None


def _export_failed(error: Exception, where: str) -> InputError:
    if "data-dependent" in str(error):
        reason, hint = "its forward branches on the values of a tensor", BRANCH_HINT
    else:
        reason, hint = _first_line(error), TRACE_HINT
    return InputError("EXPORT-FAILED", f"torch.export cannot trace the module: {reason}", where=where, hint=hint)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__


def _quiet_export(module: nn.Module, example: tuple[Any, ...], shapes: Any) -> ExportedProgram:
    with silence(), torch.no_grad():
        program = export(module, example, dynamic_shapes=shapes, strict=False)
        if any(getattr(n.target, "_schema", None) is not None and n.target._schema.is_mutable for n in program.graph.nodes):
            return program.run_decompositions({})  # takes writes in place out of the graph, and nothing else apart
        return program


def _two_frames(value: Any) -> Any:
    return torch.cat([value[:1], value[:1]]) if isinstance(value, torch.Tensor) and value.dim() else value


def _one_frame(value: Any) -> Any:
    return value[:1] if isinstance(value, torch.Tensor) and value.dim() else value


def output_names(module: nn.Module, example: tuple[Any, ...]) -> list[str]:
    """Public names of the outputs: keys of a dict, else ``output``, or ``output_0`` and so on; also proves that the example fits."""
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            result = module(*example)
    except HwqError:
        raise
    except Exception as error:
        message = f"the module does not run on the example input: {_first_line(error)}"
        raise InputError("EXAMPLE-INPUT", message, where=type(_user(module)).__name__) from None
    leaves = pytree.tree_leaves(result)
    if not leaves or not all(isinstance(leaf, torch.Tensor) for leaf in leaves):
        raise InputError("OUTPUT-KIND", "the module returns something that is no tensor", where=type(_user(module)).__name__)
    if isinstance(result, dict) and len(result) == len(leaves):
        return [str(key) for key in result]
    return ["output"] if len(leaves) == 1 else [f"output_{k}" for k in range(len(leaves))]


class _Converter:
    """One exported program as plain data."""

    def __init__(self, program: ExportedProgram, prefix: str) -> None:
        self.program = program
        self.prefix = prefix
        self.metas: dict[str, TensorMeta] = {}
        self.problems: list[HwqError] = []

    def graph(self, name: str, parameters: Sequence[str], outputs: Sequence[str], frozen: bool) -> ExportedGraph:
        tensors: dict[str, NDArray[Any]] = {}
        inputs: list[tuple[str, str]] = []
        signature = self.program.graph_signature
        for spec in signature.input_specs:
            tensor = spec.arg.name
            if spec.kind == InputKind.USER_INPUT:
                inputs.append((parameters[len(inputs)] if len(parameters) > len(inputs) else tensor, tensor))
            elif spec.target is not None:
                tensors[tensor] = self._stored(spec.target)
        for output in signature.output_specs:
            if output.kind in (OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION, OutputKind.USER_INPUT_MUTATION):
                raise stateful(str(output.target))
        results = [s.arg.name for s in signature.output_specs if s.kind == OutputKind.USER_OUTPUT]
        nodes = [node for node in self.program.graph.nodes if node.op == "call_function"]
        for node in self.program.graph.nodes:
            self._record(node.name, node.meta.get("val"))
        kept = [self._node(node) for node in nodes if node.target is not operator.getitem and self._is_tensor_op(node)]
        if self.problems:
            raise Problems(self.problems)
        return ExportedGraph(
            name,
            tuple(i for i in inputs if i[1] in self.metas),  # an input that is no tensor is fixed by the export
            tuple(zip(outputs, results, strict=True)),
            tuple(kept),
            tensors,
            self.metas,
            frozen,
            {"producer": f"torch {torch.__version__}"},
        )

    def _stored(self, target: str) -> NDArray[Any]:
        value = self.program.state_dict.get(target)
        if value is None:
            value = self.program.constants[target]
        if not isinstance(value, torch.Tensor):
            raise InputError(
                "EXPORT-FAILED",
                f"the module holds a {type(value).__name__} ({target}) that takes part in its forward",
                hint="Compute with tensors alone",
            )
        return to_numpy(value)

    def _record(self, name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            self.metas[name] = TensorMeta(tuple(_at_batch_1(d) for d in value.shape), dtype_name(value.dtype))

    @staticmethod
    def _is_tensor_op(node: Any) -> bool:
        """Whether the op yields tensors; arithmetic on sizes and assertions are done with."""
        value = node.meta.get("val")
        values = value if isinstance(value, tuple | list) else (value,)
        return any(isinstance(v, torch.Tensor) for v in values)

    def _node(self, node: Any) -> ExportedNode:
        target = node.target
        try:
            _check_batch(node, self._layer(node))
        except InputError as error:
            self.problems.append(error)
        if isinstance(target, torch._ops.OpOverload):
            names = [a.name for a in target._schema.arguments]
            arguments = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
            label = str(target)
        else:
            arguments = {str(k): v for k, v in enumerate(node.args)} | dict(node.kwargs)
            label = getattr(target, "__name__", str(target))
        return ExportedNode(label, self._layer(node), {k: self._plain(v) for k, v in arguments.items()}, self._outputs(node))

    def _outputs(self, node: Any) -> tuple[str, ...]:
        value = node.meta.get("val")
        if not isinstance(value, tuple | list):
            return (node.name,)
        names = [""] * len(value)
        for user in node.users:
            if user.target is operator.getitem:
                names[user.args[1]] = user.name
        return tuple(names)

    def _layer(self, node: Any) -> str:
        stack = node.meta.get("nn_module_stack") or {}
        if not stack:
            return ""
        key, (path, _) = list(stack.items())[-1]
        return layer_name(key, path, self.prefix)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, torch.fx.Node):
            meta = value.meta.get("val")
            return Ref(value.name) if isinstance(meta, torch.Tensor) else _at_batch_1(meta)
        if isinstance(value, list | tuple):
            return [self._plain(v) for v in value]
        if isinstance(value, torch.dtype):
            return dtype_name(value)
        if isinstance(value, bool | int | float | str) or value is None:
            return value
        return _at_batch_1(value) if isinstance(value, torch.SymInt) else str(value)


def layer_name(key: str, path: str, prefix: str) -> str:
    """The user's name of a module use: its path, with the ``@n`` that the stack's key carries for further uses."""
    if path.startswith("_empty_nn_module_stack"):
        return ""
    if prefix and (path == prefix or path.startswith(prefix + ".")):
        path = path[len(prefix) + 1 :]
    _, at, use = key.rpartition("@")
    return f"{path}@{use}" if at and use.isdigit() and path else path


def dtype_name(dtype: torch.dtype) -> str:
    """numpy's name of a torch dtype; half precision counts as float32, to which it is widened."""
    return "float32" if dtype in NARROW_FLOATS else str(dtype).removeprefix("torch.")


def _at_batch_1(size: Any) -> Any:
    """A size of the traced graph for a batch of one frame: every free symbol is 1."""
    return _at_batch(size, 1)


def _at_batch(size: Any, frames: int) -> Any:
    if isinstance(size, torch.SymInt):
        expression = size.node.expr
        return int(expression.subs(dict.fromkeys(expression.free_symbols, frames)))
    return size


def _check_batch(node: Any, layer: str) -> None:
    """Refuse what would be another function for another batch: frames are independent in hardware."""
    base = str(node.target).rpartition(".")[0]
    values = [a.meta.get("val") if isinstance(a, torch.fx.Node) else a for a in node.args]
    if base in ARITHMETIC and any(isinstance(v, torch.SymInt) for v in values):
        raise InputError("BATCH-AXIS", "it computes with the number of frames in the batch", where=layer or None, hint="Write a constant")
    if base in RESHAPES | CUTS and isinstance(values[0], torch.Tensor) and values[0].dim():
        before, after = values[0].shape[0], node.meta["val"].shape
        if isinstance(before, torch.SymInt) and (not after or _at_batch(before, 7) != _at_batch(after[0], 7)):
            if base in CUTS:
                message, hint = "it takes frames out of the batch", "Frames are independent: cut along another axis"
            else:
                message, hint = "a reshape mixes the batch with other axes", "Keep the first axis: x.reshape(x.shape[0], -1)"
            raise InputError("BATCH-AXIS", message, where=layer or None, hint=hint)
