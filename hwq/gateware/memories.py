"""Memory kinds of a plan as synthesis attributes."""

from __future__ import annotations

__all__ = ["memory_attributes", "rom_attributes"]

STYLES = {"logic": "registers", "lutram": "distributed", "block": "block", "ultra": "ultra"}


def memory_attributes(kind: str) -> dict[str, str]:
    """Attributes that ask Vivado and Yosys for a memory of ``logic``, ``lutram``, ``block`` or ``ultra``."""
    return {"ram_style": STYLES[kind]}


def rom_attributes(kind: str) -> dict[str, str]:
    """Attributes for a memory that is never written.

    LUTs hold it as functions of the address whether it is called ``logic`` or ``lutram``. Vivado reads ``rom_style``; Yosys
    reads ``ram_style`` first and has no initialised LUT RAM without a write port, so there it says ``registers``.
    """
    if kind == "block":
        return {"ram_style": "block", "rom_style": "block"}
    return {"ram_style": "registers", "rom_style": "distributed"}
