"""Unrolled layers of a design on disk: their circuits are not made again to know its cycles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwq.errors import InputError
from hwq.plan import unrolled
from hwq.plan.draft import PlanDraft
from hwq.plan.planner import plan_network
from hwq.plan.prediction import predict
from hwq.target.boards import load_device
from hwq.target.folder import load_folder
from tests.target.designs import mlp, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = mlp(widths=(12, 6, 3))
    plan = plan_network(network, load_device("vu9p"), base=PlanDraft(), style="unrolled")
    folder = tmp_path_factory.mktemp("unrolled") / "tiny"
    write(network, folder, plan=plan)
    return folder


@pytest.fixture
def no_circuits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No circuit may be made."""

    def refuse(*_: object) -> None:
        raise AssertionError("a circuit is made")

    monkeypatch.setattr(unrolled, "_layer", refuse)


def report_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


@pytest.mark.usefixtures("no_circuits")
def test_a_folder_is_predicted_without_its_circuits(folder: Path) -> None:
    found, report = load_folder(folder), report_of(folder)
    prediction = predict(found.network, found.plan)
    assert (prediction.interval, prediction.latency) == (report["cycles_per_frame"], report["latency_cycles"])


def test_the_report_says_what_the_circuits_come_to(folder: Path) -> None:
    for layer in report_of(folder)["layers"]:
        assert ("circuit" in layer) == (layer["style"] == "unrolled")
        if "circuit" in layer:
            assert set(layer["circuit"]) == {"latency", "levels", "fanout", "luts", "ff"}


def altered(folder: Path, tmp_path: Path, latency: object) -> Path:
    """A copy of ``folder`` whose first circuit is said to take ``latency`` cycles."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    report = report_of(folder)
    next(layer for layer in report["layers"] if "circuit" in layer)["circuit"]["latency"] = latency
    (copy / "report.json").write_text(json.dumps(report))
    return copy


@pytest.mark.parametrize("latency", [-1, 1 << 20, 2.5, "3", None])
def test_an_impossible_latency_is_damage(folder: Path, tmp_path: Path, latency: object) -> None:
    with pytest.raises(InputError) as caught:
        load_folder(altered(folder, tmp_path, latency))
    assert caught.value.code == "FOLDER-DAMAGED"
