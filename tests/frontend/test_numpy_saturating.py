"""Saturating sums in the source executor: a loop over single products, and hwq.quant's frozen layers in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwq.errors import InputError
from hwq.frontend.execute import execute
from hwq.frontend.live import live_graph
from hwq.frontend.numpy_ops import compute
from hwq.quant import Conv2d, Linear, Saturating, Uniform, freeze

ATTRIBUTES = {"accumulation": {"bits": 4, "chunk": 3}, "input_scale": 0.5}


def loop(products: list[float], bits: int, chunk: int) -> float:
    total, part = 0.0, 0.0
    for k, p in enumerate(products):
        part += p
        if k % chunk == chunk - 1 or k == len(products) - 1:
            total = min(max(total + part, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)
            part = 0.0
    return total


def test_a_product_clips_after_every_chunk() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-3, 4, (5, 8)).astype(np.float64), rng.integers(-2, 3, (8, 3))
    (y,) = compute("MatMul", [x / 2, w], ATTRIBUTES)
    expected = [[loop([*(row * column)], 4, 3) / 2 for column in w.T] for row in x]
    np.testing.assert_array_equal(y, expected)


def test_a_convolution_adds_rows_then_columns_then_channels() -> None:
    rng = np.random.default_rng(1)
    x, w = rng.integers(-3, 4, (2, 4, 3, 3)).astype(np.float64), rng.integers(-2, 3, (4, 2, 2, 2))
    (y,) = compute("Conv", [x / 2, w], {**ATTRIBUTES, "group": 2, "pads": [1, 0, 0, 0]})
    padded = np.pad(x, [(0, 0), (0, 0), (1, 0), (0, 0)])
    for n, o, r, c in np.ndindex(*y.shape):
        window = padded[n, 2 * (o // 2) : 2 * (o // 2) + 2, r : r + 2, c : c + 2]
        assert y[n, o, r, c] == loop([*(window * w[o]).transpose(1, 2, 0).reshape(-1)], 4, 3) / 2


def test_accumulators_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError):
        compute("MatMul", [np.ones((1, 4)), np.ones((4, 1))], {"accumulation": {"bits": 1, "chunk": 2}, "input_scale": 1.0})


@pytest.mark.parametrize("accumulator", [None, Saturating(5, chunk=4)])
def test_frozen_layers_execute_as_in_torch(accumulator: Saturating | None) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        Conv2d(2, 4, 3, padding=1, stride=2, weight=Uniform(3), input=Uniform(3, scale=0.5), accumulator=accumulator),
        nn.Flatten(),
        Linear(64, 5, weight=Uniform(3), input=Uniform(4, scale=0.25), accumulator=accumulator),
    )
    x = torch.randn(6, 2, 8, 8)
    frozen = freeze(net.train(False), x)
    graph = live_graph(frozen, x)
    np.testing.assert_array_equal(execute(graph, {graph.inputs[0].name: x.numpy()})["output"], frozen(x).detach().numpy())
