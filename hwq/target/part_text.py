"""A part of fabric by itself as Verilog, for other people's designs."""

from __future__ import annotations

from hwq.errors import InputError
from hwq.gateware.fabric_part import FabricPart, NetlistPart
from hwq.gateware.parts import Part
from hwq.target.fabric_parts import FabricParts
from hwq.target.primitives import check_primitives
from hwq.target.verilog import LINT_OFF

__all__ = ["part_text"]


def part_text(part: FabricPart, name: str, primitives: str = "portable") -> str:
    """Verilog-2001 of ``part`` as module ``name``, with the modules of its cells; the ports of its netlist, ``clk`` and ``rst``.

    ``primitives`` as in ``hwq compile``: in ``portable`` the macros ``HWQ_FABRIC`` and ``HWQ_UNISIM`` choose cells and the vendor's cells.
    The same text every time. Raises :class:`InputError` (``PRIMITIVES-UNKNOWN``, ``PART-NAME``).
    """
    part._MustUse__silence = True  # written here, Amaranth never elaborates it
    check_primitives(primitives)
    if not (name.isascii() and name.isidentifier()):
        raise InputError("PART-NAME", f"{name!r} is no name of a module", hint="Use letters, digits and underscores")
    parts = FabricParts(name, primitives)
    text = parts(Part(name, "part", NetlistPart(part.netlist)))
    assert text is not None
    off, on = ("\n".join(f"/* verilator lint_{state} {rule} */" for rule in LINT_OFF) for state in ("off", "on"))
    return "\n".join([off, parts.modules, text, on, ""])
