"""Folders compiled once a session: simulators take seconds to build."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwq.target.tools import compiler, make, verilator
from tests.target.designs import mlp, plan_for, write


@pytest.fixture(scope="session", autouse=True)
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of this session's own: tests neither use nor fill the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWQ_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def simulator() -> None:
    """Skips where no simulator can be built."""
    if verilator() is None or compiler() is None or make() is None:
        pytest.skip("no Verilator or no C++ compiler here")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, simulator: None) -> Path:
    """A folded network of three layers, its weights inline."""
    folder = tmp_path_factory.mktemp("verify") / "three"
    network = mlp(name="three", widths=(40, 12, 9, 5), layers=("fc1", "blocks[1].fc", "fc3"))
    write(network, folder, plan=plan_for(network, fps=300e6 / 50))
    return folder


@pytest.fixture(scope="session")
def with_memories(tmp_path_factory: pytest.TempPathFactory, simulator: None) -> Path:
    """The same with its weights in memory files."""
    folder = tmp_path_factory.mktemp("verify") / "memories"
    network = mlp(name="memories", widths=(40, 12, 5))
    write(network, folder, plan=plan_for(network, fps=300e6 / 60), inline_bits=16)
    return folder


def rehash(folder: Path, name: str) -> None:
    """Make the folder's documents agree with an altered file, as a broken compiler would have written it."""
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    for document in ("interface.json", "report.json"):
        content = json.loads((folder / document).read_text())
        if name in content["files"]:
            content["files"][name] = digest
        (folder / document).write_text(json.dumps(content))
        if document == "interface.json":
            report = json.loads((folder / "report.json").read_text())
            report["files"][document] = hashlib.sha256((folder / document).read_bytes()).hexdigest()
            (folder / "report.json").write_text(json.dumps(report))


def weights_of(folder: Path, layer: str) -> str:
    """The name of the module of the weight memory of ``layer``."""
    report = json.loads((folder / "report.json").read_text())
    text = (folder / f"{report['name']}.v").read_text()
    body = text[text.index(f"module {report['modules'][layer]}(") :]
    rom = re.search(r"^  (\S+_rom_weights_\S+) ", body, re.MULTILINE)
    assert rom
    return rom[1]


def flip_weight(folder: Path, layer: str) -> None:
    """Flip the first word of weights of ``layer`` in the Verilog of a folder, and make its documents agree."""
    name = f"{json.loads((folder / 'report.json').read_text())['name']}.v"
    text = (folder / name).read_text()
    word = re.compile(r"(mem\[\d+\] = (\d+)'h)([0-9a-f]+);").search(text, text.index(f"module {weights_of(folder, layer)}("))
    assert word
    (folder / name).write_text(text[: word.start(3)] + f"{int(word[3], 16) ^ (1 << int(word[2])) - 1:x}" + text[word.end(3) :])
    rehash(folder, name)


@pytest.fixture
def planted(built: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of the folder with a word of weights of a layer flipped in the Verilog."""

    def plant(layer: str) -> Path:
        folder = tmp_path / "planted"
        shutil.copytree(built, folder, ignore=shutil.ignore_patterns("verify.json"))
        flip_weight(folder, layer)
        return folder

    return plant
