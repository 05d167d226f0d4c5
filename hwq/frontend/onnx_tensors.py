"""Tensors of ONNX files as numpy arrays, sizes and paths checked before anything is read."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.onnx_types import ONNX_DTYPES

__all__ = ["tensor_array"]

PACKED = {21, 22}
EXTERNAL = 1
MAX_ELEMENTS = 1 << 29


def tensor_array(tensor: Any, label: str, folder: Path | None) -> NDArray[Any]:
    """The array of a tensor proto; raises :class:`InputError` naming ``label``."""
    from onnx import numpy_helper

    dtype, shape = ONNX_DTYPES.get(tensor.data_type), tuple(tensor.dims)
    if dtype is None:
        raise InputError("TENSOR-DTYPE", f"the tensor has ONNX data type {tensor.data_type}, which is not supported", where=label)
    if any(d < 0 for d in shape) or prod(shape) > MAX_ELEMENTS:
        raise InputError("TENSOR-SIZE", f"the tensor has shape {shape}, at most {MAX_ELEMENTS} elements are read", where=label)
    if tensor.data_location == EXTERNAL:
        return _external(tensor, label, folder, np.dtype(dtype), shape)
    try:
        array = np.asarray(numpy_helper.to_array(tensor))
        return array.astype(dtype).reshape(shape)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError("TENSOR-DATA", f"the tensor's data does not fit its shape {shape} ({error})", where=label) from None


def _external(tensor: Any, label: str, folder: Path | None, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    entries = {e.key: e.value for e in tensor.external_data}
    path = _inside(entries.get("location", ""), label, folder)
    count = prod(shape)
    size = (count + 1) // 2 if tensor.data_type in PACKED else count * dtype.itemsize
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
    except (OSError, ValueError) as error:
        raise InputError("EXTERNAL-DATA", f"the external data {path.name!r} cannot be read ({error})", where=label) from None
    if len(data) != size or length != size:
        raise InputError("EXTERNAL-DATA", f"the external data {path.name!r} holds {len(data)} of {size} bytes", where=label)
    if tensor.data_type in PACKED:
        return _unpacked(np.frombuffer(data, np.uint8), count, tensor.data_type == 22).reshape(shape)
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)


def _inside(location: str, label: str, folder: Path | None) -> Path:
    """The data file, which must lie in the model's own folder, links resolved."""
    if folder is None:
        raise InputError("EXTERNAL-DATA", "the tensor's data lies in another file, which a model in memory cannot have", where=label)
    try:
        path = (folder / location).resolve()
        inside = bool(location) and path.is_relative_to(folder) and path.is_file()
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise InputError(
            "EXTERNAL-DATA",
            f"the tensor's data is said to lie in {location[:200]!r}, which is no file inside the model's folder",
            where=label,
            hint="Save the model with its data beside it, or in one file",
        )
    return path


def _unpacked(data: NDArray[np.uint8], count: int, signed: bool) -> NDArray[Any]:
    """Two 4-bit integers a byte, the first in the low half."""
    nibbles = np.stack([data & 15, data >> 4], axis=1).reshape(-1)[:count]
    return ((nibbles.astype(np.int8) ^ 8) - 8).astype(np.int8) if signed else nibbles
