"""Small ONNX models for tests, built node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


@dataclass
class Graph:
    """Collects nodes; ``add`` gives the name of the node's first output."""

    shape: Sequence[int | str | None] = (1, 4)
    opset: int = 13
    nodes: list[Any] = field(default_factory=list)
    initializers: dict[str, np.ndarray] = field(default_factory=dict)
    count: int = 0

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers[name] = np.asarray(value, dtype=dtype)
        return name

    def add(self, op: str, *inputs: str, name: str | None = None, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        made = [f"t{self.count}" if k == 0 else f"t{self.count}_{k}" for k in range(outputs)]
        self.count += 1
        self.nodes.append(
            helper.make_node(op, list(inputs), made, name=f"{op}_{self.count}" if name is None else name, domain=domain, **attributes)
        )
        return made[0]

    def quant(
        self,
        x: str,
        scale: Any = 1.0,
        zero: Any = 0.0,
        bits: Any = 4,
        signed: int = 1,
        narrow: int = 0,
        mode: str = "ROUND",
        name: str | None = None,
    ) -> str:
        operands = (self.constant(scale), self.constant(zero), self.constant(bits))
        return self.add("Quant", x, *operands, name=name, domain=QONNX, signed=signed, narrow=narrow, rounding_mode=mode)

    def bipolar(self, x: str, scale: Any = 1.0, name: str | None = None) -> str:
        return self.add("BipolarQuant", x, self.constant(scale), name=name, domain=QONNX)

    def matmul(self, x: str, weights: Any, name: str | None = None) -> str:
        return self.add("MatMul", x, self.constant(weights), name=name)

    def batch_norm(self, x: str, gamma: Any, beta: Any, mean: Any, var: Any, name: str | None = None, eps: float = 1e-5) -> str:
        return self.add("BatchNormalization", x, *(self.constant(v) for v in (gamma, beta, mean, var)), name=name, epsilon=eps)

    def model(
        self, *outputs: str, types: Mapping[str, int] | None = None, annotation: str | None = None, input_type: int = TensorProto.FLOAT
    ) -> bytes:
        types = types or {}
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", input_type, self.shape)],
            [helper.make_tensor_value_info(o, types.get(o, TensorProto.FLOAT), None) for o in outputs],
            [numpy_helper.from_array(v, k) for k, v in self.initializers.items()],
        )
        if annotation is not None:
            entry = onnx.StringStringEntryProto(key="finn_datatype", value=annotation)
            graph.quantization_annotation.append(onnx.TensorAnnotation(tensor_name="x", quant_parameter_tensor_names=[entry]))
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
