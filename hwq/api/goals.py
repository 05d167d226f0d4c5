"""Goals of a plan as Python gives them: numbers, numpy numbers; anything else is told plainly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwq.errors import InputError

__all__ = ["budget_of", "number"]


def number(value: Any, option: str, expected: str) -> float | None:
    """``value`` as a float; None stays None. Raises :class:`InputError` for text and whatever else is no number."""
    if value is None:
        return None
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError("GOAL-VALUE", f"{value!r} was given, expected {expected}", where=option) from None


def budget_of(value: Mapping[str, float] | None) -> dict[str, float]:
    """Shares by resource. Raises :class:`InputError` for anything but a mapping of names to numbers."""
    hint = "Write budget={'lut': 0.4}: shares of the device, 0 to 1"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError("GOAL-VALUE", f"{value!r} was given, expected a mapping of resources to shares", where="budget", hint=hint)
    shares = {}
    for name, share in value.items():
        checked = number(share, "budget", f"a share of {name} as a number, 0.4 for 40 %")
        if checked is None:
            raise InputError("GOAL-VALUE", f"no share is given for {name}", where="budget", hint=hint)
        shares[name] = checked
    return shares
