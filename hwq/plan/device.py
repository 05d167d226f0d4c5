"""A device: what an FPGA holds and the clock assumed for it. Pure data, read from ``boards/*.toml`` by hwq.target.boards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwq.plan.resources import Resources

__all__ = ["FAMILIES", "Device"]

# Families by their name in boards/*.toml.
FAMILIES = ("7series", "ultrascale", "ultrascale+")


@dataclass(frozen=True)
class Device:
    """One named part, with the figures of its vendor's product tables.

    Parameters
    ----------
    name, title, part
        Name used with ``--target``, a line for people, and the vendor's full part number.
    family
        One of :data:`FAMILIES`.
    lut, ff, bram36, uram, dsp
        Counts of 6-input LUTs, flip-flops, 36 Kb block RAMs, UltraRAMs and DSP slices.
    lutram_lut
        How many of the LUTs can be memory (SLICEM).
    slrs
        Dies of the device.
    clock_mhz
        Clock assumed when none is asked for; no timing result stands behind it.
    max_levels, max_fanout
        Levels of logic between registers and loads of one register that go with that clock.
    sources
        Where each figure comes from: field or fields -> document and table.
    """

    name: str
    title: str
    part: str
    family: str
    lut: int
    lutram_lut: int
    ff: int
    bram36: int
    uram: int
    dsp: int
    slrs: int
    clock_mhz: float
    max_levels: int
    max_fanout: int
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_wide_slices(self) -> bool:
        """Whether a DSP slice is the DSP48E2 that lanes and accumulators are made of; 7 series have the DSP48E1, of 25 by 18 bits."""
        return self.family != "7series"

    @property
    def capacity(self) -> Resources:
        """All of the device as :class:`Resources`."""
        return Resources(self.lut, self.lutram_lut, self.ff, self.bram36, self.uram, self.dsp)
