"""Foreign ``.pt2`` files: an own reader of the graph's JSON. ``torch.export.load`` runs code from the file and is not used."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hwq.errors import HwqError, InputError, Problems
from hwq.frontend.exported import ExportedGraph, ExportedNode, Ref, TensorMeta, stateful
from hwq.frontend.pt2_archive import DTYPES, Archive, open_archive

__all__ = ["read_pt2"]

MAJOR_VERSION = 8  # of torch's export schema; the minor version only adds fields


def read_pt2(path: Path) -> ExportedGraph:
    """The graph of a ``.pt2`` archive written by ``torch.export.save`` (torch 2.9 or later); torch itself is not needed.

    Raises :class:`InputError` for damage, anything that would run code, and what is not plain inference.
    """
    archive = open_archive(path)
    try:
        return _Reader(archive, path).graph()
    except HwqError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, SyntaxError, OverflowError) as error:
        raise InputError("FILE-DAMAGED", f"the .pt2 file is damaged ({type(error).__name__}: {error})", where=path.name) from None


@dataclass(frozen=True)
class _Scope:
    """Names of one (sub)graph: what its tensors are called in the whole, and its sizes."""

    prefix: str
    renamed: dict[str, str]
    sizes: Mapping[str, Any]

    def tensor(self, name: str) -> str:
        return self.renamed.get(name, self.prefix + name)


class _Reader:
    """One archive as an :class:`ExportedGraph`."""

    def __init__(self, archive: Archive, path: Path) -> None:
        self.archive = archive
        self.path = path
        self.metas: dict[str, TensorMeta] = {}
        self.nodes: list[ExportedNode] = []

    def graph(self) -> ExportedGraph:
        document = self.archive.document
        version = document["schema_version"]["major"]
        if version > MAJOR_VERSION:
            raise InputError(
                "FILE-NEWER",
                f"it has export schema {version}, this hwq reads up to {MAJOR_VERSION}",
                where=self.path.name,
                hint="Update hwq",
            )
        module = document["graph_module"]
        inputs, tensors = self._inputs(module["signature"]["input_specs"])
        _refuse_dynamic(inputs, module["graph"]["tensor_values"])
        outputs = [self._output(spec) for spec in module["signature"]["output_specs"]]
        self._read(module["graph"], _Scope("", {}, module["graph"]["sym_int_values"]))
        parameters, names = _public_names(module.get("module_call_graph") or [], len(inputs), len(outputs))
        frozen = any(n.target.startswith("hwq.") for n in self.nodes)
        return ExportedGraph(
            self.path.stem,
            tuple(zip(parameters or inputs, inputs, strict=True)),
            tuple(zip(names, outputs, strict=True)),
            tuple(self.nodes),
            tensors,
            self.metas,
            frozen,
            {"format": "pt2", "producer": f"torch {document.get('torch_version', '')}".strip()},
        )

    def _inputs(self, specs: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, NDArray[Any]]]:
        inputs: list[str] = []
        tensors: dict[str, NDArray[Any]] = {}
        for spec in specs:
            ((kind, body),) = spec.items()
            if kind == "user_input" and "as_tensor" in body["arg"]:
                inputs.append(body["arg"]["as_tensor"]["name"])
            elif kind == "custom_obj":
                raise InputError("PICKLE", f"the model holds an opaque object ({body.get('custom_obj_name')!r})", where=self.path.name)
            elif kind in ("parameter", "buffer", "tensor_constant"):
                tensors[body["arg"]["name"]] = self._stored(kind, body)
        return inputs, tensors

    def _stored(self, kind: str, body: Mapping[str, Any]) -> NDArray[Any]:
        name = body[f"{kind}_name"]
        value = self.archive.weights.get(name)
        value = self.archive.constants.get(name) if value is None else value
        if value is None:
            raise InputError("TENSOR-MISSING", f"tensor {name!r} is not in the file", where=self.path.name)
        return value

    def _output(self, spec: Mapping[str, Any]) -> str:
        ((kind, body),) = spec.items()
        if kind in ("buffer_mutation", "parameter_mutation", "user_input_mutation"):
            raise stateful(str(body.get("buffer_name") or body.get("parameter_name") or body.get("user_input_name")), self.path.name)
        if kind != "user_output" or "as_tensor" not in body["arg"]:
            raise InputError("OUTPUT-KIND", "the model returns something that is no tensor", where=self.path.name)
        return str(body["arg"]["as_tensor"]["name"])

    def _read(self, graph: Mapping[str, Any], scope: _Scope) -> None:
        for name, meta in graph["tensor_values"].items():
            shape = tuple(_size(d) for d in meta["sizes"])
            self.metas.setdefault(scope.tensor(name), TensorMeta(shape, _dtype(meta["dtype"])))
        for node in graph["nodes"]:
            subgraphs = [i["arg"]["as_graph"] for i in node["inputs"] if "as_graph" in i["arg"]]
            if subgraphs and "wrap_with" in node["target"]:
                self._inline(node, subgraphs[0]["graph"], scope)
            else:
                self._node(node, scope)

    def _inline(self, node: Mapping[str, Any], graph: Mapping[str, Any], scope: _Scope) -> None:
        """A block under ``torch.no_grad`` or autocast is a subgraph: its nodes join the rest."""
        given = [scope.tensor(i["arg"]["as_tensor"]["name"]) for i in node["inputs"] if "as_tensor" in i["arg"]]
        wanted = [i["as_tensor"]["name"] for i in graph["inputs"] if "as_tensor" in i]
        made = [o["as_tensor"]["name"] for o in graph["outputs"]]
        results = [scope.tensor(n) for n in _output_names(node)]
        inner = dict(zip(wanted, given, strict=True)) | dict(zip(made, results, strict=False))
        self._read(graph, _Scope(f"{scope.prefix}{node.get('name', '')}/", inner, graph["sym_int_values"]))

    def _node(self, node: Mapping[str, Any], scope: _Scope) -> None:
        outputs = tuple(scope.tensor(n) if n else "" for n in _output_names(node))
        if not any(outputs):
            return  # arithmetic on sizes, assertions
        arguments = {i["name"]: self._argument(i["arg"], scope) for i in node["inputs"]}
        target = node["target"].removeprefix("torch.ops.")
        self.nodes.append(ExportedNode(target, _layer(node.get("metadata", {})), arguments, outputs))

    def _argument(self, argument: Mapping[str, Any], scope: _Scope) -> Any:
        ((kind, value),) = argument.items()
        if kind in ("as_none", "as_memory_format", "as_layout", "as_device"):
            return None
        if kind in ("as_tensor", "as_optional_tensor"):
            inner = value if kind == "as_tensor" else value.get("as_tensor")
            return None if inner is None else Ref(scope.tensor(inner["name"]))
        if kind == "as_tensors":
            return [Ref(scope.tensor(v["name"])) for v in value]
        if kind == "as_optional_tensors":
            return [Ref(scope.tensor(v["as_tensor"]["name"])) if "as_tensor" in v else None for v in value]
        if kind in ("as_sym_int", "as_sym_ints"):
            values = [_symbol(v, scope) for v in (value if kind == "as_sym_ints" else [value])]
            return values if kind == "as_sym_ints" else values[0]
        if kind == "as_scalar_type":
            return _dtype(value)
        if kind in ("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string", "as_strings"):
            return _float(value) if kind == "as_float" else value
        return f"<{kind}>"


def _refuse_dynamic(inputs: Sequence[str], metas: Mapping[str, Any]) -> None:
    """Only the batch of an input may be free."""
    problems: list[HwqError] = [
        InputError(
            "INPUT-DYNAMIC",
            f"axis {axis} of the input has a dynamic size, only the batch may be dynamic",
            where=name,
            hint="Export the model with a fixed size",
        )
        for name in inputs
        for axis, size in enumerate(metas[name]["sizes"])
        if axis and "as_expr" in size
    ]
    if problems:
        raise Problems(problems)


def _float(value: Any) -> float:
    """JSON has no infinities: torch writes them as text."""
    return float(value)


def _dtype(number: int) -> str:
    name = DTYPES.get(number, f"dtype{number}")
    return "float32" if name in ("float16", "bfloat16") else name


def _output_names(node: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    for output in node["outputs"]:
        if "as_tensor" in output:
            names.append(output["as_tensor"]["name"])
        elif "as_tensors" in output:
            names.extend(t["name"] for t in output["as_tensors"])
        else:
            names.append("")
    return names


def _layer(metadata: Mapping[str, str]) -> str:
    """The user's module path from ``key,path,class;key,path,class...``."""
    last = metadata.get("nn_module_stack", "").split(";")[-1]
    if last.startswith("_empty_nn_module_stack") or last.count(",") < 2:
        return ""
    key, rest = last.split(",", 1)
    path = rest.rpartition(",")[0]
    if path == "module" or path.startswith("module."):
        path = path[7:] if "hwq.quant" in metadata["nn_module_stack"].split(";")[0] else path
    _, at, use = key.rpartition("@")
    return f"{path}@{use}" if at and use.isdigit() and path else path


def _symbol(value: Mapping[str, Any], scope: _Scope) -> int:
    if "as_int" in value:
        return int(value["as_int"])
    return _size(scope.sizes[value["as_name"]])


def _size(size: Mapping[str, Any]) -> int:
    """A size for a batch of one frame: every free symbol is 1."""
    if "as_int" in size:
        return int(size["as_int"])
    return _evaluate(ast.parse(str(size["as_expr"]["expr_str"])[:1000], mode="eval").body)


def _evaluate(e: ast.expr) -> int:
    """Value of a sympy expression, as text or as its constructor calls, with every symbol 1."""
    if isinstance(e, ast.Constant) and isinstance(e.value, int):
        return e.value
    if isinstance(e, ast.Name):
        return 1
    if isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
        return -_evaluate(e.operand)
    if isinstance(e, ast.BinOp) and type(e.op) in _ARITHMETIC:
        return _apply(_ARITHMETIC[type(e.op)], [_evaluate(e.left), _evaluate(e.right)])
    if isinstance(e, ast.Call) and isinstance(e.func, ast.Name):
        return 1 if e.func.id == "Symbol" else _apply(e.func.id, [_evaluate(a) for a in e.args])
    raise ValueError(f"size {ast.unparse(e)!r}")


_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.FloorDiv: "FloorDiv", ast.Mod: "Mod"}


def _apply(name: str, values: list[int]) -> int:
    if name == "Sub":
        return values[0] - values[1]
    if name in ("FloorDiv", "CleanDiv", "Mod"):
        return values[0] % values[1] if name == "Mod" else values[0] // values[1]
    functions: dict[str, Callable[[list[int]], int]] = {"Add": sum, "Mul": math.prod, "Integer": sum, "Max": max, "Min": min}
    if name not in functions:
        raise ValueError(f"size function {name!r}")
    return functions[name](values)


def _public_names(calls: Sequence[Mapping[str, Any]], inputs: int, outputs: int) -> tuple[list[str], list[str]]:
    """Names of the parameters of ``forward`` ([] where unknown) and of the outputs."""
    signature = (calls[0].get("signature") if calls and calls[0].get("fqn") == "" else None) or {}
    parameters = [str(n) for n in signature.get("forward_arg_names") or []]
    names = _dict_keys(signature.get("out_spec") or "")
    if len(names) != outputs:
        names = ["output"] if outputs == 1 else [f"output_{k}" for k in range(outputs)]
    return (parameters if len(parameters) == inputs else []), names


def _dict_keys(spec: str) -> list[str]:
    """Keys of an output that is one flat dict."""
    try:
        tree = json.loads(spec)[1]
        flat = tree["type"] == "builtins.dict" and all(not c["children_spec"] for c in tree["children_spec"])
        return [str(k) for k in json.loads(tree["context"])] if flat else []
    except (ValueError, KeyError, TypeError, IndexError):
        return []
