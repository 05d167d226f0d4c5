"""The benchmark of convolutional networks: its networks, its parts, what it keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwq.network.graph import Network
from hwq.report import bench_conv
from hwq.report.bench_conv import PARTS, SMALL, SMALL_CYCLES, main, merged
from hwq.report.bench_cycles import cycle_rows, write_design
from hwq.report.bench_foldings import three_foldings
from hwq.target.boards import load_device
from hwq.target.vectors import random_integers


@pytest.mark.parametrize("make", SMALL, ids=lambda m: m.__name__)
def test_the_networks_live(make: Callable[[], Network]) -> None:
    network = make()
    out = network.run(random_integers(network, 6))[network.outputs[0]]
    # Some activations differ from frame to frame and from channel to channel.
    assert len(np.unique(out[2:].reshape(4, -1), axis=0)) > 1
    assert len(np.unique(out)) > 2


def test_the_issues_networks_and_foldings_are_all_measured() -> None:
    assert {make.__name__ for make in SMALL} == {"residual", "inception", "depthwise", "unet", "one_dimensional"}
    assert set(bench_conv.ZOO) == {"cnv", "vgg-small"}
    assert len(SMALL_CYCLES) == 2  # the slowest has as many as it takes
    assert all(len(goals) == 3 for _, goals in bench_conv.ZOO.values())
    assert set(PARTS) == {"cycles", "cnv", "resnet18", "resnet50"}


def test_parts_are_kept_when_another_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "conv.json"
    merged(path, {"cnv": {"a": 1}})
    merged(path, {"cycles": [], "cnv": {"a": 2}})
    merged(path, {"resnet50": {"compile_s": 3}})
    assert json.loads(path.read_text()) == {"cnv": {"a": 2}, "cycles": [], "resnet50": {"compile_s": 3}}


def test_an_unknown_part_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lenet"]) == 2
    assert "there is no part 'lenet'; parts: cycles, cnv" in capsys.readouterr().err


def test_a_run_writes_after_every_step_and_fails_on_a_wrong_cycle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"network": "n", "plan": "p", "stalls": "none", "beats_different": 1}
    row |= {f"{f}_{w}": 7 for f in ("interval", "latency") for w in ("predicted", "simulated")}
    seen = []

    def part() -> object:
        yield [row | {"beats_different": 0}]
        seen.append(json.loads((tmp_path / "conv.json").read_text())["cycles"])
        yield [row]

    monkeypatch.setattr(bench_conv, "OUTPUT", tmp_path)
    monkeypatch.setattr(bench_conv, "WORK", tmp_path / "work")
    monkeypatch.setitem(PARTS, "cycles", part)
    assert main(["cycles"]) == 1
    assert len(seen[0]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("make", SMALL, ids=lambda m: m.__name__)
def test_small_networks_take_the_predicted_cycles(make: Callable[[], Network], tmp_path: Path) -> None:
    network = make()
    for n, (_, plan) in enumerate(three_foldings(network, load_device("vu9p"), SMALL_CYCLES)):
        folder = write_design(network, plan, tmp_path / str(n))
        assert not any(row["beats_different"] for row in cycle_rows(folder, 6, bench_conv.STALLS))
