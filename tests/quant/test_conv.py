"""Convolutions compute on integers, frozen as in training, and saturate along the documented order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hwq.errors import InputError
from hwq.quant import Bipolar, Conv1d, Conv2d, Saturating, Ternary, Uniform, freeze
from hwq.quant.frozen import FrozenConv
from hwq.quant.window import Window, convolve, convolve_saturating


def by_loops(x: np.ndarray, w: np.ndarray, window: Window, accumulator: Saturating | None = None) -> np.ndarray:
    """A two-dimensional convolution as its definition says, one product at a time, in the order row, column, channel."""
    (top, left, bottom, right), (sh, sw), (dh, dw) = window.padding, window.stride, window.dilation
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    outputs, channels, kh, kw = w.shape
    oh = (padded.shape[2] - dh * (kh - 1) - 1) // sh + 1
    ow = (padded.shape[3] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((len(x), outputs, oh, ow), np.int64)
    for n, o, r, c in np.ndindex(y.shape):
        first = o // (outputs // window.groups) * channels
        products = [
            int(padded[n, first + ch, r * sh + i * dh, c * sw + j * dw]) * int(w[o, ch, i, j])
            for i in range(kh)
            for j in range(kw)
            for ch in range(channels)
        ]
        size = accumulator.chunk if accumulator else len(products)
        for start in range(0, len(products), size):
            total = int(y[n, o, r, c]) + sum(products[start : start + size])
            y[n, o, r, c] = min(max(total, accumulator.lo), accumulator.hi) if accumulator else total
    return y


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, Window]:
    small = st.integers(1, 3)
    groups, per_in, per_out = draw(st.sampled_from([1, 1, 2, 3])), draw(small), draw(small)
    kernel, stride, dilation = ((draw(small), draw(small)) for _ in range(3))
    padding = tuple(draw(st.integers(0, 2)) for _ in range(4))
    size = [draw(st.integers(max(1, d * (k - 1) + 1), 8)) for k, d in zip(kernel, dilation, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(-8, 8, (2, groups * per_in, *size))
    w = rng.integers(-4, 4, (groups * per_out, per_in, *kernel))
    return x, w, Window(stride, padding, dilation, groups)


@given(convolutions(), st.integers(2, 7), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_sums_are_those_of_the_definition(case: tuple[np.ndarray, np.ndarray, Window], bits: int, chunk: int) -> None:
    x, w, window = case
    tensors = torch.from_numpy(x).double(), torch.from_numpy(w).double()
    np.testing.assert_array_equal(convolve(*tensors, window).numpy(), by_loops(x, w, window))
    saturating = convolve_saturating(*tensors, window, bits, chunk)
    np.testing.assert_array_equal(saturating.numpy(), by_loops(x, w, window, Saturating(bits, chunk)))


def test_one_axis_is_two_axes_with_one_row() -> None:
    x, w = torch.randint(-8, 8, (2, 4, 9)).double(), torch.randint(-4, 4, (6, 2, 3)).double()
    one, two = Window((2,), (1, 3), (2,), 2), Window((1, 2), (0, 1, 0, 3), (1, 2), 2)
    np.testing.assert_array_equal(convolve(x, w, one), convolve(x.unsqueeze(2), w.unsqueeze(2), two).squeeze(2))
    np.testing.assert_array_equal(
        convolve_saturating(x, w, one, 4, 3), convolve_saturating(x.unsqueeze(2), w.unsqueeze(2), two, 4, 3).squeeze(2)
    )


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("options", [{}, {"padding": "same"}, {"padding": (2, 1), "stride": (1, 2)}, {"groups": 4, "dilation": 2}])
def test_a_convolution_is_torchs_with_quantized_weights(options: dict[str, Any]) -> None:
    layer = Conv2d(4, 8, (4, 3), **options, weight=Uniform(4, per="channel"))
    plain = nn.Conv2d(4, 8, (4, 3), **options)
    with torch.no_grad():
        scale = layer.weight_quantizer.weight_scale(layer.weight)
        plain.weight.copy_(layer.weight_quantizer.integers(layer.weight, scale) * scale)
        layer.bias.copy_(plain.bias)
    x = torch.randint(-8, 8, (3, 4, 9, 10)).float()
    torch.testing.assert_close(layer(x), plain(x))
    frozen = freeze(layer.eval())
    assert isinstance(frozen.module, FrozenConv)
    assert frozen.module.scale.shape == (8, 1, 1)
    torch.testing.assert_close(frozen(x), plain(x))


def test_frozen_sums_are_exact() -> None:
    """Codes times a binary32 scale have exact sums in float64: scaling can come before or after."""
    torch.manual_seed(3)
    layer = Conv2d(64, 16, 3, padding=1, bias=False, weight=Uniform(8, per="channel"), input=Uniform(8, scale=0.1))
    frozen = freeze(layer.eval()).module
    codes = torch.randint(-128, 128, (2, 64, 12, 12))
    step = torch.tensor(0.1).double()
    sums = convolve(codes, frozen.codes.long(), layer.window)
    np.testing.assert_array_equal(frozen(codes * step).numpy(), ((sums * step) * frozen.scale).numpy())


@pytest.mark.parametrize("weight", [Bipolar("channel"), Ternary("channel"), Uniform(3, per="channel")])
def test_one_dimension(weight: Any) -> None:
    layer = Conv1d(6, 9, 5, stride=2, padding=2, groups=3, weight=weight)
    with torch.no_grad():
        layer.bias.normal_()
    x = torch.randint(-8, 8, (2, 6, 31)).float()
    soft, hard = layer(x), freeze(layer.eval())(x)
    assert soft.shape == (2, 9, 16)
    torch.testing.assert_close(soft, hard)


def test_saturating_convolutions_freeze_to_the_same_integers() -> None:
    torch.manual_seed(1)
    options: dict[str, Any] = {"weight": Uniform(3), "input": Uniform(4, scale=0.25), "accumulator": Saturating(6, chunk=5)}
    layer = Conv2d(4, 6, 3, padding=1, groups=2, bias=False, **options)
    x = torch.randn(2, 4, 6, 6) * 2
    soft = layer(x).detach()
    layer.eval()
    np.testing.assert_array_equal(freeze(layer)(x).numpy(), soft.numpy())
    layer.accumulator = None
    assert not torch.equal(layer(x), soft)


def test_training_changes_latent_weights_and_costs_are_reported() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(Conv2d(3, 4, 3, weight=Bipolar()), nn.BatchNorm2d(4), Bipolar(), nn.MaxPool2d(2), nn.Flatten())
    before = net[0].weight.detach().clone()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    net(torch.rand(5, 3, 6, 6)).square().sub(net[1](net[0](torch.rand(5, 3, 6, 6))).mean()).sum().backward()
    optimiser.step()
    assert not torch.equal(before, net[0].weight)
    assert [c.encoding for c in freeze(net.eval()).report.layers] == ["BIPOLAR"]


def test_shapes_without_values() -> None:
    """Networks too large for memory are built and run on torch's meta device."""
    with torch.device("meta"):
        net = nn.Sequential(Uniform(8, scale=0.1), Conv2d(3, 8, 3, stride=2, weight=Uniform(4)), Uniform(4, scale="learned")).eval()
        assert net(torch.empty(2, 3, 33, 33)).shape == (2, 8, 16, 16)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((3, 4, 0), {}, "kernel_size is 0, 2 whole numbers of at least 1"),
        ((3, 4, (1, 2, 3)), {}, "kernel_size"),
        ((3, 4, 3), {"stride": 0}, "stride is 0"),
        ((3, 4, 3), {"padding": -1}, "padding is -1"),
        ((3, 4, 3), {"padding": "full"}, "'same' or 'valid'"),
        ((3, 4, 3), {"padding": "same", "stride": 2}, "stride of 1"),
        ((3, 4, 3), {"groups": 2}, "groups must divide both"),
        ((0, 4, 3), {}, "0 channels"),
        (("3", 4, 3), {}, "whole numbers were expected"),
        ((3, 4, 3.0), {}, "kernel_size is 3.0"),
        ((3, 4, 3), {"padding_mode": "reflect"}, "padding_mode is 'reflect'; hwq.quant pads with zeros only"),
    ],
)
def test_impossible_shapes_are_refused(arguments: tuple[Any, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Conv2d(*arguments, **options, weight=Bipolar())
    assert (caught.value.code, caught.value.where) == ("LAYER-SHAPE", "Conv2d")


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (2, 3, 8)])
def test_inputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    layer = Conv2d(3, 4, 3, weight=Bipolar()).eval()
    for module in (layer, freeze(layer)):
        with pytest.raises(InputError, match=r"\(frames, 3, height, width\) was expected") as caught:
            module(torch.rand(shape))
        assert caught.value.code == "LAYER-INPUT"


def test_a_kernel_larger_than_the_image_is_refused() -> None:
    layer = Conv2d(3, 4, 5, padding=1, weight=Bipolar()).eval()
    assert layer(torch.rand(1, 3, 3, 3)).shape == (1, 4, 1, 1)
    for module in (layer, freeze(layer)):
        with pytest.raises(InputError, match="the kernel of 5x5 is larger than the padded input of 2x9"):
            module(torch.rand(1, 3, 2, 9))
