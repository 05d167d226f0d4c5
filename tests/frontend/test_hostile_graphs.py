"""Whatever stands in a model.pt or a .pt2, reading ends in a graph or in an InputError."""

from __future__ import annotations

import copy
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from hwq.errors import InputError
from hwq.frontend.model_pt import save_model_pt
from hwq.frontend.read import read_graph
from tests.frontend.test_aten_windows import Forked
from tests.frontend.test_pt2 import Foreign, write_pt2
from tests.frontend.torch_networks import frames, networks

NONSENSE: list[Any] = [None, 0, -1, 2**40, 1.5, float("nan"), "", "x", [], {}, [1, 2], {"tensor": "nope"}, {"as_int": -3}, True]
TRIALS = 60


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything inside a document."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def spoilt(document: Any, rng: random.Random) -> Any:
    """The document with one value replaced or missing."""
    document = copy.deepcopy(document)
    *path, last = rng.choice(list(places(document)))
    holder = document
    for key in path:
        holder = holder[key]
    if rng.random() < 0.25:
        del holder[last]
    else:
        holder[last] = rng.choice(NONSENSE)
    return document


def outcome(path: Path) -> str:
    try:
        read_graph(path)
    except InputError as error:
        return error.code
    return "read"


def test_spoilt_model_pt_files(tmp_path: Path) -> None:
    module = networks()["mixed"]
    save_model_pt(module, tmp_path / "m.pt", frames(module)[:2])
    document = torch.load(tmp_path / "m.pt", weights_only=True)
    rng = random.Random(1)
    codes = set()
    for _ in range(TRIALS):
        torch.save(spoilt(document, rng), tmp_path / "spoilt.pt")
        codes.add(outcome(tmp_path / "spoilt.pt"))
    assert {"read", "FILE-DAMAGED", "PROBLEMS"} <= codes


def test_spoilt_files_of_a_network_with_branches(tmp_path: Path) -> None:
    save_model_pt(Forked().eval(), tmp_path / "m.pt", (torch.zeros(2, 3, 8, 8), torch.zeros(2, 4)))
    document = torch.load(tmp_path / "m.pt", weights_only=True)
    rng = random.Random(3)
    codes = set()
    for _ in range(2 * TRIALS):
        torch.save(document | {"nodes": spoilt(document["nodes"], rng)}, tmp_path / "spoilt.pt")
        codes.add(outcome(tmp_path / "spoilt.pt"))
    assert {"read", "FILE-DAMAGED", "PROBLEMS"} <= codes


@pytest.mark.parametrize("member", ["models/model.json", "data/weights/model_weights_config.json"])
def test_spoilt_pt2_files(tmp_path: Path, member: str) -> None:
    write_pt2(Foreign(), tmp_path / "m.pt2", torch.rand(3, 2, 3))
    with zipfile.ZipFile(tmp_path / "m.pt2") as z:
        members = {name: z.read(name) for name in z.namelist()}
    (target,) = (name for name in members if name.endswith(member))
    document = json.loads(members[target])
    rng = random.Random(2)
    codes = set()
    for _ in range(TRIALS):
        changed = {**members, target: json.dumps(spoilt(document, rng)).encode()}
        with zipfile.ZipFile(tmp_path / "spoilt.pt2", "w") as z:
            for name, data in changed.items():
                z.writestr(name, data)
        codes.add(outcome(tmp_path / "spoilt.pt2"))
    assert {"read", "FILE-DAMAGED"} <= codes
