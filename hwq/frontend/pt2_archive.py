"""The payload of a ``.pt2`` file: JSON and raw tensor bytes out of its zip. Nothing in it is ever unpickled."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.network.container import check_sizes

__all__ = ["DTYPES", "Archive", "open_archive"]

# torch's serialized ScalarType -> numpy; half precision is widened to float32, which holds it exactly.
DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    34: "uint32",
    35: "uint64",
}
FREE_ELEMENTS = 1 << 20  # a broadcast constant may be larger than its bytes, up to here


class Archive:
    """One model of a ``.pt2`` archive: its document and its tensors by name."""

    def __init__(self, document: Mapping[str, Any], weights: Mapping[str, NDArray[Any]], constants: Mapping[str, NDArray[Any]]) -> None:
        self.document = document
        self.weights = weights
        self.constants = constants


def open_archive(path: Path) -> Archive:
    """Read the archive; raises :class:`InputError` for damage, pickled payloads, paths that lead out, sizes that lie."""
    where = path.name
    try:
        with zipfile.ZipFile(path) as z:
            check_sizes(z.infolist(), where)
            root, model = _model(z, where)
            document = json.loads(z.read(f"{root}models/{model}.json"))
            weights = _payloads(z, f"{root}data/weights/", f"{model}_weights_config.json", where)
            constants = _payloads(z, f"{root}data/constants/", f"{model}_constants_config.json", where)
            return Archive(document, weights, constants)
    except InputError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        EOFError,
        RecursionError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise InputError("FILE-DAMAGED", f"the .pt2 file is damaged ({type(error).__name__}: {error})", where=where) from None


def _model(z: zipfile.ZipFile, where: str) -> tuple[str, str]:
    """Folder that all members share, and the name of the only model."""
    found = [n for n in z.namelist() if n.endswith(".json") and n.split("/")[-2:-1] == ["models"]]
    if len(found) != 1:
        raise InputError("PT2-MODELS", f"the .pt2 file holds {len(found)} models, one was expected", where=where)
    root, _, name = found[0].rpartition("models/")
    return root, name.removesuffix(".json")


def _payloads(z: zipfile.ZipFile, folder: str, config: str, where: str) -> dict[str, NDArray[Any]]:
    if folder + config not in z.namelist():
        return {}
    entries = json.loads(z.read(folder + config))["config"]
    return {name: _payload(z, folder, name, meta, where) for name, meta in entries.items()}


def _payload(z: zipfile.ZipFile, folder: str, name: str, meta: Mapping[str, Any], where: str) -> NDArray[Any]:
    file = meta["path_name"]
    if meta.get("use_pickle", True) or str(file).startswith(("custom_obj", "opaque_obj")) or meta.get("tensor_meta") is None:
        raise InputError(
            "PICKLE",
            f"{name!r} is stored as a pickle, which runs code when it is read; nothing of it was run",
            where=where,
            hint="Save plain tensors, or use hwq.save",
        )
    if not isinstance(file, str) or "/" in file or "\\" in file or file.startswith("."):
        raise InputError("PATH-ESCAPE", f"{name!r} claims to be stored in {file!r}, a plain file name was expected", where=where)
    return _tensor(z.read(folder + file), name, meta["tensor_meta"], where)


def _tensor(data: bytes, name: str, meta: Mapping[str, Any], where: str) -> NDArray[Any]:
    kind = DTYPES.get(meta["dtype"])
    if kind is None:
        raise InputError("TENSOR-DTYPE", f"{name!r} has a dtype (number {meta['dtype']}) that is not supported", where=where)
    if meta.get("layout", 7) != 7:
        raise InputError("TENSOR-LAYOUT", f"{name!r} is a sparse tensor, dense ones are supported", where=where)
    shape = [int(d["as_int"]) for d in meta["sizes"]]
    strides = [int(d["as_int"]) for d in meta["strides"]]
    offset = int(meta["storage_offset"]["as_int"])
    stored = _elements(data, kind)
    _check_extent(name, shape, strides, offset, len(stored), where)
    view = np.lib.stride_tricks.as_strided(stored[offset:], shape, [s * stored.itemsize for s in strides], writeable=False)
    return np.array(view, order="C")


def _elements(data: bytes, kind: str) -> NDArray[Any]:
    if kind == "bfloat16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    stored: NDArray[Any] = np.frombuffer(data, np.dtype(kind).newbyteorder("<"))
    return stored.astype(np.float32 if kind == "float16" else np.dtype(kind))


def _check_extent(name: str, shape: list[int], strides: list[int], offset: int, count: int, where: str) -> None:
    """The view must lie inside the stored elements, before it is made."""
    elements = math.prod(shape)
    sane = len(shape) == len(strides) and min(*shape, *strides, offset, 0) >= 0
    last = offset + sum((d - 1) * s for d, s in zip(shape, strides, strict=False)) if sane and elements else -1
    if not sane or last >= count or elements > max(count, FREE_ELEMENTS):
        raise InputError(
            "TENSOR-SIZE",
            f"{name!r} claims shape {tuple(shape)} and strides {tuple(strides)}, the file holds {count} elements",
            where=where,
        )
