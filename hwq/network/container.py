"""A plain-data file: a zip of one JSON document and numpy arrays, no pickle, byte-identical for equal content."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError

__all__ = ["read_container", "write_container"]

# A model file is hostile input: no member may claim more than this before it is read.
MAX_MEMBER_BYTES = 2 << 30
MAX_TOTAL_BYTES = 8 << 30
MAX_RATIO = 2000  # zeros deflate to about 1:1000
# Weights do not deflate much better than 1:64; beyond this size a file that does is no model.
LARGE_BYTES, LARGE_RATIO = 512 << 20, 100
EPOCH = (1980, 1, 1, 0, 0, 0)
ARRAY_KINDS = "biuf"


def write_container(path: Path, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``document`` and ``arrays`` to ``path``, beside it first, then in its place."""
    temporary = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as z:
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True)
        z.writestr(_member("model.json"), text)
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(arrays[name], order="C"), allow_pickle=False)  # 0-d stays 0-d
            z.writestr(_member(f"arrays/{name}.npy"), buffer.getvalue())
    os.replace(temporary, path)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def read_container(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Document and arrays of a file; raises :class:`InputError` for anything damaged, oversized or pickled."""
    where = path.name
    try:
        with zipfile.ZipFile(path) as z:
            members = z.infolist()
            check_sizes(members, where)
            document = json.loads(z.read("model.json"))
            if not isinstance(document, dict):
                raise ValueError("model.json is no object")
            arrays = {}
            for info in members:
                if info.filename.startswith("arrays/") and info.filename.endswith(".npy"):
                    arrays[info.filename[7:-4]] = _read_array(z.read(info), info.filename, where)
            return document, arrays
    except InputError:
        raise
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        EOFError,
        UnicodeDecodeError,
        RecursionError,
        zlib.error,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise InputError("FILE-DAMAGED", f"this is no readable .hwq file ({error})", where=where) from None


def check_sizes(members: list[zipfile.ZipInfo], where: str) -> None:
    """Refuse a zip whose members would unpack to an unreasonable size, before unpacking any."""
    for m in members:
        if m.file_size > MAX_MEMBER_BYTES or m.file_size > MAX_RATIO * max(m.compress_size, 1) + (1 << 20):
            raise InputError(
                "FILE-BOMB",
                f"member {m.filename!r} claims {m.file_size} bytes from {m.compress_size} compressed ones",
                where=where,
                hint="A model file never compresses that well; it was refused before unpacking",
            )
    total, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    if total > LARGE_BYTES and total > LARGE_RATIO * packed:
        raise InputError("FILE-BOMB", f"the file claims to unpack {packed} bytes to {total}; it was refused before unpacking", where=where)
    if total > MAX_TOTAL_BYTES:
        raise InputError("FILE-BOMB", f"the file unpacks to more than {MAX_TOTAL_BYTES >> 30} GiB", where=where)


def _read_array(data: bytes, member: str, where: str) -> NDArray[Any]:
    _check_header(data)
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    if array.dtype.kind not in ARRAY_KINDS:
        raise InputError("FILE-DTYPE", f"{member} holds {array.dtype}, only plain numbers are allowed", where=where)
    return array


def _check_header(data: bytes) -> None:
    """An array claims exactly the bytes that follow its header; else numpy would allocate whatever it claims."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    claimed, held = prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if not dtype.hasobject and claimed != held:
        raise ValueError(f"an array claims {claimed} bytes and holds {held}")
