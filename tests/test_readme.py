"""Every example of the README runs, in order, in an empty folder; and every command and file it names exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hwq.cli import main

README = Path(__file__).resolve().parents[1] / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """(language, text) of each fenced block, in order."""
    return FENCE.findall(README.read_text())


def commands(text: str) -> list[list[str]]:
    """The hwq command lines of a console block, comments stripped."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [w[1:] for w in words if w and w[0] == "hwq"]


def test_the_readme_starts_with_the_two_commands() -> None:
    language, text = examples()[0]
    assert language == "console"
    assert [line.split("#")[0].strip() for line in text.splitlines()] == ["make demo", "make test"]


def test_every_example_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}
    for language, text in examples():
        if language == "console":
            for argv in commands(text):
                assert main(argv) == 0, f"hwq {' '.join(argv)}"
        elif language == "python":
            exec(compile(text, "README.md", "exec"), names)


def test_every_fence_is_of_a_kind_that_is_checked() -> None:
    assert {language for language, _ in examples()} <= {"console", "python", "text", "toml", "verilog", "json"}
