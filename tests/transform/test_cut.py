"""Cut Networks compute what the whole does, with the same encodings inside."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.network.file import load_model, network_hash, save_model
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Add, Split
from hwq.numerics.encoding import Integer
from hwq.plan.stages import stages_of
from hwq.transform.cut import cut
from tests.report.networks import residual_network
from tests.target.designs import model_of

NETWORK = residual_network()


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    """All integers of three frames."""
    x = {"x": np.random.default_rng(5).integers(0, 256, (3, 8, 8, 3))}
    return x | NETWORK.run(x, keep=[o for n in NETWORK.nodes for o in n.outputs])


@pytest.mark.parametrize("stage", stages_of(NETWORK), ids=lambda s: s.name)
def test_every_stage_alone_gives_what_it_gives_in_the_whole(stage, tensors: dict[str, np.ndarray]) -> None:  # type: ignore[no-untyped-def]
    part = cut(NETWORK, stage.sources, stage.targets)
    assert [s.name for s in stages_of(part)] == [stage.name]
    got = part.run({i.name: tensors[i.name] for i in part.inputs})
    for target in stage.targets:
        np.testing.assert_array_equal(got[target], tensors[target])
    for name, info in part.tensors.items():
        whole = NETWORK.tensors[name]
        assert (info.shape, info.encoding, info.interval.bounds, info.interval.step) == (
            whole.shape,
            whole.encoding,
            whole.interval.bounds,
            whole.interval.step,
        )


def test_a_block_is_cut_with_its_skip(tensors: dict[str, np.ndarray]) -> None:
    part = cut(NETWORK, ["block0.out"], ["block1.out"], name="block")
    assert (part.name, len(part.nodes)) == ("block", 6)
    np.testing.assert_array_equal(part.run({"block0.out": tensors["block0.out"]})["block1.out"], tensors["block1.out"])


def test_a_tensor_read_twice_is_one_input() -> None:
    x = NetworkInput("x", (2, 2, 4), Integer(2, False))
    network = Network("twice", (x,), (Node("add", Add(np.ones((2, 1), np.int64)), ("x", "x"), ("y",)),), ("y",))
    assert [i.name for i in cut(network, ("x", "x"), ("y",)).inputs] == ["x"]


def test_an_output_that_nothing_reads_any_more_is_dropped() -> None:
    x = NetworkInput("x", (2, 2, 5), Integer(2, False))
    network = Network("split", (x,), (Node("split", Split((2, 3)), ("x",), ("a", "b")),), ("a", "b"))
    part = cut(network, ["x"], ["b"])
    assert part.nodes[0].outputs == ("", "b")
    np.testing.assert_array_equal(part.run({"x": np.arange(20).reshape(1, 2, 2, 5) % 4})["b"].shape, (1, 2, 2, 3))


def test_what_cannot_be_cut_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no tensor 'nothing'"):
        cut(NETWORK, ["nothing"], ["y"])
    with pytest.raises(InputError, match=r"also computed from 'x'"):
        cut(NETWORK, ["block0.conv2.out"], ["block0.out"])


def test_a_cut_survives_its_file_and_its_reach_is_part_of_its_hash(tmp_path) -> None:  # type: ignore[no-untyped-def]
    part = cut(NETWORK, ["mean"], ["y"])
    save_model(model_of(part), tmp_path / "part.hwq")
    again = load_model(tmp_path / "part.hwq").network
    assert again.tensors["y"].interval.bounds == part.tensors["y"].interval.bounds
    assert network_hash(again) == network_hash(part)
    without = Network(part.name, tuple(NetworkInput(i.name, i.shape, i.encoding) for i in part.inputs), part.nodes, part.outputs)
    assert network_hash(without) != network_hash(part)
