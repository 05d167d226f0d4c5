"""ONNX's numbers for data types and numpy's names for them; 4-bit integers are held in 8 bits."""

from __future__ import annotations

__all__ = ["ONNX_DTYPES"]

ONNX_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    21: "uint8",
    22: "int8",
}
