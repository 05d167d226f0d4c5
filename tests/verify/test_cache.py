"""Simulators live in the user's cache, never in a design's folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hwq.target.folder import load_folder
from hwq.verify import cache
from hwq.verify.batch import build_batch
from hwq.verify.cache import build_cache, content_key
from hwq.verify.ladder import verify


def test_a_planted_simulator_never_runs(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "foreign"
    shutil.copytree(built, folder)
    loaded = load_folder(folder)
    program = build_batch(folder, loaded.top, loaded.ports, loaded.signals).program
    for place in (program.parent.name, "cocotb", "cocotb-waves"):
        planted = folder / ".hwq_build" / place / "Vdut"
        planted.parent.mkdir(parents=True)
        planted.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        planted.chmod(0o755)
    assert verify(folder, engines=("batch",), frames=3, stalls=("none",)).bit_exact
    assert not (tmp_path / "ran").exists()
    assert not program.is_relative_to(folder)


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HWQ_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert build_cache() == tmp_path / "xdg" / "hwq" / "builds"
    assert build_cache().stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("HWQ_CACHE", str(tmp_path / "own"))
    assert build_cache() == tmp_path / "own" / "builds"


@pytest.mark.parametrize("trouble", ["others write", "a link", "a file", "read only"])
def test_a_cache_that_is_not_the_users_alone_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    monkeypatch.setenv("HWQ_CACHE", str(tmp_path))
    place = tmp_path / "builds"
    if trouble == "others write":
        place.mkdir()
        place.chmod(0o777)
    elif trouble == "a link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    elif trouble == "a file":
        place.touch()
    else:
        place.mkdir(0o500)
        if os.access(place, os.W_OK):
            pytest.skip("root writes everywhere")
    assert not build_cache().is_relative_to(tmp_path)


def test_borders_of_parts_count() -> None:
    assert content_key(["ab", "c"]) != content_key(["a", "bc"])
    assert content_key(["ab"]) == content_key([b"ab"])


def test_old_builds_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT", 2)
    for n in range(4):
        (tmp_path / f"b{n}").mkdir()
        (tmp_path / f"b{n}.lock").touch()
        os.utime(tmp_path / f"b{n}", (n, n))
    cache.tidy(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b2", "b2.lock", "b3", "b3.lock"]
