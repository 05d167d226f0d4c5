"""Amounts of FPGA fabric, with the arithmetic a planner needs."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["RESOURCE_NAMES", "Resources"]


@dataclass(frozen=True)
class Resources:
    """Amounts of fabric. ``lut`` counts every LUT, those used as memory (``lutram``) included; ``bram36`` counts halves."""

    lut: float = 0.0
    lutram: float = 0.0
    ff: float = 0.0
    bram36: float = 0.0
    uram: float = 0.0
    dsp: float = 0.0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.lut + other.lut,
            self.lutram + other.lutram,
            self.ff + other.ff,
            self.bram36 + other.bram36,
            self.uram + other.uram,
            self.dsp + other.dsp,
        )

    def as_dict(self) -> dict[str, float]:
        """Amounts by resource name."""
        return {name: getattr(self, name) for name in RESOURCE_NAMES}

    def rounded(self) -> dict[str, float]:
        """Amounts by name as a report shows them: whole numbers, block RAM in halves."""
        return {name: round(v * 2) / 2 if name == "bram36" else round(v) for name, v in self.as_dict().items()}

    def fraction_of(self, whole: Resources) -> dict[str, float]:
        """Share of ``whole`` by resource; 0 where both are 0, infinite where only ``whole`` is."""
        return {name: _share(v, getattr(whole, name)) for name, v in self.as_dict().items()}


def _share(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return float("inf") if part else 0.0


RESOURCE_NAMES: tuple[str, ...] = tuple(f.name for f in fields(Resources))
