"""Pieces: what a design is made of, each with counts of its structure, and the calibrated cost of such counts.

A piece is a module that synthesis keeps apart. Its LUT sites (memory apart) and flip-flops are sums of coefficient x count; the
coefficients are fitted to synthesis by ``python -m hwq.report.calibrate`` and lie in ``calibration.json``. What is known exactly, memories,
slices and circuits of the fabric, a piece carries with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from hwq.plan.resources import Resources

__all__ = ["Piece", "calibration", "cost_of", "levels_of", "piece", "piece_cost"]

NOTHING = Resources()
Coefficients = Mapping[str, float]


@dataclass(frozen=True)
class Piece:
    """``times`` equal modules: of a ``component``, with counts of its structure by name, and what is known exactly of each: ``fixed``,
    and ``levels`` of logic where they are known.
    """

    component: str
    counts: tuple[tuple[str, float], ...] = ()
    times: int = 1
    fixed: Resources = NOTHING
    levels: int = 0


def piece(component: str, times: int = 1, fixed: Resources = NOTHING, **counts: float) -> Piece:
    """A :class:`Piece`; every calibrated one counts itself, as ``one``."""
    return Piece(component, (("one", 1.0), *((name, float(n)) for name, n in counts.items() if n)), times, fixed)


@cache
def calibration() -> Mapping[str, Any]:
    """What ``calibration.json`` says: coefficients by component and resource, and the error that was found."""
    return MappingProxyType(json.loads((files("hwq.plan") / "calibration.json").read_text()))


@cache
def _coefficients() -> dict[str, tuple[Coefficients, Coefficients]]:
    return {name: (c["lut"], c["ff"]) for name, c in calibration()["components"].items()}


def piece_cost(p: Piece) -> Resources:
    """All modules of the piece; a component that was never calibrated costs what is fixed."""
    f = p.fixed
    lut, ff = f.lut, f.ff
    if p.counts and p.component in _coefficients():
        luts, ffs = _coefficients()[p.component]
        lut += sum(luts.get(name, 0.0) * n for name, n in p.counts)
        ff += sum(ffs.get(name, 0.0) * n for name, n in p.counts)
    t = p.times
    return Resources(t * lut, t * f.lutram, t * ff, t * f.bram36, t * f.uram, t * f.dsp)


def cost_of(pieces: Iterable[Piece]) -> Resources:
    """Fabric of pieces."""
    return sum(map(piece_cost, pieces), NOTHING)


def levels_of(pieces: Iterable[Piece]) -> int:
    """Most LUTs between registers in any piece: known of circuits of the fabric, else the most of any sample of the component.

    Paths that lead from one piece to another are not followed.
    """
    found = calibration()["components"]
    return max((p.levels or found.get(p.component, {}).get("levels", 0) for p in pieces), default=0)
