"""The shipped bench and scripts, run as a user without hwq would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hwq.target.tools import verilator


def run_make(folder: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``make target`` in ``folder`` with a clean environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    command = ["make", target, f"PYTHON={sys.executable}"]
    return subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(with_memories: Path, tmp_path: Path) -> Path:
    """A copy of the folder with memory files."""
    folder = tmp_path / "copy"
    shutil.copytree(with_memories, folder, ignore=shutil.ignore_patterns("sim_build"))
    return folder


def test_make_sim_passes_and_writes_waves(with_memories: Path) -> None:
    done = run_make(with_memories, "sim", WAVES="1", HWQ_FRAMES="3")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "TESTS=4 PASS=4" in done.stdout + done.stderr
    assert any((with_memories / "sim_build").glob("dump.*"))


def test_make_lint_says_nothing(with_memories: Path) -> None:
    done = run_make(with_memories, "lint")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def test_the_plain_verilog_bench_passes(with_memories: Path) -> None:
    tool = verilator()
    assert tool is not None
    done = run_make(with_memories, "bench")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "PASS: 8 frames bit-exact" in done.stdout


@pytest.mark.parametrize("target", ["sim", "bench", "lint"])
def test_every_target_stops_on_an_altered_or_missing_file(copy: Path, target: str) -> None:
    memory = next(copy.glob("*.mem"))
    memory.write_text(memory.read_text().replace("0", "1", 1))
    done = run_make(copy, target)
    assert done.returncode != 0
    assert f"missing or altered: {memory.name}" in done.stderr
    memory.unlink()
    assert run_make(copy, target).returncode != 0
