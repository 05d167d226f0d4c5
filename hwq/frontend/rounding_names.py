"""QONNX's names of rounding modes. They lie: HALF_UP rounds halves away from zero, UP rounds everything away from zero."""

from __future__ import annotations

from hwq.errors import InputError
from hwq.numerics.rounding import Rounding

__all__ = ["rounding_of"]

_MODES = {
    "ROUND": Rounding.HALF_EVEN,
    "HALF_EVEN": Rounding.HALF_EVEN,
    "FLOOR": Rounding.FLOOR,
    "CEIL": Rounding.CEIL,
    "UP": Rounding.AWAY,
    "DOWN": Rounding.TOWARD_ZERO,
    "ROUND_TO_ZERO": Rounding.TOWARD_ZERO,  # Brevitas's name, which it exports as it is
    "HALF_UP": Rounding.HALF_AWAY,
    "HALF_DOWN": Rounding.HALF_TOWARD_ZERO,
}


def rounding_of(name: str) -> Rounding:
    """Mode of a QONNX name in any case; raises :class:`InputError` for another."""
    mode = _MODES.get(name.upper())
    if mode is None:
        raise InputError("ROUNDING-MODE", f"rounding mode {name!r} is unknown, one of {', '.join(_MODES)} was expected")
    return mode
