"""Layers compute on integers, saturate like the Network, and train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.network.ops import Conv
from hwq.network.ops import Saturating as NetworkSaturating
from hwq.numerics.encoding import Integer
from hwq.quant import Activation, Bipolar, Linear, Saturating, Ternary, Uniform
from hwq.quant.saturating import saturating_matmul


@given(st.integers(2, 7), st.integers(1, 9), st.integers(1, 20), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_saturation_is_that_of_the_network(bits: int, chunk: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 8, (5, width))
    w = rng.integers(-4, 4, (3, width))
    op = Conv(w.reshape(3, 1, 1, width), Integer(3, True), accumulation=NetworkSaturating(bits, chunk))
    expected = op.golden(x.reshape(5, 1, 1, width)).reshape(5, 3)
    for dtype in (torch.float32, torch.float64):
        got = saturating_matmul(torch.from_numpy(x).to(dtype), torch.from_numpy(w).to(dtype), bits, chunk)
        np.testing.assert_array_equal(got.numpy(), expected)


def test_linear_is_codes_times_scale_plus_bias() -> None:
    layer = Linear(3, 2, weight=Ternary())
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.1, -1.0], [0.0, 1.0, 1.0]]))
        layer.bias.copy_(torch.tensor([0.5, -0.5]))
    x = torch.tensor([[1.0, 2.0, 4.0]])
    np.testing.assert_array_equal(layer(x).detach().numpy(), [[-2.5, 5.5]])


def test_a_layer_can_quantize_its_own_input() -> None:
    inside = Linear(4, 2, weight=Bipolar(), input=Uniform(2, signed=False, scale=0.5))
    x = torch.rand(6, 4) * 2
    before = Uniform(2, signed=False, scale=0.5)(x)
    inside_out = inside(x)
    inside.input_quantizer = None
    np.testing.assert_array_equal(inside_out.detach().numpy(), inside(before).detach().numpy())


def test_saturating_layer_needs_integers() -> None:
    layer = Linear(4, 2, weight=Bipolar(), accumulator=Saturating(4, 2))
    layer(torch.ones(1, 4))
    with pytest.raises(InputError, match="counts integers") as caught:
        layer(torch.full((1, 4), 0.5))
    assert caught.value.code == "SATURATING-INPUT"


def test_the_accumulator_of_the_network_is_accepted_as_well() -> None:
    layer = Linear(4, 2, bias=False, weight=Bipolar(), accumulator=NetworkSaturating(2, 1))
    assert float(layer(torch.ones(1, 4)).detach().abs().max()) <= 2


@pytest.mark.parametrize(("bits", "chunk"), [(1, 4), (49, 4), (8, 0)])
def test_impossible_accumulators_are_refused(bits: int, chunk: int) -> None:
    with pytest.raises(InputError):
        Saturating(bits, chunk)


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"Linear\(0, 3\)"):
        Linear(0, 3, weight=Bipolar())


@pytest.mark.parametrize("weight", [Bipolar(), Bipolar("channel"), Ternary(), Uniform(3, scale="learned")])
def test_one_step_changes_the_latent_weights(weight: torch.nn.Module) -> None:
    torch.manual_seed(0)
    layer = Linear(8, 4, weight=weight)
    before = layer.weight.detach().clone()
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.randn(5, 8)).square().sum().backward()
    optimiser.step()
    assert not torch.equal(before, layer.weight)


def test_activation_is_its_quantizer() -> None:
    x = torch.randn(3, 4)
    np.testing.assert_array_equal(Activation(Bipolar())(x).numpy(), Bipolar()(x).numpy())


def test_a_layer_takes_quantizers_by_name() -> None:
    layer = Linear(4, 2, weight="bipolar", input="bipolar")
    assert isinstance(layer.weight_quantizer, Bipolar)
    assert isinstance(layer.input_quantizer, Bipolar)


@pytest.mark.parametrize(
    ("weight", "words"), [("twolar", "twolar"), ("uniform", "needs options"), (3, "int was given"), (Bipolar, "class")]
)
def test_what_is_no_quantizer_is_refused(weight: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Linear(4, 2, weight=weight)


def test_one_signed_bit_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(InputError, match=r"Bipolar\(\)"):
        Uniform(1)
    assert Uniform(1, signed=False).encoding.hi == 1
