"""The batch engine: memory files that are missing or altered stop it, a hang ends, builds are reused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hwq.target.folder import Folder, load_folder
from hwq.verify import batch
from hwq.verify.batch import BatchModel, build_batch
from hwq.verify.run import EngineRun


@pytest.fixture(scope="module")
def folder(with_memories: Path) -> Folder:
    """The folder with memory files."""
    return load_folder(with_memories)


@pytest.fixture(scope="module")
def model(folder: Folder) -> BatchModel:
    """Its compiled design."""
    return build_batch(folder.path, folder.top, folder.ports, folder.signals)


def run_in(path: Path, folder: Folder, model: BatchModel) -> EngineRun:
    """The vectors of ``folder`` through the design, run in ``path``."""
    with np.load(folder.path / "vectors.npz") as vectors:
        codes = {name: vectors[name] for name in vectors.files}
    return BatchModel(model.program, path, model.ports, model.tool, 0.0).run(codes)


def test_the_design_reads_its_memory_files(folder: Folder, model: BatchModel) -> None:
    assert len(folder.memories) >= 2
    run = run_in(folder.path, folder, model)
    assert run.complete
    with np.load(folder.path / "vectors.npz") as vectors:
        np.testing.assert_array_equal(run.codes[folder.outputs[0].port], vectors[folder.outputs[0].port])


@pytest.mark.parametrize("damage", ["missing", "truncated", "one bit", "zeros", "swapped lines"])
def test_a_damaged_memory_file_takes_no_input_and_says_why(
    folder: Folder, model: BatchModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(batch, "PATIENCE", 5000)
    for name in folder.memories:
        shutil.copyfile(folder.path / name, tmp_path / name)
    path = tmp_path / folder.memories[0]
    lines = path.read_text().splitlines()
    other = next(n for n, line in enumerate(lines) if line != lines[0])
    damaged = {
        "truncated": lines[: len(lines) // 2],
        "one bit": [f"{int(lines[0], 16) ^ 1:x}", *lines[1:]],
        "zeros": ["0"] * len(lines),
        "swapped lines": [lines[other], *lines[1:other], lines[0], *lines[other + 1 :]],
    }
    if damage == "missing":
        path.unlink()
    else:
        path.write_text("\n".join(damaged[damage]) + "\n")
    run = run_in(tmp_path, folder, model)
    assert not run.complete
    assert run.hang is not None
    assert f"{path.name} is missing or altered" in run.hang
    assert len(run.cycles["s_axis_x"]) == 0


def test_an_equal_design_is_not_compiled_again(folder: Folder, model: BatchModel) -> None:
    again = build_batch(folder.path, folder.top, folder.ports, folder.signals)
    assert (again.program, again.build_seconds) == (model.program, 0.0)
