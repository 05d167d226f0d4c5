"""Convolutional ONNX networks for tests: power-of-two scales, so that binary32 is exact in any order of additions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.frontend.onnx_models import Graph

__all__ = ["IMAGES", "Images"]


class Images(Graph):
    """A graph of images with a quantized input ``"q"`` of 8 bits and scale 1/4."""

    def __init__(self, *shape: int, seed: int = 1) -> None:
        super().__init__(shape=(1, *shape))
        self.random = np.random.default_rng(seed)

    def start(self) -> str:
        return self.q("x", 0.25, signed=True, name="in")

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def q(self, x: str, scale: float = 0.5, zero: int = 0, signed: bool = False, name: str | None = None) -> str:
        s, z = self.constant(scale), self.constant(zero, np.int8 if signed else np.uint8)
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, s, z, name=name), s, z)

    def weights(self, *shape: int, largest: int = 3) -> str:
        return self.constant(self.random.integers(-largest, largest + 1, shape) / 8)

    def conv(self, x: str, o: int, i: int, k: int | tuple[int, ...] = 3, largest: int = 3, bias: bool = False, **a: Any) -> str:
        kernel = (k, k) if isinstance(k, int) else k
        operands = [x, self.weights(o, i // a.get("group", 1), *kernel, largest=largest)]
        if bias:
            operands.append(self.constant(self.random.integers(-5, 6, o) / 8))
        return self.add("Conv", *operands, **a)

    def norm(self, x: str, c: int) -> str:
        r = self.random
        gain = r.choice([-1, 1, 2, -0.5, 0.5], c)
        return self.batch_norm(x, gain, r.integers(-4, 5, c) / 4, r.integers(-4, 5, c) / 4, np.ones(c), eps=0.0)

    def dense(self, x: str, i: int, o: int) -> str:
        return self.add("MatMul", x, self.weights(i, o))

    def pool(self, x: str, k: int = 2, **a: Any) -> str:
        return self.add("MaxPool", x, kernel_shape=[k, k], **a)

    def up(self, x: str, factor: int = 2, mode: str = "asymmetric", nearest: str = "floor") -> str:
        scales = self.constant([1, 1, factor, factor])
        return self.add("Resize", x, "", scales, mode="nearest", coordinate_transformation_mode=mode, nearest_mode=nearest)


Made = tuple[Images, list[str], list[str]]  # the graph, its outputs, the kinds of ops expected in this order
IMAGES: dict[str, Callable[[], Made]] = {}
SAME = {"pads": [1, 1, 1, 1]}


def network(make: Callable[[], Made]) -> Callable[[], Made]:
    IMAGES[make.__name__] = make
    return make


def rgb() -> tuple[Images, str]:
    g = Images(3, 8, 8)
    return g, g.start()


@network
def vgg() -> Made:
    g, x = rgb()
    x = g.q(g.pool(g.add("Relu", g.norm(g.conv(x, 6, 3, **SAME), 6)), strides=[2, 2]))
    x = g.q(g.norm(g.pool(g.conv(x, 8, 6, bias=True, **SAME), 3, strides=[2, 2], **SAME), 8))
    x = g.dense(g.add("Flatten", x), 32, 10)
    back = ["requantize", "pool", "requantize"]  # some channels of the second pool fall: they are mirrored
    return g, [x], ["conv", "requantize", "pool", "conv", "requantize", *back, "conv"]


@network
def residual() -> Made:
    g, x = rgb()
    x = g.q(g.norm(g.conv(x, 6, 3, **SAME), 6), signed=True)
    y = g.q(g.norm(g.conv(x, 6, 6, **SAME), 6), signed=True)
    x = g.q(g.add("Relu", g.add("Add", x, y)))
    y = g.q(g.norm(g.conv(x, 6, 6, **SAME), 6), 0.25, signed=True)
    x = g.q(g.add("Relu", g.add("Add", y, x)))
    x = g.q(g.add("GlobalAveragePool", x), 0.25)
    x = g.dense(g.add("Flatten", x), 6, 10)
    block = ["conv", "requantize", "add", "requantize"]
    return g, [x], ["conv", "requantize", *block, *block, "pool", "requantize", "conv"]


@network
def residual_of_the_input() -> Made:
    g, x = rgb()
    y = g.q(g.conv(x, 3, 3, **SAME), 0.25, signed=True)
    return g, [g.conv(g.q(g.add("Add", x, y)), 2, 3)], ["conv", "requantize", "add", "requantize", "conv"]


@network
def difference() -> Made:
    g, x = rgb()
    a, b = g.q(g.conv(x, 4, 3)), g.q(g.conv(x, 4, 3), 0.125)
    y = g.conv(g.q(g.add("Sub", a, b), signed=True), 2, 4)
    return g, [y], ["conv", "conv", "requantize", "requantize", "add", "requantize", "conv"]


@network
def inception_one_quantizer() -> Made:
    g, x = rgb()
    a, b = g.conv(x, 4, 3, **SAME), g.norm(g.conv(x, 5, 3, k=1), 5)
    y = g.conv(g.q(g.add("Concat", a, b, axis=1)), 4, 9)
    return g, [y], ["conv", "conv", "requantize", "requantize", "concat", "conv"]


@network
def inception_scales_in_the_weights() -> Made:
    g, x = rgb()
    a, b = g.q(g.conv(x, 4, 3, **SAME)), g.q(g.norm(g.conv(x, 5, 3, k=1), 5), 0.25)
    y = g.conv(g.add("Concat", a, b, axis=1), 4, 9, **SAME)
    return g, [y], ["conv", "conv", "requantize", "requantize", "concat", "conv"]


@network
def depthwise() -> Made:
    g, x = rgb()
    x = g.q(g.norm(g.conv(x, 6, 3, strides=[2, 2], **SAME), 6))
    x = g.q(g.norm(g.conv(x, 6, 6, group=6, **SAME), 6))
    return g, [g.conv(x, 8, 6, k=1)], ["conv", "requantize", "conv", "requantize", "conv"]


@network
def grouped_dilated_asymmetric() -> Made:
    g, x = rgb()
    x = g.q(g.norm(g.conv(x, 6, 3, auto_pad="SAME_UPPER", strides=[2, 2]), 6))
    return g, [g.conv(x, 9, 6, group=3, pads=[2, 1, 0, 2], dilations=[2, 1])], ["conv", "requantize", "conv"]


@network
def u_net() -> Made:
    g, x = rgb()
    a = g.q(g.norm(g.conv(x, 4, 3, **SAME), 4))
    b = g.q(g.norm(g.conv(g.pool(a, strides=[2, 2]), 6, 4, **SAME), 6))
    y = g.conv(g.add("Concat", g.up(b), a, axis=1), 3, 10, **SAME)
    return g, [y, a], ["conv", "requantize", "pool", "conv", "requantize", "upsample", "concat", "conv"]


@network
def upsampling_before_its_quantizer() -> Made:
    g, x = rgb()
    u = g.up(g.conv(x, 6, 3, **SAME), 2, "half_pixel", "round_prefer_floor")
    return g, [g.conv(g.q(g.norm(u, 6)), 2, 6)], ["conv", "requantize", "upsample", "conv"]


@network
def audio() -> Made:
    g = Images(2, 20)
    x = g.add("Conv", g.start(), g.weights(5, 2, 4), pads=[1, 2], strides=[2])
    x = g.add("MaxPool", g.q(g.add("Relu", x)), kernel_shape=[3], strides=[2], pads=[1, 1])
    return g, [g.add("Conv", x, g.weights(3, 5, 3))], ["conv", "requantize", "pool", "conv"]


def averaged(include: int) -> tuple[Images, str]:
    g, x = rgb()
    x = g.add("AveragePool", g.q(g.conv(x, 4, 3)), kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=include)
    return g, g.conv(g.q(x, 0.25), 2, 4)


@network
def mean_without_padding() -> Made:
    g, y = averaged(0)
    return g, [y], ["conv", "requantize", "pad", "pool", "border_affine", "requantize", "conv"]


@network
def mean_with_padding() -> Made:
    g, y = averaged(1)
    return g, [y], ["conv", "requantize", "pad", "pool", "requantize", "conv"]


@network
def mean_over_axes() -> Made:
    g, x = rgb()
    x = g.add("ReduceMean", g.q(g.conv(x, 4, 3, k=1)), axes=[2, 3], keepdims=0)
    return g, [g.dense(g.q(x, 0.25), 4, 5)], ["conv", "requantize", "pool", "requantize", "conv"]


@network
def padding_of_its_own() -> Made:
    g, x = rgb()
    x = g.add("Pad", g.q(g.conv(x, 4, 3)), g.ints(0, 0, 1, 0, 0, 0, 1, 1))
    return g, [g.conv(x, 3, 4), g.conv(g.pool(x), 3, 4)], ["conv", "requantize", "conv", "pad", "pool", "conv"]


@network
def bipolar_padding() -> Made:
    g = Images(3, 8, 8)

    def sign(x: str) -> str:
        return g.add("Where", g.add("GreaterOrEqual", x, g.constant(0.0)), g.constant(1.0), g.constant(-1.0))

    x = sign(g.norm(g.conv(sign("x"), 6, 3, largest=1, **SAME), 6))
    return g, [g.conv(x, 4, 6, **SAME)], ["conv", "threshold", "conv"]


@network
def mid_rise_padding() -> Made:
    g = Images(3, 8, 8)

    def halves(x: str) -> str:
        x = g.add("Clip", g.add("Floor", g.add("Div", x, g.constant(0.5))), g.constant(-4.0), g.constant(3.0))
        return g.add("Mul", g.add("Add", x, g.constant(0.5)), g.constant(0.5))

    x = halves(g.norm(g.conv(halves("x"), 6, 3, **SAME), 6))
    y = g.conv(x, 4, 6, pads=[1, 0, 1, 1], strides=[2, 2])
    z = g.add("AveragePool", x, kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1)
    bordered = ["conv", "border_affine"]
    return g, [y, z], [*bordered, "threshold", *bordered, "pool", "border_affine"]


@network
def pool_of_falling_channels() -> Made:
    g, x = rgb()
    x = g.add("Mul", g.conv(x, 6, 3, **SAME), g.constant(np.array([-1, 1, -2, 1, 1, -1]).reshape(1, 6, 1, 1)))
    x = g.add("Mul", g.pool(x, strides=[2, 2]), g.constant(-1.0))
    return g, [g.conv(g.q(x), 3, 6)], ["conv", "requantize", "pool", "conv"]


@network
def function_that_turns_before_a_pool() -> Made:
    g, x = rgb()
    x = g.conv(x, 6, 3, largest=1)
    x = g.q(g.add("Abs", g.add("Sub", x, g.constant(0.5))), signed=True)
    return g, [g.conv(g.pool(x), 3, 6)], ["conv", "threshold", "pool", "conv"]


@network
def function_that_turns_behind_a_pool() -> Made:
    g, x = rgb()
    x = g.pool(g.norm(g.conv(x, 6, 3, largest=1), 6))
    x = g.q(g.add("Abs", g.add("Sub", x, g.constant(0.5))), signed=True)
    return g, [g.conv(x, 3, 6)], ["conv", "requantize", "pool", "requantize", "threshold", "conv"]


@network
def gate() -> Made:
    g, x = rgb()
    x = g.q(g.conv(x, 4, 3))
    s = g.q(g.add("GlobalAveragePool", x), 0.25)
    s = g.q(g.add("Clip", g.conv(s, 4, 4, k=1), g.constant(0.0), g.constant(1.0)), 0.125)
    y = g.conv(g.q(g.add("Mul", x, s), 0.25), 2, 4)
    squeeze = ["pool", "threshold", "conv", "threshold", "upsample"]
    return g, [y], ["conv", "requantize", *squeeze, "mul", "requantize", "conv"]


@network
def channel_shuffle() -> Made:
    g, x = rgb()
    x = g.add("Reshape", g.q(g.conv(x, 6, 3)), g.ints(1, 2, 3, 6, 6))
    x = g.add("Reshape", g.add("Transpose", x, perm=[0, 2, 1, 3, 4]), g.ints(1, 6, 6, 6))
    return g, [g.conv(x, 6, 6, group=6)], ["conv", "requantize", "conv", "conv"]


@network
def ranges_of_channels() -> Made:
    g, x = rgb()
    x = g.q(g.conv(x, 6, 3))
    y = g.add("Split", x, g.ints(2, 4), axis=1, outputs=2)
    z = g.add("Slice", x, g.ints(1), g.ints(4), g.ints(1))
    return g, [g.conv(y, 3, 2), g.conv(f"{y}_1", 3, 4), g.conv(z, 3, 3)], ["conv", "requantize", "split", "split", "conv", "conv", "conv"]


@network
def cut_pixels() -> Made:
    g, x = rgb()
    y = g.add("Slice", g.q(g.conv(x, 6, 3)), g.ints(1, 0), g.ints(5, 6), g.ints(2, 3), g.ints(1, 2))
    return g, [g.conv(y, 3, 6, k=1)], ["conv", "requantize", "conv", "conv"]


@network
def norm_behind_a_flatten() -> Made:
    g = Images(3, 4, 4)
    x = g.add("Flatten", g.conv(g.start(), 2, 3))
    return g, [g.dense(g.q(g.norm(x, 8)), 8, 4)], ["conv", "flatten", "requantize", "conv"]


@network
def computed_shape() -> Made:
    g = Images(3, 4, 4)
    x = g.q(g.conv(g.start(), 2, 3))
    batch = g.add("Unsqueeze", g.add("Gather", g.add("Shape", x), g.constant(0, np.int64)), g.ints(0))
    x = g.add("Reshape", x, g.add("Concat", batch, g.ints(-1), axis=0))
    return g, [g.dense(x, 8, 4)], ["conv", "requantize", "conv"]


@network
def positions_with_channels_last() -> Made:
    g = Images(6, 4)
    x = g.q(g.add("Relu", g.dense(g.start(), 4, 5)))
    return g, [g.dense(x, 5, 3)], ["conv", "requantize", "conv"]


@network
def detection_head() -> Made:
    g, x = rgb()
    x = g.add("Transpose", g.conv(x, 4, 3), perm=[0, 2, 3, 1])
    return g, [g.add("Reshape", x, g.ints(1, -1, 2))], ["conv"]


@network
def normalised_pixels() -> Made:
    """uint8 pixels with a norm a channel in front of the first, padded layer: mean and deviation are dyadic."""
    g = Images(3, 8, 8)
    x = g.add("Sub", "x", g.constant(np.array([1.5, 2.25, 3.0]).reshape(1, 3, 1, 1)))
    x = g.q(x, 0.25, zero=2, name="in")
    return g, [g.conv(x, 4, 3, **SAME)], ["conv"]


@network
def table() -> Made:
    """A function that rises and falls many times over few integers: x mod 8 of codes."""
    g, x = rgb()
    x = g.q(g.conv(x, 4, 3))
    whole = g.add("Mul", g.add("Floor", g.add("Div", x, g.constant(4.0))), g.constant(4.0))
    return g, [g.conv(g.q(g.add("Sub", x, whole), 0.5), 2, 4)], ["conv", "requantize", "lookup", "conv"]


@network
def best_class_of_every_pixel() -> Made:
    g, x = rgb()
    return g, [g.add("ArgMax", g.conv(x, 9, 3), axis=1, keepdims=0)], ["conv", "argmax"]


@network
def best_classes() -> Made:
    g, x = rgb()
    y = g.add("TopK", g.add("Flatten", g.conv(x, 9, 3, k=8)), g.ints(4), axis=1, outputs=2)
    return g, [y, f"{y}_1"], ["conv", "topk"]


@network
def vectors_of_unlike_images() -> Made:
    g, x = rgb()
    a, b = (g.add("Flatten", g.q(g.conv(x, c, 3, k=k))) for c, k in ((4, 3), (3, 5)))
    y = g.dense(g.add("Concat", a, b, axis=1), 4 * 36 + 3 * 16, 5)
    return g, [y], ["conv", "conv", "requantize", "flatten", "requantize", "flatten", "concat", "conv"]


@network
def outputs_without_a_quantizer() -> Made:
    g, x = rgb()
    a = g.pool(g.norm(g.conv(x, 6, 3), 6))
    b = g.up(g.conv(x, 2, 3))
    c = g.add("Concat", g.norm(g.conv(x, 4, 3), 4), g.conv(x, 3, 3), axis=1)
    d = g.add("Add", g.conv(x, 4, 3), g.conv(x, 4, 3))
    return g, [a, b, c, d], ["conv"] * 6 + ["add", "requantize", "pool", "requantize", "upsample", "concat"]
