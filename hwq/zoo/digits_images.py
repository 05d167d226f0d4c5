"""``digits-conv``, ``digits-residual``, ``digits-depthwise``: small convolutional networks for scikit-learn's 8 x 8 digits."""

from __future__ import annotations

from torch import nn

from hwq.quant import Quantizer, Uniform
from hwq.quant.training import Progress, Schedule, fit, seeded, tensors
from hwq.zoo.choice import Choice
from hwq.zoo.digits_mlp import TEST_FRAMES, VALIDATION_FRAMES, digits
from hwq.zoo.mobilenet import depthwise_separable
from hwq.zoo.recipes import Trained
from hwq.zoo.resnet import BasicBlock
from hwq.zoo.size import Size
from hwq.zoo.stack import Stack

__all__ = ["train_digits_conv", "train_digits_depthwise", "train_digits_residual"]

SIZE = Size((1, 8, 8), 10)


def train_digits_conv(seed: int = 1, progress: Progress | None = None) -> Trained:
    """Three padded convolutions, two of them max-pooled; bipolar weights, 2-bit activations."""
    with seeded(seed):
        stack = Stack(_choice("bipolar", "uniform2"), SIZE)
        stack.conv("1", 16, 3, padding=1)
        stack.conv("2", 32, 3, padding=1, pool=nn.MaxPool2d(2))
        stack.conv("3", 32, 3, padding=1, pool=nn.MaxPool2d(2), last=True)
        stack.flatten()
        stack.scores()
        return _trained(stack.net, 20, seed, progress)


def train_digits_residual(seed: int = 1, progress: Progress | None = None) -> Trained:
    """A convolution and two residual blocks, the second with a shortcut convolution; bipolar weights, 2-bit activations."""
    choice = _choice("bipolar", "uniform2")
    with seeded(seed):
        stack = Stack(choice, SIZE)
        stack.conv("1", 16, 3, padding=1)
        stack.add("block1", BasicBlock(choice, 16, 16))
        stack.add("block2", BasicBlock(choice, 16, 32, stride=2))
        _pooled_scores(stack, choice)
        return _trained(stack.net, 40, seed, progress)


def train_digits_depthwise(seed: int = 1, progress: Progress | None = None) -> Trained:
    """A convolution, then depthwise and pointwise ones in turn; 4-bit weights and activations."""
    choice = _choice("uniform4", "uniform4")
    with seeded(seed):
        stack = Stack(choice, SIZE)
        stack.conv("0", 16, 3, padding=1)
        depthwise_separable(stack, "1", 16, 32, stride=1)
        depthwise_separable(stack, "2", 32, 64, stride=2)
        _pooled_scores(stack, choice)
        return _trained(stack.net, 30, seed, progress)


def _choice(weight: str, activation: str) -> Choice:
    return Choice(weight, activation, first="uniform4", last="uniform4", input=_pixels, last_input="uniform4")


def _pixels() -> Quantizer:
    """The digits' 17 grey levels as 4 bits; 16 is clipped to 15."""
    return Uniform(4, signed=False, scale=1.0)


def _pooled_scores(stack: Stack, choice: Choice) -> None:
    stack.add("avgpool", nn.AdaptiveAvgPool2d(1))
    stack.flatten()
    stack.add("last_input", choice.make_last_input())
    stack.scores()


def _trained(net: nn.Module, epochs: int, seed: int, progress: Progress | None) -> Trained:
    x, y = digits()
    x = x.reshape(-1, *SIZE.image)
    first, last = len(x) - TEST_FRAMES - VALIDATION_FRAMES, len(x) - TEST_FRAMES
    schedule = Schedule(epochs=epochs, batch=64, rate=1e-2, seed=seed)
    result = fit(net, tensors(x[:first], y[:first]), tensors(x[first:last], y[first:last]), schedule, progress=progress)
    return Trained(net, x[last:], y[last:], result.validation_accuracy)
