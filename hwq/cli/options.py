"""Values of options: numbers with units, budgets, accumulations. Each function raises :class:`InputError` naming the option."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from hwq.errors import HwqError, InputError, Problems

if TYPE_CHECKING:
    from hwq.network.ops import Accumulation

__all__ = ["accumulation", "budget", "collect", "count", "latency", "positive", "rate", "real"]

T = TypeVar("T")
RATE_SUFFIXES = {"k": 1e3, "M": 1e6, "G": 1e9}
LATENCY_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
BUDGET_KINDS = {"lut": "lut", "lutram": "lutram", "ff": "ff", "bram": "bram36", "bram36": "bram36", "uram": "uram", "dsp": "dsp"}
MAX_ACCUMULATOR_BITS = 48


def collect(*readers: Callable[[], object]) -> None:
    """Call every reader, so that all wrong options are reported at once."""
    problems: list[HwqError] = []
    for reader in readers:
        try:
            reader()
        except HwqError as error:
            problems.extend(error.entries())
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise Problems(problems)


def real(text: str | None, option: str) -> float | None:
    """A finite number, ``0.5`` or ``1e-3``; None stays None."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        raise InputError("OPTION-NUMBER", f"{text!r} is not a number", where=option) from None
    if not math.isfinite(value):
        raise InputError("OPTION-NUMBER", f"{text!r} is not finite", where=option)
    return value


def positive(text: str | None, option: str) -> float | None:
    """:func:`real`, above zero."""
    value = real(text, option)
    if value is not None and value <= 0:
        raise InputError("OPTION-RANGE", f"{text} is not above zero", where=option)
    return value


def count(text: str | None, option: str, low: int = 1, high: int = 1 << 31) -> int | None:
    """A whole number, ``low`` to ``high``."""
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?\d{1,18}", text.strip()):
        raise InputError("OPTION-NUMBER", f"{text!r} is not a whole number", where=option)
    value = int(text)
    if not low <= value <= high:
        raise InputError("OPTION-RANGE", f"{value} is not in {low}..{high}", where=option)
    return value


def rate(text: str | None, option: str) -> float | None:
    """:func:`positive`, with ``k``, ``M`` or ``G`` behind it if need be: ``1e6``, ``1M``, ``250k``."""
    if text is None or not text.strip()[:-1] or text.strip()[-1] not in RATE_SUFFIXES:
        return positive(text, option)
    value = positive(text.strip()[:-1], option)
    return None if value is None else value * RATE_SUFFIXES[text.strip()[-1]]


def latency(text: str | None, option: str) -> float | None:
    """Seconds of a time with its unit: ``5us``, ``800ns``, ``0.001s``."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*([^a-zµ\s]+(?:e[+-]?\d+)?)\s*(s|ms|us|µs|ns)\s*", text)
    if match is None:
        raise InputError("OPTION-TIME", f"{text!r} is not a time with its unit", where=option, hint="Write for example 5us, 800ns or 2ms")
    value = positive(match[1], option)
    return None if value is None else value * LATENCY_UNITS[match[2]]


def budget(text: str | None, option: str) -> dict[str, float] | None:
    """Shares of the device by resource kind: ``lut=40%,bram=50%`` (or ``lut=0.4``)."""
    if text is None:
        return None
    shares: dict[str, float] = {}
    for part in text.split(","):
        word, equals, value = (p.strip() for p in part.partition("="))
        kind = BUDGET_KINDS.get(word.lower())
        if not equals or kind is None or kind in shares:
            raise InputError(
                "OPTION-BUDGET",
                f"{part.strip()!r} is no share of a resource" if kind not in shares else f"{word} is given twice",
                where=option,
                hint="Write for example lut=40%,bram=50%; kinds: lut, lutram, ff, bram, uram, dsp",
            )
        shares[kind] = _share(value, option)
    return shares


def _share(text: str, option: str) -> float:
    value = positive(text.removesuffix("%"), option)
    assert value is not None
    share = value / 100 if text.endswith("%") else value
    if share > 1:
        hint = f"Write {text}% for percent" if not text.endswith("%") and share <= 100 else None
        raise InputError("OPTION-BUDGET", f"{text} is more than the whole device", where=option, hint=hint)
    return share


def accumulation(text: str | None, option: str) -> Accumulation | None:
    """``exact``, or ``saturating(12,8)``: 12 bits, clipped after every 8 products."""
    if text is None:
        return None
    from hwq.network.ops import Exact, Saturating

    if text.strip().lower() == "exact":
        return Exact()
    match = re.fullmatch(r"\s*saturating\s*\(\s*(\d{1,6})\s*,\s*(\d{1,6})\s*\)\s*", text, re.IGNORECASE)
    if match is None:
        raise InputError("OPTION-ACCUMULATOR", f"{text!r} is no accumulation", where=option, hint="Write exact or 'saturating(12,8)'")
    bits, chunk = int(match[1]), int(match[2])
    if not 2 <= bits <= MAX_ACCUMULATOR_BITS or chunk < 1:
        raise InputError(
            "OPTION-ACCUMULATOR", f"saturating({bits},{chunk}) needs 2..{MAX_ACCUMULATOR_BITS} bits and chunks of 1 or more", where=option
        )
    return Saturating(bits, chunk)
