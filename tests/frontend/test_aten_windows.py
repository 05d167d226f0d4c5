"""Convolutions, pools and upsampling: the source graph computes what torch computes, by every road."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as f

from hwq.errors import HwqError
from hwq.frontend.execute import execute
from hwq.frontend.live import live_graph
from hwq.frontend.model_pt import save_model_pt
from hwq.frontend.read import read, read_graph
from hwq.frontend.source import SourceGraph

IMAGE = (2, 6, 8, 12)
SOUND = (2, 6, 24)
Function = Callable[[torch.Tensor], torch.Tensor]


def integers(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(-9, 10, shape, generator=generator).float()


class Wrapped(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def integral(module: nn.Module) -> nn.Module:
    """The module with small whole numbers for weights, so that sums are exact in any order."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(integers(*parameter.shape))
    return module.eval()


def check(module: nn.Module, x: torch.Tensor, graph: SourceGraph | None = None) -> SourceGraph:
    graph = graph or live_graph(module, x)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        expected = module(x).numpy()
    np.testing.assert_array_equal(execute(graph, {graph.inputs[0].name: x.numpy()})[graph.outputs[0]], expected)
    return graph


MODULES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "conv": (nn.Conv2d(6, 4, 3), IMAGE),
    "conv, no bias, stride, padding": (nn.Conv2d(6, 4, (3, 5), (2, 3), (1, 2), bias=False), IMAGE),
    "conv, dilation": (nn.Conv2d(6, 4, 3, dilation=(2, 3), padding=2), IMAGE),
    "conv, groups": (nn.Conv2d(6, 4, 3, groups=2), IMAGE),
    "conv, depthwise": (nn.Conv2d(6, 12, 3, groups=6, padding=1), IMAGE),
    "conv, same": (nn.Conv2d(6, 4, (4, 3), padding="same", dilation=(1, 2)), IMAGE),
    "conv, valid": (nn.Conv2d(6, 4, 3, padding="valid"), IMAGE),
    "conv, reflecting": (nn.Conv2d(6, 4, 3, padding=1, padding_mode="reflect"), IMAGE),
    "conv, repeating": (nn.Conv2d(6, 4, 3, padding=1, padding_mode="replicate"), IMAGE),
    "conv, circular": (nn.Conv2d(6, 4, 3, padding=1, padding_mode="circular"), IMAGE),
    "conv 1d": (nn.Conv1d(6, 4, 5, stride=2, padding=2), SOUND),
    "conv 1d, causal": (nn.Sequential(nn.ConstantPad1d((4, 0), 0.0), nn.Conv1d(6, 4, 3, dilation=2)), SOUND),
    "conv 1d, same": (nn.Conv1d(6, 4, 4, padding="same"), SOUND),
    "asymmetric": (nn.Sequential(nn.ZeroPad2d((0, 1, 2, 0)), nn.Conv2d(6, 4, 3, stride=2)), IMAGE),
    "max pool": (nn.MaxPool2d(2), IMAGE),
    "max pool, overlapping, ceil": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    "max pool, dilation": (nn.MaxPool2d(3, 1, dilation=2), IMAGE),
    "max pool 1d": (nn.MaxPool1d(3, 2, 1), SOUND),
    "average pool": (nn.AvgPool2d(2), IMAGE),
    "average pool, with pad": (nn.AvgPool2d((2, 4), 2, (1, 2), ceil_mode=True), IMAGE),
    "average pool, without pad": (nn.AvgPool2d((2, 4), 2, (1, 2), ceil_mode=True, count_include_pad=False), IMAGE),
    "average pool, own divisor": (nn.AvgPool2d(4, 2, 1, ceil_mode=True, divisor_override=1), IMAGE),
    "average pool 1d": (nn.AvgPool1d(4), SOUND),
    "adaptive average": (nn.AdaptiveAvgPool2d((4, 3)), IMAGE),
    "adaptive average, an axis kept": (nn.AdaptiveAvgPool2d((None, 1)), IMAGE),
    "adaptive maximum": (nn.AdaptiveMaxPool2d(4), IMAGE),
    "adaptive 1d": (nn.AdaptiveMaxPool1d(6), SOUND),
    "global maximum": (nn.AdaptiveMaxPool2d(1), IMAGE),
    "adaptive, nothing to do": (nn.AdaptiveAvgPool2d((8, 12)), IMAGE),
    "upsample, nothing to do": (nn.Upsample(scale_factor=1), IMAGE),
    "upsample": (nn.Upsample(scale_factor=2), IMAGE),
    "upsample, exact": (nn.Upsample(scale_factor=3, mode="nearest-exact"), IMAGE),
    "upsample to a size": (nn.Upsample(size=(16, 36)), IMAGE),
    "upsample to an odd size": (nn.Upsample(size=(7, 30)), IMAGE),
    "upsample to an odd size, exact": (nn.Upsample(size=(7, 30), mode="nearest-exact"), IMAGE),
    "upsample 1d": (nn.Upsample(scale_factor=2), SOUND),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_equals_torch(name: str) -> None:
    module, shape = MODULES[name]
    check(integral(module), integers(*shape))


KERNEL, KERNEL_1D = integers(4, 6, 3, 3), integers(4, 6, 3)
FUNCTIONS: dict[str, Function] = {
    "conv": lambda x: f.conv2d(x, KERNEL, padding=1, stride=2),
    "conv 1d": lambda x: f.conv1d(x.flatten(2), KERNEL_1D, padding=(1,)),
    "convolution": lambda x: torch.convolution(x, KERNEL, None, [2, 1], [1, 1], [1, 1], False, [0, 0], 1),
    "max pool": lambda x: f.max_pool2d(f.relu(x), 2),
    "average pool": lambda x: f.avg_pool2d(x, 4, divisor_override=8),
    "interpolate": lambda x: f.interpolate(x, scale_factor=(2.0, 4.0)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_equals_torch(name: str) -> None:
    check(Wrapped(FUNCTIONS[name]).eval(), integers(*IMAGE))


def test_a_global_average_pool_is_one() -> None:
    for module in (nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((1, 1))):
        graph = live_graph(module.eval(), integers(*IMAGE))
        assert graph.nodes[0].op == "GlobalAveragePool"
    expected = integers(*IMAGE).mean((2, 3), keepdim=True).numpy()
    (y,) = execute(graph, {graph.inputs[0].name: integers(*IMAGE).numpy()}).values()
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def save_pt2(module: nn.Module, example: tuple[torch.Tensor, ...], path: Path, apart: bool) -> None:
    """torch's own file, with its composite operators or with its core ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, example, strict=False)
        torch.export.save(program.run_decompositions() if apart else program, path)


@pytest.mark.parametrize("road", ["model.pt", "pt2", "pt2 taken apart"])
@pytest.mark.parametrize("name", ["conv, same", "conv 1d, causal", "max pool, overlapping, ceil", "adaptive maximum", "upsample"])
def test_files_hold_the_same_graph(name: str, road: str, tmp_path: Path) -> None:
    module, shape = MODULES[name]
    module, x = integral(module), integers(*shape)
    path = tmp_path / "net.pt"
    if road == "model.pt":
        save_model_pt(module, path, x)
    else:
        save_pt2(module, (x[:1],), path, "apart" in road)
    check(module, x, read_graph(path))


class Block(nn.Module):
    """A residual block written in place, as torchvision's are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.act(self.bn1(self.conv1(x)))
        out = self.conv2(out)
        out += x
        return self.act(out)


class Forked(nn.Module):
    """Two heads and two inputs, concat of an upsampled branch (as in a U-Net), a module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.body = nn.Sequential(Block(4), nn.MaxPool2d(2), Block(4))
        self.up = nn.Upsample(scale_factor=2)
        self.pixels = nn.Conv2d(8, 2, 1)
        self.head = nn.Linear(4, 5)

    def forward(self, image: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
        skip = self.stem(image)
        deep = self.body(skip)
        wide = self.up(deep)
        return {"pixels": self.pixels(torch.cat([skip, wide], 1)), "scores": self.head(deep.mean((2, 3)) + bias), "again": self.up(wide)}


def nearly(ours: np.ndarray, theirs: torch.Tensor) -> None:
    assert np.abs(ours - theirs.numpy()).max() <= 1e-4 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("road", ["live", "model.pt", "pt2", "pt2 taken apart"])
def test_several_inputs_and_outputs_with_branches(road: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = Forked().eval()
    x, bias = torch.randn(3, 3, 8, 8), torch.randn(3, 4)
    if road == "live":
        graph = live_graph(module, (x, bias))
    else:
        path = tmp_path / "net.pt"
        if road == "model.pt":
            save_model_pt(module, path, (x, bias))
        else:
            save_pt2(module, (x[:1], bias[:1]), path, "apart" in road)
        graph = read_graph(path)
    assert [i.name for i in graph.inputs] == ["image", "bias"]
    assert graph.outputs == ("pixels", "scores", "again")
    made = execute(graph, {"image": x.numpy(), "bias": bias.numpy()})
    with torch.no_grad():
        for name, expected in module(x, bias).items():
            nearly(made[name], expected)
    names = {n.name for n in graph.nodes}
    assert {"stem", "body.0.conv1", "body.0.act", "body.0.act@1", "body.2.conv2", "up", "up@1", "head"} <= names


UNSUPPORTED: dict[str, tuple[nn.Module, tuple[int, ...], str]] = {
    "transposed": (nn.ConvTranspose2d(6, 6, 2, 2), IMAGE, "nearest"),
    "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE, "nearest"),
    "uneven": (nn.AdaptiveAvgPool2d(5), IMAGE, "divides"),
    "indices": (Wrapped(lambda x: f.max_pool2d(x, 2, return_indices=True)[1].float()), IMAGE, "values"),
    "shuffle": (nn.PixelShuffle(1), IMAGE, "Upsample"),
    "norm": (nn.GroupNorm(2, 6), IMAGE, "batch norm"),
    "layer norm": (nn.LayerNorm(12), IMAGE, "batch norm"),
    "recurrent": (Wrapped(lambda x: LSTM(x.transpose(1, 2))[0]), SOUND, "Conv1d"),
}
LSTM = nn.LSTM(6, 4, batch_first=True)


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_has_no_hardware_is_refused_by_the_users_name_with_advice(name: str) -> None:
    module, shape, advice = UNSUPPORTED[name]
    net = nn.Sequential()
    net.add_module("odd", module)
    with pytest.raises(HwqError) as caught:
        read(net.eval(), None, integers(*shape))
    entry = next(e for e in caught.value.entries() if e.code == "OP-UNSUPPORTED")
    assert entry.where == "odd"
    assert advice in str(entry.hint)


def test_recurrent_layers_are_refused_before_the_export_writes_out_their_steps() -> None:
    net = Wrapped(lambda x: x)
    net.first, net.second = nn.GRU(6, 4), nn.LSTM(6, 4)
    with pytest.raises(HwqError) as caught:
        live_graph(net.eval(), integers(*SOUND))
    assert [(e.code, e.where) for e in caught.value.entries()] == [("OP-UNSUPPORTED", "first"), ("OP-UNSUPPORTED", "second")]


@pytest.mark.parametrize("module", [nn.Conv2d(6, 4, 3), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)])
def test_an_image_without_a_batch_axis_is_refused(module: nn.Module) -> None:
    with pytest.raises(HwqError) as caught:
        live_graph(Wrapped(lambda x: module(x.reshape(6, 8, -1))).eval(), torch.ones(6, 8, 12))
    assert "BATCH-AXIS" in {e.code for e in caught.value.entries()}
