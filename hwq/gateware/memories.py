"""Memory kinds of a plan as synthesis attributes."""

from __future__ import annotations

__all__ = ["memory_attributes"]

STYLES = {"logic": "logic", "lutram": "distributed", "block": "block"}


def memory_attributes(kind: str) -> dict[str, str]:
    """Attributes that ask Vivado and Yosys for ``logic``, ``lutram`` or ``block`` memory."""
    return {"ram_style": STYLES[kind], "rom_style": STYLES[kind]}
