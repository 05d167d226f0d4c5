"""`hwq synth`: the file it writes, what it prints, and every way to ask for the impossible."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwq.cli import main
from hwq.report import synthesis
from hwq.target import stage_synthesis
from hwq.target.report_file import SYNTHESIS_FIELDS
from hwq.target.tools import yosys

needs_yosys = pytest.mark.skipif(yosys() is None, reason="needs Yosys")


@pytest.fixture
def folder(model_file: Path, tmp_path: Path) -> Path:
    """The tiny model compiled."""
    assert main(["compile", str(model_file), "--target", "vu9p", "-o", str(tmp_path / "out"), "--json"]) == 0
    return tmp_path / "out"


@needs_yosys
def test_figures_of_every_layer_beside_the_estimates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["synth", str(folder)]) == 0
    text, progress = capsys.readouterr()
    assert progress.startswith("synthesising about ")
    document = json.loads((folder / "synth.json").read_text())
    report = json.loads((folder / "report.json").read_text())
    assert document["resources_source"] == "yosys"
    assert [layer["name"] for layer in document["layers"]] == [layer["name"] for layer in report["layers"]]
    assert document["hashes"] == report["hashes"]
    assert document["estimate"] == {k: pytest.approx(v, abs=0.3) for k, v in report["resources"].items()}
    for name in ("lut", "lutram", "ff", "dsp"):
        parts = sum(layer["resources"][name] for layer in document["layers"]) + document["rest"]["resources"][name]
        assert document["resources"][name] == parts > 0 or name == "dsp"
    assert document["resources"]["lut"] == document["lut_physical"] + document["lutram"]
    assert set(SYNTHESIS_FIELDS) <= set(document)
    rest = document["rest"]
    for name in ("lut", "lutram", "ff", "dsp"):
        assert sum(part["resources"][name] for part in rest["parts"]) == rest["resources"][name]
    assert {"AXI streams", "status registers", "flags and reset"} <= {part["name"] for part in rest["parts"]}
    assert document["depth"] == max(entry["depth"] for entry in (*document["layers"], rest))
    assert document["defines"] == ["HWQ_FABRIC", "HWQ_UNISIM"]
    for entry in (*report["layers"], *rest["parts"]):
        assert entry["name"] in text
    assert "vu9p is assumed to take 6 at its clock" in text


def test_a_design_deeper_than_its_target_takes_is_told() -> None:
    document = {"depth": 7, "max_levels": 6, "target": "vu9p", "clock_mhz": 300}
    assert "NOTE: vu9p is assumed to take 6 at its clock, this design has 7: 300 MHz are in doubt" in synthesis._levels(document)
    assert "NOTE" not in synthesis._levels({**document, "depth": 6})


def test_a_folder_that_is_none_and_a_machine_without_yosys(
    folder: Path, tmp_path: Path, hwq_json: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, answer = hwq_json("synth", str(tmp_path / "nothing"))
    assert (code, list(answer)) == (2, ["error"])
    monkeypatch.setattr("hwq.target.synthesis.yosys", lambda: None)
    code, answer = hwq_json("synth", str(folder))
    assert (code, answer["error"]["code"]) == (2, "TOOL-YOSYS")
    assert "pip install" in answer["error"]["hint"]
    assert not (folder / "synth.json").exists()


def test_a_hierarchy_is_multiplied() -> None:
    lut = {"type": "LUT2", "parameters": {"INIT": "0110"}, "connections": {"I0": [2], "I1": [3], "O": [4]}, "port_directions": {}}
    ports = {"i": {"direction": "input", "bits": [2, 3]}, "o": {"direction": "output", "bits": [4]}}
    leaf = {"attributes": {}, "ports": ports, "cells": {"a": lut}}
    made = {
        f"u{k}": {"type": "leaf", "parameters": {}, "connections": {"i": [2, 3], "o": [4 + k]}, "port_directions": {}} for k in range(3)
    }
    top = {"attributes": {}, "ports": ports, "cells": made}
    found = stage_synthesis._Hierarchy({"leaf": leaf, "top": top}, lambda text, share: None).below("top")
    assert (found.counts["luts"], found.counts["cells"], found.depth) == (3, 3, 1)
    assert found.resources.lut == 3
