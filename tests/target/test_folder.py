"""A folder read back: every damage to its documents is an error that says so, never a crash and never a pass."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwq.errors import InputError, Problems
from hwq.target.folder import load_folder
from tests.target.designs import mlp, plan_for, write


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose weights lie in memory files."""
    folder = tmp_path_factory.mktemp("folder") / "tiny"
    network = mlp(widths=(40, 12, 5))
    write(network, folder, plan=plan_for(network, fps=300e6 / 60), inline_bits=16)
    return folder


@pytest.fixture
def edited(good: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], object]], Path]:
    """A copy of the folder whose report.json was edited by a function."""

    def edit(change: Callable[[dict[str, Any]], object]) -> Path:
        folder = tmp_path / "edited"
        shutil.copytree(good, folder, dirs_exist_ok=True)
        report = json.loads((good / "report.json").read_text())
        change(report)
        (folder / "report.json").write_text(json.dumps(report))
        return folder

    return edit


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_folder(folder)
    assert caught.value.code == "FOLDER-DAMAGED"
    return str(caught.value)


READ = ["name", "target", "clock_mhz", "cycles_per_frame", "bottleneck", "resources", "layers", "modules", "hashes", "files"]


@pytest.mark.parametrize("key", READ)
@pytest.mark.parametrize("value", [None, 5, "x", [3], {"a": [1]}, float("nan")])
def test_a_field_missing_or_of_another_kind_is_damage(edited: Callable, key: str, value: object) -> None:
    if (key, value) in (("clock_mhz", 5), ("cycles_per_frame", 5), ("target", "x"), ("bottleneck", "x")):
        return
    assert "report.json" in refused(edited(lambda r: r.pop(key) if value is None else r.update({key: value})))


def test_every_file_that_must_be_there_must_be_listed(good: Path, edited: Callable) -> None:
    names = [p.name for p in good.iterdir() if p.suffix in (".mem", ".hwq", ".toml", ".npz")]
    assert any(n.endswith(".mem") for n in names)
    for name in [*names, "tiny.v", "test_tiny.py", "interface.json"]:
        assert name in refused(edited(lambda r, name=name: r["files"].pop(name)))


def test_names_do_not_leave_the_folder(edited: Callable) -> None:
    refused(edited(lambda r: r.update(name="../evil")))
    refused(edited(lambda r: r["files"].update({"../evil.v": "0"})))


def test_the_interface_of_another_design_is_refused(edited: Callable) -> None:
    folder = edited(lambda r: None)
    document = json.loads((folder / "interface.json").read_text()) | {"top": "other"}
    (folder / "interface.json").write_text(json.dumps(document))
    digest = hashlib.sha256((folder / "interface.json").read_bytes()).hexdigest()
    report = json.loads((folder / "report.json").read_text())
    report["files"]["interface.json"] = digest
    (folder / "report.json").write_text(json.dumps(report))
    assert "another design" in refused(folder)


def test_a_model_is_no_folder(good: Path) -> None:
    with pytest.raises(InputError, match="this is a model; give the folder hwq compile wrote"):
        load_folder(good / "network.hwq")


def test_a_good_folder_and_an_altered_one(good: Path, edited: Callable) -> None:
    assert load_folder(good).top == "tiny"
    folder = edited(lambda r: None)
    (folder / "tiny.v").write_text("")
    with pytest.raises(Problems, match="altered"):
        load_folder(folder)


def test_an_edited_plan_is_told_with_the_command_that_makes_the_folder_anew(good: Path, edited: Callable) -> None:
    folder = edited(lambda r: r["options"].update(primitives="structural"))
    plan = folder / "plan.toml"
    plan.write_text(plan.read_text() + "# mine\n")
    with pytest.raises(Problems) as caught:
        load_folder(folder)
    (problem,) = caught.value.entries()
    assert "the plan was edited" in str(problem)
    command = shlex.join(["hwq", "compile", f"{folder}/network.hwq", "--plan", str(plan), "-o", str(folder), "--primitives", "structural"])
    assert problem.hint == f"Compile again: {command}"
