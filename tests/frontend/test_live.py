"""Live modules: frozen hwq.quant, someone's own fake quantization, Brevitas; and those that cannot be taken as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as f

from hwq.errors import InputError, Problems
from hwq.frontend.live import is_torch_module, live_graph
from hwq.frontend.read import read
from hwq.quant import Bipolar, Linear, freeze

GRID = torch.randint(-40, 40, (200, 12), generator=torch.Generator().manual_seed(3)) / 16.0


class RoundToBits(torch.autograd.Function):
    """Someone's own quantizer, DoReFa's activations."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, bits: int) -> torch.Tensor:
        levels = 2**bits - 1
        return torch.round(x.clamp(0, 1) * levels) / levels

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


class OwnLinear(nn.Linear):
    """Someone's own binary layer: weights are signs times their mean, by the straight-through trick."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hard = torch.where(self.weight >= 0, 1.0, -1.0) * self.weight.abs().mean()
        return f.linear(x, self.weight + (hard - self.weight).detach() if self.training else hard, self.bias)


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.norm, self.fc2 = OwnLinear(12, 16), nn.BatchNorm1d(16), OwnLinear(16, 4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = RoundToBits.apply(pixels * 0.5 + 0.25, 4)
        x = RoundToBits.apply(self.norm(self.fc1(x)), 2)
        y: torch.Tensor = self.fc2(x)
        return y


def own() -> Own:
    torch.manual_seed(2)
    module = Own()
    with torch.no_grad():
        for _ in range(20):
            module(GRID)
    return module.eval()


def test_own_fake_quantization_is_recognised_by_what_it_computes() -> None:
    module = own()
    model = read(module, None, GRID[:3])
    assert [(n.op.kind, n.name) for n in model.network.nodes if n.op.kind == "conv"] == [("conv", "fc1"), ("conv", "fc2")]
    assert model.inputs[0].name == "pixels"
    with torch.no_grad():
        expected = module(GRID).numpy()
    got = model.run({"pixels": GRID.numpy()})["output"]
    # torch's float32 sums may tip a code at a tie; the rest agrees to float32.
    assert (np.abs(got - expected) < 1e-5).all(axis=1).mean() > 0.95


def test_frozen_modules_compile_under_the_users_names() -> None:
    net = nn.Sequential()
    net.add_module("it's", Linear(12, 4, weight=Bipolar(), input=Bipolar()))
    model = read(freeze(net.eval()), None, GRID[:2])
    assert [n.name for n in model.network.nodes] == ["it's"]
    assert model.name == "Sequential"


def test_unfrozen_modules_are_refused() -> None:
    with pytest.raises(InputError, match=r"hwq\.quant\.freeze") as caught:
        live_graph(nn.Sequential(Linear(12, 4, weight=Bipolar())).eval(), GRID)
    assert caught.value.code == "UNFROZEN"


def test_train_mode_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        live_graph(own().train(), GRID)
    assert caught.value.code == "TRAIN-MODE"


def test_an_example_is_needed() -> None:
    with pytest.raises(InputError) as caught:
        live_graph(own(), None)
    assert caught.value.code == "EXAMPLE-INPUT"


def test_a_module_that_changes_its_buffers_is_refused() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen += 1
            return x + self.seen

    with pytest.raises(InputError, match="'seen'") as caught:
        live_graph(Counter().eval(), GRID)
    assert caught.value.code == "STATEFUL"


def test_an_unquantized_network_is_refused_by_layer() -> None:
    net = nn.Sequential()
    net.add_module("first", nn.Linear(12, 8))
    net.add_module("second", nn.Linear(8, 4))
    with pytest.raises((Problems, InputError)) as caught:
        read(net.eval(), None, GRID[:2])
    assert "first" in str(caught.value)


def test_brevitas_modules_keep_their_layer_names() -> None:
    pytest.importorskip("brevitas", reason="Brevitas is not installed")
    pytest.importorskip("onnxoptimizer", reason="Brevitas exports only with onnxoptimizer")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import brevitas.nn as qnn

        torch.manual_seed(4)
        net = nn.Sequential()
        net.add_module("entry", qnn.QuantIdentity(bit_width=4, return_quant_tensor=False))
        net.add_module("hidden", qnn.QuantLinear(12, 8, bias=True, weight_bit_width=3))
        net.add_module("norm", nn.BatchNorm1d(8))
        net.add_module("act", qnn.QuantReLU(bit_width=3))
        net.add_module("scores", qnn.QuantLinear(8, 4, bias=True, weight_bit_width=2))
        for _ in range(5):
            net(GRID)
        net.eval()
        model = read(net, None, GRID[:3])
        expected = net(GRID).detach().numpy()
    assert [n.name for n in model.network.nodes] == ["hidden", "act", "scores"]
    assert [i.name for i in model.inputs] == ["input"]
    got = model.run({"input": GRID.numpy()})["output"]
    assert (np.abs(got - expected) < 1e-5).all(axis=1).mean() > 0.95


def test_only_modules_are_modules() -> None:
    assert is_torch_module(nn.ReLU())
    assert not is_torch_module("model.pt")
    assert not is_torch_module(nn.ReLU)


def test_brevitas_layers_in_a_sequential_keep_their_paths() -> None:
    qnn = pytest.importorskip("brevitas.nn")
    pytest.importorskip("onnxoptimizer")
    module = nn.Sequential()
    module.add_module("body", nn.Sequential(qnn.QuantIdentity(bit_width=4), qnn.QuantLinear(12, 6, bias=True, weight_bit_width=3)))
    module.add_module("act", qnn.QuantReLU(bit_width=4))
    module.add_module("head", qnn.QuantLinear(6, 3, bias=True, weight_bit_width=3))
    with torch.no_grad():
        module(GRID)
    model = read(module.eval(), None, GRID[:1])
    assert [n.name for n in model.network.nodes] == ["body.1", "act", "head"]
