"""Data sets on disk: images as bytes, in a training and a test part; how their files are found and read."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError

__all__ = ["DataSet", "Part", "find_files", "folder_of", "read_bytes"]

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Part:
    """``images`` (N, C, H, W) bytes and ``labels`` (N,) 0..9."""

    images: Bytes
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DataSet:
    """What to train on, and what to be judged by."""

    train: Part
    test: Part


def folder_of(data: Path | None, name: str, files: str) -> Path:
    """``data`` where it is a folder; raises :class:`InputError` that says which files of data set ``name`` belong in it."""
    hint = f"Name the folder that holds {files}: --data DIR"
    if data is None:
        raise InputError("DATA-MISSING", f"this recipe trains on {name}, read from files on disk", where="--data", hint=hint)
    if not data.is_dir():
        raise InputError("DATA-MISSING", "there is no such folder", where=str(data), hint=hint)
    return data


def find_files(folder: Path, inside: Sequence[str], names: Sequence[Sequence[str]], source: str) -> list[Path]:
    """One file for each of ``names`` (any of its spellings), all in ``folder`` or all in one of the folders ``inside`` it.

    Raises :class:`InputError` that names every missing file, and ``source``, where they come from.
    """
    missing: list[str] = []
    for place in (folder, *(folder / name for name in inside)):
        found = [next((place / s for s in spellings if (place / s).is_file()), None) for spellings in names]
        if all(found):
            return [path for path in found if path is not None]
        if any(found) or not missing:
            missing = [spellings[0] for spellings, path in zip(names, found, strict=True) if path is None]
    raise InputError("DATA-MISSING", f"not there: {', '.join(missing)}", where=str(folder), hint=source)


def read_bytes(path: Path, limit: int) -> bytes:
    """Content of a file, unpacked where it is gzip; raises :class:`InputError` beyond ``limit`` bytes, before they are in memory."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            content: bytes = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("DATA-DAMAGED", f"the file cannot be read ({error})", where=path.name, hint="Download it again") from None
    if len(content) > limit:
        raise InputError("DATA-DAMAGED", f"it holds more than {limit} bytes, more than this data set has", where=path.name)
    return content
