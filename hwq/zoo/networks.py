"""The table of networks, and how one is built or written with random weights. Reading the table needs no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwq.errors import InputError
from hwq.zoo.recipes import check_writable

if TYPE_CHECKING:
    from torch import nn

    from hwq.zoo.size import Size

__all__ = ["NETWORKS", "Network", "build", "network_named", "write_random"]

Progress = Callable[[str, float | None], None]
MAX_SIDE = 4096


@dataclass(frozen=True)
class Network:
    """One network: where its definition is, and its published size.

    Parameters
    ----------
    name, description
        As users name it; one line.
    function, options
        ``module.function`` of its definition in this package, and what it is called with besides quantizers and size.
    image, classes
        Input (C, H, W) and scores of the published network.
    weights, macs
        Weights and multiply-accumulates a frame of convolutions and dense layers, without biases and norms.
    outputs
        Names of the outputs in a file.
    """

    name: str
    description: str
    function: str
    image: tuple[int, int, int]
    classes: int
    weights: int
    macs: int
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("scores",)

    def make(self, choice: Any, size: Size) -> nn.Module:
        """The torch module."""
        module, _, function = self.function.partition(".")
        made: nn.Module = getattr(import_module(f"hwq.zoo.{module}"), function)(choice, size, **self.options)
        return made


_DIGITS, _SMALL, _LARGE = (1, 28, 28), (3, 32, 32), (3, 224, 224)
_DENSE, _RESNET = "fully_connected.fully_connected", "resnet.resnet"
_DEEP = (3, 4, 6, 3)
_HEADS = tuple(f"{kind}{k}" for k in range(1, 7) for kind in ("loc", "conf"))
_TABLE = (
    Network("tfc", "FINN's tiny perceptron, 3 x 64", _DENSE, _DIGITS, 10, 59_008, 59_008, {"hidden": 64}),
    Network("sfc", "FINN's small perceptron, 3 x 256", _DENSE, _DIGITS, 10, 334_336, 334_336, {"hidden": 256}),
    Network("lfc", "FINN's large perceptron, 3 x 1024", _DENSE, _DIGITS, 10, 2_910_208, 2_910_208, {"hidden": 1024}),
    Network("cnv", "FINN's convolutional network, no padding", "cnv.cnv", _SMALL, 10, 1_542_848, 59_461_376),
    Network("vgg-small", "the VGG of HWGQ and LQ-Nets for CIFAR-10", "vgg.vgg_small", _SMALL, 10, 4_656_512, 607_600_640),
    Network("vgg-variant", "the VGG of HWGQ and LQ-Nets for ImageNet", "vgg.vgg_variant", _LARGE, 1000, 138_024_736, 10_705_149_952),
    Network("alexnet", "AlexNet with batch norm, ungrouped", "alexnet.alexnet", _LARGE, 1000, 62_367_776, 1_135_256_096),
    Network(
        "alexnet-2tower", "AlexNet with batch norm, two groups", "alexnet.alexnet", _LARGE, 1000, 60_954_656, 724_406_816, {"towers": 2}
    ),
    Network("resnet18", "ResNet-18", _RESNET, _LARGE, 1000, 11_678_912, 1_814_073_344, {"depths": (2, 2, 2, 2)}),
    Network("resnet34", "ResNet-34", _RESNET, _LARGE, 1000, 21_779_648, 3_663_761_408, {"depths": _DEEP}),
    Network("resnet50", "ResNet-50", _RESNET, _LARGE, 1000, 25_502_912, 4_089_184_256, {"depths": _DEEP, "bottleneck": True}),
    Network("googlenet", "GoogLeNet without side classifiers", "googlenet.googlenet", _LARGE, 1000, 6_990_272, 1_582_671_872),
    Network("mobilenet", "MobileNet, the first", "mobilenet.mobilenet", _LARGE, 1000, 4_209_088, 568_740_352),
    Network("ssd300", "SSD300 on VGG-16, twelve heads", "ssd.ssd300", (3, 300, 300), 21, 26_276_032, 31_373_537_792, {}, _HEADS),
)
NETWORKS: Mapping[str, Network] = {network.name: network for network in _TABLE}


def network_named(name: str) -> Network:
    """The entry of the table; raises :class:`InputError` with the nearest name."""
    if name not in NETWORKS:
        near = get_close_matches(name, NETWORKS, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(NETWORKS)}"
        raise InputError("ZOO-NAME", f"there is no network {name!r} in the zoo", hint=hint)
    return NETWORKS[name]


def build(name: str, *, image: int | None = None, classes: int | None = None, width: float = 1.0, **quantizers: Any) -> nn.Module:
    """A network of the zoo, untrained, in train mode.

    Parameters
    ----------
    name
        Of :data:`NETWORKS`.
    image, classes, width
        Side of the input in pixels, number of scores, factor of all hidden channels; None and 1 are the published network.
    quantizers
        ``weight``, ``activation``, ``first``, ``last``, ``input``, ``last_input``, ``skip``: names such as ``"bipolar"`` or
        ``"uniform4"``, or functions that make a quantizer; see :class:`hwq.zoo.choice.Choice` for meaning and defaults.

    Raises :class:`InputError` for unknown names and impossible sizes. ``with torch.device("meta")`` builds without memory.
    """
    _need_torch()
    from hwq.zoo.choice import Choice

    network = network_named(name)
    unknown = sorted(set(quantizers) - set(Choice.__dataclass_fields__))
    if unknown:
        known = ", ".join(Choice.__dataclass_fields__)
        raise InputError("ZOO-OPTION", f"there is no option {unknown[0]!r}", where=name, hint=f"Options: image, classes, width, {known}")
    return network.make(Choice(**quantizers), _size(network, image, classes, width))


def _need_torch() -> None:
    try:
        import_module("torch")
    except ImportError:
        message = "the networks of the zoo need torch, which is not installed"
        raise InputError("MISSING-PACKAGE", message, hint="pip install 'hwq[torch]'") from None


def _size(network: Network, image: int | None, classes: int | None, width: float) -> Size:
    from hwq.zoo.size import Size

    channels, height, breadth = network.image
    if image is not None:
        if not 1 <= image <= MAX_SIDE:
            raise InputError("ZOO-OPTION", f"image is {image}, 1..{MAX_SIDE} pixels were expected", where=network.name)
        height = breadth = image
    if classes is not None and classes < 1:
        raise InputError("ZOO-OPTION", f"classes is {classes}, at least 1 was expected", where=network.name)
    if not 0 < width <= 16:
        raise InputError("ZOO-OPTION", f"width is {width}, a factor of at most 16 was expected", where=network.name)
    return Size((channels, height, breadth), network.classes if classes is None else classes, width)


def write_random(
    name: str,
    output: str | os.PathLike[str],
    *,
    seed: int = 0,
    image: int | None = None,
    classes: int | None = None,
    width: float = 1.0,
    progress: Progress | None = None,
    **quantizers: Any,
) -> Path:
    """Write a network of the zoo with random weights as a model.pt: the real shapes and work, without a training.

    Options as of :func:`build`; ``seed`` as of :func:`hwq.zoo.random_weights.randomize`.
    """
    _need_torch()
    from hwq.frontend.model_pt import save_model_pt
    from hwq.quant import freeze
    from hwq.quant.training import seeded
    from hwq.zoo.random_weights import random_images, randomize

    say = progress or (lambda text, fraction: None)
    check_writable(Path(output))
    network = network_named(name)
    shape = _size(network, image, classes, width).image
    say(f"building {name}", 0.0)
    with seeded(seed):
        module = build(name, image=image, classes=classes, width=width, **quantizers)
    say("running random images through it", 0.2)
    randomize(module, shape, seed)
    say("freezing", 0.6)
    frozen = freeze(module)
    del module
    say("saving", 0.8)
    save_model_pt(frozen, output, random_images(shape, 1, seed), name=name, io={"inputs": ["image"], "outputs": network.outputs})
    say("saved", 1.0)
    return Path(output)
