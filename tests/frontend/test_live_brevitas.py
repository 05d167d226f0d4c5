"""Live Brevitas networks with convolutions and branches arrive as source graphs that compute what Brevitas computes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from hwq.frontend.execute import execute
from hwq.frontend.live import live_graph
from hwq.frontend.source import SourceGraph

qnn = pytest.importorskip("brevitas.nn")


class Residual(nn.Module):
    """Both branches of every join go through one shared quantizer, as Brevitas asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = qnn.QuantConv2d(3, 8, 3, padding=1, weight_bit_width=4, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.act = qnn.QuantReLU(bit_width=4, return_quant_tensor=True)
        self.depthwise = qnn.QuantConv2d(8, 8, 3, padding=1, groups=8, weight_bit_width=4)
        self.shared = qnn.QuantIdentity(bit_width=4, return_quant_tensor=True)
        self.pool = nn.MaxPool2d(2)
        self.average = qnn.TruncAvgPool2d(4, bit_width=4)
        self.head = qnn.QuantLinear(8, 5, weight_bit_width=4, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shared(self.act(self.norm(self.stem(x))))
        y = self.shared(x + self.shared(self.depthwise(x)))
        return self.head(self.average(self.pool(y)).value.reshape(x.shape[0], -1))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quantizer = qnn.QuantIdentity(bit_width=4, return_quant_tensor=True)
        self.one = qnn.QuantConv2d(3, 4, 1, weight_bit_width=3, bias=False)
        self.three = qnn.QuantConv2d(3, 6, 3, padding=1, weight_bit_width=3, bias=False)
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.joined = qnn.QuantReLU(bit_width=4, return_quant_tensor=True)
        self.head = qnn.QuantConv2d(13, 5, 1, weight_bit_width=4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.quantizer(x)
        y = torch.cat([self.joined(self.one(x)), self.joined(self.three(x)), self.joined(self.pool(x.value))], dim=1)
        return self.head(y).mean((2, 3))


class UNet(nn.Module):
    """Two outputs; the upsampling takes its size from the skip."""

    def __init__(self) -> None:
        super().__init__()
        self.down = qnn.QuantConv2d(3, 4, 3, stride=2, padding=1, weight_bit_width=4, bias=False)
        self.stem = qnn.QuantConv2d(3, 4, 3, padding=1, weight_bit_width=4, bias=False)
        self.quantizer = qnn.QuantReLU(bit_width=4)
        self.head = qnn.QuantConv2d(8, 2, 1, weight_bit_width=4)
        self.scores = qnn.QuantLinear(4, 3, bias=True, weight_bit_width=4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        skip, deep = self.quantizer(self.stem(x)), self.quantizer(self.down(x))
        wide = f.interpolate(deep, size=skip.shape[2:], mode="nearest")
        scores = self.scores(f.adaptive_avg_pool2d(deep, 1).flatten(1))
        return {"pixels": self.head(torch.cat([skip, wide], 1)), "scores": scores}


class Sound(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            qnn.QuantIdentity(bit_width=8),
            qnn.QuantConv1d(3, 8, 5, stride=2, padding=2, weight_bit_width=4, bias=False),
            nn.BatchNorm1d(8),
            qnn.QuantReLU(bit_width=4),
            nn.MaxPool1d(2),
            qnn.QuantConv1d(8, 8, 3, dilation=2, groups=8, weight_bit_width=4, bias=False),
        )
        self.head = qnn.QuantLinear(8 * 12, 4, bias=False, weight_bit_width=4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return self.head(y.view(y.size(0), -1))


NETWORKS: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "residual": (Residual, (4, 3, 8, 8)),
    "inception": (Inception, (4, 3, 8, 8)),
    "u-net": (UNet, (4, 3, 8, 8)),
    "sound": (Sound, (4, 3, 64)),
}


def prepared(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(3)
    make, shape = NETWORKS[name]
    module, x = make(), torch.randn(*shape)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        for _ in range(2):
            module.train()(x)
    return module.eval(), x


def plain(value: Any) -> np.ndarray:
    return np.asarray(getattr(value, "value", value).detach())


@pytest.fixture(scope="module")
def graphs() -> dict[str, tuple[nn.Module, Tensor, SourceGraph]]:
    return {name: (*prepared(name), live_graph(*prepared(name))) for name in NETWORKS}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_computes_what_brevitas_computes(name: str, graphs: dict[str, tuple[nn.Module, Tensor, SourceGraph]]) -> None:
    module, x, graph = graphs[name]
    made = execute(graph, {graph.inputs[0].name: x.numpy()})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        result = module(x)
    expected = result if isinstance(result, dict) else {"output": result}
    assert set(made) == set(expected)
    for key, value in expected.items():
        assert np.abs(made[key] - plain(value)).max() <= 1e-5 * np.abs(plain(value)).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_keep_the_users_names(name: str, graphs: dict[str, tuple[nn.Module, Tensor, SourceGraph]]) -> None:
    module, _, graph = graphs[name]
    names = {n.name for n in graph.nodes}
    assert {path for path, part in module.named_modules() if type(part).__name__.startswith("QuantConv")} <= names
    assert not any("quant" in n.partition("/")[2] for n in names)


def test_further_uses_of_a_quantizer_are_numbered(graphs: dict[str, tuple[nn.Module, Tensor, SourceGraph]]) -> None:
    *_, graph = graphs["residual"]
    assert [n.name for n in graph.nodes if n.name.startswith("shared")] == ["shared", "shared@1", "shared@2"]
