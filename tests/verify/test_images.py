"""Branching designs on images, with two inputs and three outputs, in every engine; the first wrong code by row, column, channel."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Add, Conv, Pool, Split, Window
from hwq.numerics.encoding import Bipolar, Integer
from hwq.plan.units import Edge
from hwq.target.folder import load_folder
from hwq.verify.ladder import verify
from hwq.verify.locate import words_to_codes
from tests.report.networks import conv_nodes, threshold_node
from tests.target.designs import plan_for, write
from tests.verify.conftest import flip_weight


def branching() -> Network:
    """Two images come in; their convolutions are added; out go a pooled sum, a split part of it, and the pixels of one branch."""
    rng = np.random.default_rng(9)
    nodes = conv_nodes(rng, "left", "a", 3, 4) + conv_nodes(rng, "right", "b", 2, 4)
    nodes.append(Node("join", Add(np.array([[2], [-1]])), ("left.out", "right.out"), ("sum",)))
    nodes.append(threshold_node(rng, "act", "sum", "both", 4, spread=4))
    nodes += conv_nodes(rng, "behind", "both", 4, 6)
    nodes.append(Node("split", Split((2, 4)), ("behind.out",), ("few", "many")))
    nodes.append(Node("pool", Pool("max", Window((2, 2), (2, 2))), ("many",), ("small",)))
    nodes.append(Node("pixels", Conv(rng.integers(-7, 8, (2, 1, 1, 4)), Integer(4, True)), ("left.out",), ("scores",)))
    inputs = (NetworkInput("a", (4, 6, 3), Integer(4, False)), NetworkInput("b", (4, 6, 2), Bipolar()))
    return Network("branching", inputs, tuple(nodes), ("small", "few", "scores"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, simulator: None) -> Path:
    """The design, folded to some 400 cycles a frame."""
    network = branching()
    path = tmp_path_factory.mktemp("images") / "branching"
    write(network, path, plan=plan_for(network, fps=300e6 / 400))
    return path


@pytest.mark.parametrize("engines", [("amaranth", "batch"), pytest.param(("cocotb",), marks=pytest.mark.slow)], ids="-".join)
def test_every_engine_agrees_in_codes_and_cycles_under_all_stalls(folder: Path, engines: tuple[str, ...]) -> None:
    certificate = verify(folder, engines=engines, stalls=("none", "both"), frames=4)
    assert certificate.bit_exact, certificate.failure
    assert certificate.cycles_exact
    assert [(e.engine, e.frames) for e in certificate.engines] == [(n, 4) for n in engines for _ in range(2)]


@pytest.mark.slow
def test_a_flipped_weight_is_named_by_layer_row_column_and_channel(folder: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(folder, spoiled, ignore=shutil.ignore_patterns("verify.json"))
    flip_weight(spoiled, "behind")
    failure = verify(spoiled, engines=("batch",), stalls=("none",), frames=40).failure
    assert failure is not None
    assert (failure.kind, failure.layer, failure.text) == ("mismatch", "behind", "first wrong stage")
    assert failure.place is not None
    row, column, channel = failure.place
    assert (row * 6 + column) * 6 + channel == failure.element
    assert failure.expected != failure.got


@pytest.mark.parametrize(("width", "pixels", "channels", "elements"), [(6, 2, 4, 2), (5, 2, 3, 2), (4, 1, 7, 3), (1, 1, 8, 8)])
def test_words_of_several_pixels_become_codes(width: int, pixels: int, channels: int, elements: int) -> None:
    edge = Edge("e", elements, 3, channels, 2, width, pixels)
    codes = np.random.default_rng(1).integers(0, 8, (2, 2, width, channels))
    words = []
    for image in codes:
        for row in image:
            for first in range(0, width, pixels):
                for low in range(0, channels, elements):
                    word = 0
                    for v in range(min(pixels, width - first)):
                        for e in range(min(elements, channels - low)):
                            word |= int(row[first + v, low + e]) << (3 * (v * elements + e))
                    words.append(word)
    np.testing.assert_array_equal(words_to_codes((*words, 0), edge), codes)


def test_the_ports_are_those_of_the_network(folder: Path) -> None:
    assert [p.port for p in load_folder(folder).ports] == ["s_axis_a", "s_axis_b", "m_axis_small", "m_axis_few", "m_axis_scores"]
