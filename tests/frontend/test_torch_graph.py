"""The table of torch operators: the source graph computes what torch computes, executed by hwq's numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as f

from hwq.errors import InputError, Problems
from hwq.frontend.aten import HANDLERS, ONNX_TYPES
from hwq.frontend.execute import execute
from hwq.frontend.exported import ExportedGraph, ExportedNode, Ref, TensorMeta
from hwq.frontend.live import live_graph
from hwq.frontend.torch_export import export_module
from hwq.frontend.torch_graph import source_graph

Function = Callable[[torch.Tensor], torch.Tensor]
GRID = (torch.arange(-48, 48).reshape(4, 24) / 16.0).to(torch.float32)
V = torch.linspace(-2, 2, 24)

# Exact in float32 both here and in torch: selection, rounding, one IEEE operation an element.
EXACT: dict[str, Function] = {
    "relu": torch.relu,
    "relu6": f.relu6,
    "relu in place": lambda x: (x * 1).relu_() + 1,
    "hardtanh": lambda x: f.hardtanh(x, -0.5, 0.75),
    "clamp": lambda x: x.clamp(-1, 0.5),
    "clamp below": lambda x: x.clamp(min=0.25),
    "clamp above": lambda x: torch.clamp_max(x, 0.25),
    "clamp by tensors": lambda x: torch.clamp(x, V - 1, V),
    "abs": torch.abs,
    "neg": lambda x: -x,
    "round half even": lambda x: torch.round(4 * x),
    "floor": lambda x: torch.floor(2 * x),
    "ceil": lambda x: torch.ceil(2 * x),
    "sign": torch.sign,
    "add": lambda x: x + 0.1,
    "add alpha": lambda x: torch.add(x, V, alpha=2),
    "sub": lambda x: x - V,
    "rsub": lambda x: 3 - x,
    "mul": lambda x: x * V,
    "div": lambda x: x / (V + 5),
    "floor division": lambda x: torch.div(x, 0.25, rounding_mode="floor"),
    "square": torch.square,
    "pow": lambda x: x**2,
    "maximum": lambda x: torch.maximum(x, V),
    "minimum": lambda x: torch.minimum(x, V),
    "where ge": lambda x: torch.where(x >= 0, 1.0, -1.0),
    "where gt": lambda x: torch.where(x > 0.5, x, V),
    "where le lt": lambda x: (x <= 0.5).float() + (x < -1).float(),
    "eq ne": lambda x: (x == 0.5).float() - (x != 1).float(),
    "view": lambda x: x.view(x.shape[0], 4, 6).flatten(1),
    "unsqueeze": lambda x: x.unsqueeze(1).squeeze(1),
    "transpose": lambda x: x.reshape(-1, 4, 6).transpose(1, 2).flatten(1),
    "permute": lambda x: x.reshape(-1, 2, 3, 4).permute(0, 3, 1, 2).reshape(-1, 24),
    "cat": lambda x: torch.cat([x, -x], 1),
    "detach clone": lambda x: x.detach().clone().contiguous(),
    "dropout": lambda x: f.dropout(x, 0.5, training=False),
    "straight through": lambda x: x + (torch.round(x) - x).detach(),
    "argmax": lambda x: x.argmax(1).float(),
    "max": lambda x: x.max(1).values,
    "max index": lambda x: torch.max(x, 1).indices.float(),
    "amax": lambda x: x.amax(1, keepdim=True),
    "topk": lambda x: torch.topk(x, 3, 1).values,
    "topk index": lambda x: torch.topk(x, 3, 1).indices.float(),
    "threshold": lambda x: f.threshold(x, 0.25, -0.5),
    "leaky relu": lambda x: f.leaky_relu(x, 0.25),
    "prelu": lambda x: f.prelu(x, torch.full((24,), 0.125)),
    "double": lambda x: x.double().float(),
    "fake quantize": lambda x: torch.fake_quantize_per_tensor_affine(x, 0.25, 3, 0, 15),
    "fake quantize channels": lambda x: torch.fake_quantize_per_channel_affine(
        x, torch.full((24,), 0.5), torch.zeros(24, dtype=torch.int32), 1, -4, 3
    ),
}
# The same up to float rounding: several roundings, or a library function.
CLOSE: dict[str, Function] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "log": lambda x: torch.log(x.abs() + 1),
    "silu": f.silu,
    "glu": lambda x: f.glu(x, 1),
    "gelu": f.gelu,
    "softmax": lambda x: torch.softmax(x, 1),
    "log softmax": lambda x: torch.log_softmax(x, -1),
    "sqrt": lambda x: torch.sqrt(x.abs()),  # torch's float32 square root is not the nearest one
    "softplus": f.softplus,
    "hardsigmoid": f.hardsigmoid,
    "elu": lambda x: f.elu(x, 0.7),
    "celu": lambda x: f.celu(x, 0.5),
    "selu": f.selu,
    "hardswish": f.hardswish,
    "mish": f.mish,
    "log sigmoid": f.logsigmoid,
    "mean": lambda x: x.mean(1),
    "sum": lambda x: x.sum(1, keepdim=True),
    "rsqrt": lambda x: torch.rsqrt(x.abs() + 1),
    "reciprocal": lambda x: torch.reciprocal(x.abs() + 1),
}


class Wrapped(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def run(module: nn.Module, x: torch.Tensor) -> np.ndarray:
    graph = live_graph(module.eval(), x)
    return execute(graph, {graph.inputs[0].name: x.numpy()})[graph.outputs[0]]


@pytest.mark.parametrize("name", EXACT)
def test_exact_operators(name: str) -> None:
    expected = EXACT[name](GRID.clone()).numpy()
    got = run(Wrapped(EXACT[name]), GRID)
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)


@pytest.mark.parametrize("name", CLOSE)
def test_operators_with_float_rounding(name: str) -> None:
    expected = CLOSE[name](GRID.clone()).numpy()
    np.testing.assert_allclose(run(Wrapped(CLOSE[name]), GRID).reshape(expected.shape), expected, rtol=1e-5, atol=1e-6)


def test_linear_layers_by_every_road() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(24, 5)
    norm = nn.BatchNorm1d(5)
    norm.running_mean.uniform_(-1, 1)
    functions: list[Function] = [
        lambda x: norm(layer(x)),
        lambda x: x @ layer.weight.T + layer.bias,
        lambda x: torch.addmm(layer.bias, x, layer.weight.t()),
        lambda x: torch.addmm(layer.bias, x, layer.weight.t(), beta=0.5, alpha=-2),
        lambda x: torch.mm(x, layer.weight.transpose(0, 1)),
    ]
    norm.eval()
    for function in functions:
        module = Wrapped(function)
        module.layer, module.norm = layer, norm
        with torch.no_grad():
            expected = module.eval()(GRID).numpy()
        np.testing.assert_allclose(run(module, GRID), expected, rtol=1e-4, atol=1e-5)


def test_an_autograd_function_is_traced_through() -> None:
    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return torch.where(x >= 0, 1.0, -1.0)

        @staticmethod
        def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
            return gradient

    graph = live_graph(Wrapped(Sign.apply).eval(), GRID)
    assert [n.op for n in graph.nodes] == ["GreaterOrEqual", "Where", "Identity"]


def test_numbers_take_the_float_format_of_the_tensor() -> None:
    graph = live_graph(Wrapped(lambda x: x * 0.1).eval(), GRID)
    (value,) = (graph.constants[n.inputs[1]] for n in graph.nodes if n.op == "Mul")
    assert value.dtype == np.float32
    assert value == np.float32(0.1)


def test_unknown_operators_keep_their_name_and_layer() -> None:
    net = nn.Sequential()
    net.add_module("wave", Wrapped(torch.sin))
    graph = live_graph(net.eval(), GRID)
    assert next((n.name, n.op) for n in graph.nodes) == ("wave", "aten.sin.default")


def test_inexpressible_layers_are_kept_with_their_reason_for_the_algebra_to_refuse() -> None:
    net = nn.Sequential()
    net.add_module("first", Wrapped(lambda x: torch.div(x, 3, rounding_mode="trunc")))
    net.add_module("second", Wrapped(lambda x: torch.round(x, decimals=2)))
    kept = [n for n in live_graph(net.eval(), GRID).nodes if n.op.startswith("aten.")]
    assert [n.name for n in kept] == ["first", "second"]
    assert ["trunc" in kept[0].attributes["hwq_reason"], "2 decimals" in kept[1].attributes["hwq_reason"]] == [True, True]


def test_mixing_the_batch_into_other_axes_is_refused() -> None:
    with pytest.raises(Problems) as caught:
        live_graph(Wrapped(lambda x: x.reshape(x.shape[0] * 2, 12).relu().reshape(-1, 24)).eval(), GRID)
    assert caught.value.entries()[0].code == "BATCH-AXIS"


def test_names_of_inputs_and_outputs_may_not_collide() -> None:
    class Same(nn.Module):
        def forward(self, output: torch.Tensor) -> torch.Tensor:
            return output + 1

    with pytest.raises(InputError) as caught:
        live_graph(Same().eval(), GRID)
    assert caught.value.code == "IO-NAMES"


@pytest.mark.parametrize("node", ["batch_norm", "dropout"])
def test_graphs_exported_in_train_mode_are_refused(node: str) -> None:
    metas = {k: TensorMeta((1, 4), "float32") for k in ("x", "y", "v")}
    arguments = {"input": Ref("x"), "running_mean": Ref("v"), "running_var": Ref("v"), "training": True, "train": True, "p": 0.5}
    graph = ExportedGraph(
        "g", (("x", "x"),), (("y", "y"),), (ExportedNode(f"aten.{node}.default", "block.0", arguments, ("y",)),), {}, metas
    )
    with pytest.raises(Problems) as caught:
        source_graph(graph)
    assert [(p.code, p.where) for p in caught.value.entries()] == [("TRAIN-MODE", "block.0")]


def test_half_precision_weights_are_widened_exactly() -> None:
    module = Wrapped(lambda x: x * module.third)
    module.register_buffer("third", torch.tensor([1 / 3] * 24, dtype=torch.bfloat16))
    graph = export_module(module.eval(), (GRID,), "g")
    (stored,) = graph.tensors.values()
    np.testing.assert_array_equal(stored, module.third.float().numpy())


def test_the_table_names_operators_that_exist() -> None:
    import hwq.quant.frozen  # noqa: F401

    for name in HANDLERS:
        namespace, op = name.split(".")[:2]
        if namespace != "quantized_decomposed":
            assert hasattr(getattr(torch.ops, namespace), op), name


def test_onnx_type_numbers_are_onnx_s() -> None:
    from onnx import TensorProto

    for name, number in ONNX_TYPES.items():
        onnx_name = {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper())
        assert TensorProto.DataType.Value(onnx_name) == number
