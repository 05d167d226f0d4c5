"""Multilayer perceptrons are what their widths say."""

from __future__ import annotations

import torch

from hwq.quant import Bipolar, Linear, Ternary, Uniform
from hwq.zoo.mlp import mlp


def test_layers_and_their_names() -> None:
    net = mlp(
        (6, 5, 4, 3), input=Uniform(4, scale=0.1), weight=Ternary, activation=lambda: Uniform(2), last_weight=Bipolar, last_bias=False
    )
    assert [name for name, _ in net.named_children()] == ["input", "fc1", "bn1", "act1", "fc2", "bn2", "act2", "scores"]
    layers = [m for m in net if isinstance(m, Linear)]
    assert [tuple(m.weight.shape) for m in layers] == [(5, 6), (4, 5), (3, 4)]
    assert [m.bias is None for m in layers] == [True, True, True]
    assert isinstance(net.scores.weight_quantizer, Bipolar)
    assert net(torch.rand(7, 6)).shape == (7, 3)


def test_one_layer_is_enough() -> None:
    assert [name for name, _ in mlp((6, 3), input=Bipolar()).named_children()] == ["input", "scores"]
