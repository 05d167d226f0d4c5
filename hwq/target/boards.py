"""Devices by name: the TOML files of ``boards/``, those of installed extensions, and files of the user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from hwq.errors import HwqError, InputError, Problems
from hwq.plan.device import FAMILIES, Device

__all__ = ["ENTRY_POINTS", "device_names", "load_device"]

# An extension's entry point loads to a folder of .toml files, as a path or string.
ENTRY_POINTS = "hwq.targets"

_COUNTS = ("lut", "lutram_lut", "ff", "bram36", "uram", "dsp", "slrs", "max_levels", "max_fanout")
_MAY_BE_ZERO = {"bram36", "uram", "dsp", "lutram_lut"}
_MAX_FILE = 1 << 20


def device_names(extra_paths: Iterable[str | Path] = ()) -> tuple[str, ...]:
    """Names that :func:`load_device` knows, sorted."""
    return tuple(sorted(_files(extra_paths)))


def load_device(name: str | Path, extra_paths: Iterable[str | Path] = ()) -> Device:
    """The device called ``name``, or that of a ``.toml`` file; ``extra_paths`` are more folders to look in.

    Raises :class:`InputError` for an unknown name (the nearest is offered), :class:`Problems` for a file with mistakes.
    """
    text = str(name)
    if text.endswith(".toml"):
        return _read(Path(text))
    files = _files(extra_paths)
    if text not in files:
        near = get_close_matches(text.lower(), files, 1, 0.5)
        offer = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(
            "TARGET-UNKNOWN",
            f"there is no target {text!r}; {offer}The targets are {', '.join(sorted(files))}",
            where="--target",
            hint="Another part is described by a .toml file like those in boards/: give its path",
        )
    return _read(files[text])


def _files(extra_paths: Iterable[str | Path]) -> dict[str, Path]:
    folders = [_own_folder(), *_extension_folders(), *map(Path, extra_paths)]
    return {f.stem: f for folder in folders for f in sorted(folder.glob("*.toml"))}


def _own_folder() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "_data" / "boards"
    return installed if installed.is_dir() else package.parent / "boards"


def _extension_folders() -> list[Path]:
    return [Path(str(point.load())) for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name)]


def _read(path: Path) -> Device:
    try:
        if path.stat().st_size > _MAX_FILE:
            raise InputError("TARGET-FILE", f"{path.stat().st_size} bytes are too many for a target file", where=path.name)
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError("TARGET-FILE", f"this target file cannot be read ({error})", where=path.name) from None
    problems = list(_problems(document, path.name))
    if problems:
        raise Problems(problems)
    return Device(name=path.stem, **{**document, "clock_mhz": float(document["clock_mhz"])})


def _problems(document: Mapping[str, Any], where: str) -> Iterable[HwqError]:
    known = [f.name for f in fields(Device) if f.name != "name"]
    for key in document:
        if key not in known:
            near = get_close_matches(key, known, 1)
            yield InputError(
                "TARGET-FIELD", f"{key!r} is no field of a target", where=where, hint=f"Nearest is {near[0]!r}" if near else None
            )
    for key in known:
        if key not in document:
            yield InputError("TARGET-FIELD", f"the field {key!r} is missing", where=where)
        elif (expected := _expected(key, document[key])) is not None:
            yield InputError("TARGET-FIELD", f"{key} is {document[key]!r}, expected {expected}", where=where)
    if unsourced := _missing_sources(document):
        message = f"[sources] does not say where these figures come from: {', '.join(unsourced)}"
        yield InputError("TARGET-SOURCE", message, where=where)


def _expected(key: str, value: object) -> str | None:
    """What ``key`` should be, or None when ``value`` is that."""
    if key in _COUNTS:
        least = 0 if key in _MAY_BE_ZERO else 1
        good = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return None if good else f"a whole number, {least} or more"
    if key == "clock_mhz":
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2000
        return None if good else "megahertz, 0..2000"
    if key == "family":
        return None if value in FAMILIES else f"one of {', '.join(FAMILIES)}"
    if key == "sources":
        good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        return None if good else "a table of strings"
    return None if isinstance(value, str) and value else "a text"


def _missing_sources(document: Mapping[str, Any]) -> list[str]:
    sources = document.get("sources")
    given = {k for key in sources for k in str(key).split()} if isinstance(sources, dict) else set()
    return [k for k in _COUNTS if k in document and k not in given and k not in ("max_levels", "max_fanout")]
