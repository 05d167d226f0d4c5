"""Running the shipped bench: only hwq's own copy of it, and in folders whose names make does not take."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hwq.errors import InputError
from hwq.target.tools import verilator
from hwq.verify import cosim
from hwq.verify.ladder import verify, write_certificate


def test_a_bench_that_lies_in_the_folder_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, job = tmp_path / "out", tmp_path / "job"
    folder.mkdir()
    job.mkdir()
    (folder / "test_top.py").write_text("print('foreign')")
    monkeypatch.setattr(cosim, "bench_source", lambda: "import os; print('own', os.environ['HWQ_FOLDER'])")
    assert cosim._execute(folder, "top", job, os.environ).split() == ["own", str(folder)]


@pytest.mark.slow
def test_a_folder_with_a_space_in_its_name_is_verified(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my designs" / "out"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("verify.json"))
    assert verify(folder, engines=("cocotb",), stalls=("none",), frames=3).bit_exact


def test_a_certificate_is_written_whole_or_refused(tmp_path: Path) -> None:
    class Text:
        def text(self) -> str:
            return "{}"

    write_certificate(tmp_path, Text())  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["verify.json"]
    (tmp_path / "verify.json").unlink()
    (tmp_path / "verify.json").mkdir()
    with pytest.raises(InputError, match=r"verify\.json cannot be written"):
        write_certificate(tmp_path, Text())  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["verify.json"]


def test_a_build_for_tools_that_moved_is_another(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def key() -> str:
        return cosim._key(built, "three", {"cocotb": "2.0.0"}, waves=False, probed=False, defines=())

    before = key()
    assert key() == before
    moved = verilator()
    assert moved is not None
    monkeypatch.setattr(cosim, "verilator", lambda: replace(moved, command=("/elsewhere/bin/verilator",)))
    assert key() != before


def test_what_a_tool_says_of_itself_goes_before_the_traceback_of_its_caller() -> None:
    log = "make: *** No rule to make target 'a.cpp'.  Stop.\nTraceback (most recent call last):\n  raise RuntimeError(\nRuntimeError: 2"
    assert cosim._telling(log) == ["make: *** No rule to make target 'a.cpp'.  Stop."]
    assert cosim._telling("fine\nRuntimeError: 2") == ["RuntimeError: 2"]
