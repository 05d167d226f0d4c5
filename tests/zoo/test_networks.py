"""The networks of the zoo are the published ones, take quantizers by name, and live on random weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hwq.errors import InputError, Problems
from hwq.numerics.encoding import Bipolar as BipolarEncoding
from hwq.numerics.encoding import Integer
from hwq.quant import Bipolar, Quantizer, Ternary, Uniform, freeze
from hwq.quant.layers import WeightLayer
from hwq.zoo import NETWORKS, build, count, write_random
from hwq.zoo.counts import Counts
from hwq.zoo.ssd import ANCHORS
from tests.zoo.small_networks import small

# Published by others: papers (MobileNet: 4.2 M parameters, 569 M mult-adds), model files (GoogLeNet of Caffe: 6,998,552
# parameters, of which 8,280 are biases), the layer tables of HWGQ, LQ-Nets and FINN.
PUBLISHED = {
    "tfc": (59_008, 59_008),
    "sfc": (334_336, 334_336),
    "lfc": (2_910_208, 2_910_208),
    "cnv": (1_542_848, 59_461_376),
    "vgg-small": (4_656_512, 607_600_640),
    "vgg-variant": (138_024_736, 10_705_149_952),
    "alexnet": (62_367_776, 1_135_256_096),
    "alexnet-2tower": (60_954_656, 724_406_816),
    "resnet18": (11_678_912, 1_814_073_344),
    "resnet34": (21_779_648, 3_663_761_408),
    "resnet50": (25_502_912, 4_089_184_256),
    "googlenet": (6_998_552 - 8_280, 1_582_671_872),
    "mobilenet": (4_209_088, 568_740_352),
    "ssd300": (26_276_032, 31_373_537_792),
}


def on_meta(name: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return build(name, **options)


def counts(name: str, **options: Any) -> Counts:
    return count(on_meta(name, **options), NETWORKS[name].image)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_macs_are_the_published_ones(name: str) -> None:
    found = counts(name)
    assert (found.weights, found.macs) == PUBLISHED[name]
    assert (NETWORKS[name].weights, NETWORKS[name].macs) == PUBLISHED[name]


def test_layers_of_the_tables() -> None:
    """Single rows: VGG-variant's first convolution, ResNet-18's last downsample, AlexNet's first dense layer."""
    rows = {(n, layer.name): (layer.weights, layer.macs) for n in ("vgg-variant", "resnet18", "alexnet") for layer in counts(n).layers}
    assert rows["vgg-variant", "conv1"] == (14_112, 177_020_928)
    assert rows["resnet18", "layer4.0.downsample.0"] == (131_072, 6_422_528)
    assert rows["alexnet", "fc6"] == (37_748_736, 37_748_736)


def test_inner_layers_of_resnet18_are_those_that_papers_quantize() -> None:
    inner = [layer for layer in counts("resnet18").layers if layer.name not in ("conv1", "fc")]
    assert sum(layer.weights for layer in inner) == 11_157_504
    assert sum(layer.macs for layer in inner) == 1_695_547_392


def test_ssd_has_8732_boxes_on_six_maps() -> None:
    heads = [layer.output for layer in counts("ssd300").layers if layer.name.startswith("loc")]
    assert [h[1:] for h in heads] == [(n, n) for n in (38, 19, 10, 5, 3, 1)]
    assert sum(h[1] * h[2] * a for h, a in zip(heads, ANCHORS, strict=True)) == 8732
    # With the 81 classes of COCO: 34.3 M parameters and 34.4 G mult-adds in detection toolboxes.
    coco = counts("ssd300", classes=81)
    assert (round(coco.weights / 1e6, 1), round(coco.macs / 1e9, 1)) == (34.3, 34.4)


def test_a_layer_used_twice_has_its_weights_once() -> None:
    layer = nn.Linear(4, 4)
    found = count(nn.Sequential(layer, layer), (4,))
    assert (found.weights, found.macs) == (16, 32)


def test_counting_leaves_the_module_alone() -> None:
    net = build("tfc").train()
    net.act3.eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    count(net, (1, 28, 28))
    assert net.training
    assert not net.act3.training
    assert all(torch.equal(v, before[k]) or (v.isnan() & before[k].isnan()).all() for k, v in net.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_first_and_last_layers_are_8_bit_and_the_rest_as_asked(name: str) -> None:
    net = on_meta(name, weight="ternary", activation="uniform4")
    layers = [part for part in net.modules() if isinstance(part, WeightLayer)]
    heads = 12 if name == "ssd300" else 1
    quantizers = [layer.weight_quantizer for layer in layers]
    byte = Integer(8, True, True)
    assert [q.encoding for q in (quantizers[0], *quantizers[-heads:])] == [byte] * (heads + 1)
    assert all(isinstance(q, Ternary) for q in quantizers[1:-heads])
    assert len({id(q) for q in quantizers}) == len(layers)
    with torch.device("meta"):
        result = net.eval()(torch.empty(1, *NETWORKS[name].image))
    assert NETWORKS[name].outputs == (tuple(result) if isinstance(result, dict) else ("scores",))
    acts = {part.encoding.name for key, part in net.named_modules() if isinstance(part, Uniform) and key.split(".")[-1].startswith("act")}
    assert "UINT4" in acts


@pytest.mark.parametrize("name", NETWORKS)
def test_activations_of_random_networks_live(name: str) -> None:
    """No activation runs dry: each takes three of its levels or more."""
    net, x = small(name)
    seen: dict[str, int] = {}
    hooks = [
        part.register_forward_hook(lambda _, __, y, key=key: seen.update({key: max(seen.get(key, 0), len(y.unique()))}))
        for key, part in net.named_modules()
        if isinstance(part, Quantizer) and "weight_quantizer" not in key
    ]
    with torch.no_grad():
        result = net(x)
    for hook in hooks:
        hook.remove()
    assert len(seen) >= 4
    assert min(seen.values()) >= 3, seen
    outputs = list(result.values()) if isinstance(result, dict) else [result]
    assert all(len(y.unique()) > 10 for y in outputs)


@pytest.mark.parametrize("name", ["cnv", "alexnet", "resnet18", "googlenet", "mobilenet"])
@pytest.mark.parametrize("weight", ["bipolar", "uniform4"])
def test_frozen_networks_agree_with_training_up_to_float32(name: str, weight: str) -> None:
    """A near tie may fall the other way in float32 and is amplified behind; most scores agree closely."""
    net, x = small(name, weight=weight, activation="uniform4")
    with torch.no_grad():
        soft, hard = net(x), freeze(net)(x)
    assert ((soft - hard).abs() < 0.05 * hard.abs().max()).float().mean() > 0.8


def test_binary_networks_of_finn() -> None:
    net, x = small("cnv", weight="bipolar", activation="bipolar", first="bipolar", last="bipolar", last_input="bipolar", input="uniform8")
    assert {q.weight_quantizer.encoding for q in net.modules() if isinstance(q, WeightLayer)} == {BipolarEncoding()}
    scores = freeze(net)(x)
    np.testing.assert_array_equal(scores, scores.round())  # sums of ±1


def test_signed_pixels_are_stretched_first() -> None:
    net = build("tfc", input="bipolar")
    seen = net[0](torch.tensor([0.0, 0.4, 0.5, 1.0]))
    np.testing.assert_array_equal(seen, [-1, -1, 1, 1])
    byte = build("tfc")[0]
    np.testing.assert_array_equal(byte(torch.arange(256) / 255).mul(255).round(), torch.arange(256))


def test_both_branches_of_a_block_share_one_skip_quantizer() -> None:
    net, _ = small("resnet18")
    block = net.layer2[0]
    assert isinstance(block.skip, Uniform)
    assert block.skip is not net.layer2[1].skip
    frozen = freeze(net).module.layer2[0]
    summed: list[torch.Tensor] = []
    frozen.act.register_forward_pre_hook(lambda _, x: summed.append(x[0] / frozen.skip.scale))
    x = torch.rand(2, 8, 8, 8).double()
    frozen(x)
    np.testing.assert_array_equal(summed[0], summed[0].round())  # integers on one grid


def test_without_a_skip_quantizer_the_sum_is_quantized() -> None:
    net, x = small("resnet18", skip=None)
    assert isinstance(net.layer1[0].skip, nn.Identity)
    assert len(freeze(net)(x).unique()) > 10


def test_quantizers_as_functions() -> None:
    net = build("tfc", weight=lambda: Uniform(3), activation=Bipolar, skip=None)
    assert net.fc2.weight_quantizer.encoding == Integer(3, True)
    assert isinstance(net.act1, Bipolar)
    assert net.act1 is not net.act2


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    options: dict[str, Any] = {"image": 32, "width": 0.1, "classes": 4}
    paths = [write_random("vgg-small", tmp_path / f"{k}.pt", seed=seed, **options) for k, seed in enumerate((1, 1, 2))]
    first, second, other = (p.read_bytes() for p in paths)
    assert first == second != other


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("resnet-18", {}, "ZOO-NAME"),
        ("resnet18", {"weights": "bipolar"}, "ZOO-OPTION"),
        ("resnet18", {"image": 0}, "ZOO-OPTION"),
        ("resnet18", {"classes": 0}, "ZOO-OPTION"),
        ("resnet18", {"width": 0.0}, "ZOO-OPTION"),
        ("cnv", {"image": 16}, "ZOO-IMAGE"),
        ("tfc", {"weight": "twolar"}, "QUANTIZER-NAME"),
        ("tfc", {"activation": "uniform"}, "QUANTIZER-OPTION"),
        ("tfc", {"weight": "uniform1"}, "QUANTIZER-OPTION"),
        ("tfc", {"weight": "uniform99"}, "QUANTIZER-OPTION"),
        ("tfc", {"weight": lambda: 3}, "QUANTIZER"),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, options: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        build(name, **options)
    assert caught.value.code == code


def test_all_layers_without_a_quantizer_are_told(tmp_path: Path) -> None:
    with pytest.raises(Problems) as caught:
        write_random("tfc", tmp_path / "m.pt", weight="none")
    assert [p.where for p in caught.value.entries()] == ["fc2", "fc3"]


def test_places_that_cannot_be_written_are_told_first(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        write_random("vgg-variant", tmp_path / "absent" / "m.pt")
    assert caught.value.code == "FILE-WRITE"


def test_without_torch_the_table_is_read_and_the_rest_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"hwq\[torch\]") as caught:
        build("tfc")
    assert caught.value.code == "MISSING-PACKAGE"
    program = "import sys; sys.modules['torch'] = None; from hwq.zoo import NETWORKS; print(len(NETWORKS))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(said) == len(NETWORKS)
