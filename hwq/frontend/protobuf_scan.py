"""Tells an ONNX file from other bytes by the outermost fields of its protobuf, without the onnx package."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from hwq.errors import InputError

__all__ = ["looks_like_onnx"]

IR_VERSION, GRAPH = 1, 7
# Fields of onnx.ModelProto: ir_version, producer name and version, domain, model_version, doc, graph, opset imports,
# metadata, training info, functions, device configuration.
KNOWN = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
MAX_FIELDS = 100_000


def looks_like_onnx(path: Path) -> bool:
    """Whether the file is an ONNX model; raises :class:`InputError` when it begins like one and ends too early."""
    size = path.stat().st_size
    fields: set[int] = set()
    with path.open("rb") as f:
        for _ in range(MAX_FIELDS):
            if f.tell() == size:
                break
            field = _field(f)
            if field is None:
                return _verdict(fields, path, f.tell() >= size)
            number, end = field
            fields.add(number)
            if end > size:
                return _verdict(fields, path, True)
            f.seek(end)
    if IR_VERSION in fields and GRAPH not in fields:
        raise InputError(
            "FILE-TRUNCATED", "the file begins like ONNX and holds no graph", where=path.name, hint="Copy or download it again"
        )
    return GRAPH in fields


def _verdict(fields: set[int], path: Path, cut: bool) -> bool:
    if cut and IR_VERSION in fields:
        raise InputError("FILE-TRUNCATED", "the ONNX file is truncated", where=path.name, hint="Copy or download it again")
    return False


def _field(f: BinaryIO) -> tuple[int, int] | None:
    """Number and end of the next field; None for anything that ModelProto does not have."""
    key = _varint(f)
    if key is None or KNOWN.get(key >> 3) != key & 7:
        return None
    value = _varint(f)
    if value is None:
        return None
    return key >> 3, f.tell() + (value if key & 7 == 2 else 0)


def _varint(f: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = f.read(1)
        if not byte:
            return None
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    return None
