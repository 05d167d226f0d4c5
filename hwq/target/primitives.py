"""The cells of the fabric as own modules with the ports of the Xilinx cells, and the macros that choose between the two.

An instance in a structural part is named by a macro: `` `<top>_LUT6_2 `` is the module ``<top>_hwq_lut6_2`` of the file, or the cell
``LUT6_2`` itself where ``HWQ_UNISIM`` is defined, without a wrapper between: a wrapper would be one more module for every
truth table. Source of the cells' meaning: UG574, UG974.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from hwq.fabric import dsp48e2

__all__ = ["CELLS", "PRIMITIVES", "macro", "primitive_macros", "primitive_module", "primitive_modules", "slice_modules"]

# What `hwq compile --primitives` offers: nothing defined, own primitives, vendor cells.
PRIMITIVES = ("portable", "structural", "unisim")
SLICES = {dsp48e2.MODEL: (dsp48e2.PORTABLE, dsp48e2.UNISIM)}
LUTS = tuple(f"LUT{k}" for k in range(1, 7))


def macro(top: str, cell: str) -> str:
    """How a structural part of the design ``top`` names ``cell``."""
    return f"`{top}_{cell}"


def primitive_module(top: str, cell: str) -> str:
    """Verilog of the own module for ``cell``, behaviour only."""
    return CELLS[cell](f"{top}_hwq_{cell.lower()}")


def primitive_macros(top: str, cells: Collection[str], primitives: str = "portable") -> str:
    """The head of a file with structural parts that use ``cells``: which form is chosen, and what every cell is called.

    ``HWQ_FABRIC`` chooses the structural form and ``HWQ_UNISIM`` the vendor's cells in it; ``primitives`` chooses as if they were defined,
    for this design alone.
    """
    assert primitives in PRIMITIVES, primitives
    own = "\n".join(f"`define {top}_{cell} {top}_hwq_{cell.lower()}" for cell in sorted(cells))
    vendor = "\n".join(f"`define {top}_{cell} {cell}" for cell in sorted(cells))
    fabric = f"`define {top}_FABRIC" if primitives != "portable" else f"`ifdef HWQ_FABRIC\n`define {top}_FABRIC\n`endif"
    unisim = f"`define {top}_UNISIM" if primitives == "unisim" else f"`ifdef HWQ_UNISIM\n`define {top}_UNISIM\n`endif"
    return f"{fabric}\n{unisim}\n`ifdef {top}_UNISIM\n{vendor}\n`else\n{own}\n`endif"


def primitive_modules(top: str, cells: Collection[str]) -> str:
    """The own modules for ``cells``, left out where the vendor's are used."""
    texts = "\n\n".join(primitive_module(top, cell).strip() for cell in sorted(cells))
    return f"`ifndef {top}_UNISIM\n\n{texts}\n\n`endif"


def slice_modules(top: str, models: Collection[str]) -> str:
    """The modules of arithmetic slices: the behaviour, or the vendor's cell behind the same ports."""
    texts = []
    for model in sorted(models):
        portable, vendor = (text.replace(f"module {model}", f"module {top}_{model}", 1).strip() for text in SLICES[model])
        texts.append(f"`ifdef {top}_UNISIM\n\n{vendor}\n\n`else\n\n{portable}\n\n`endif")
    return "\n\n".join(texts)


def _lut(inputs: int) -> Callable[[str], str]:
    """A LUT with one output. A tree of multiplexers: an index would be unknown where any pin is, whether it matters or not."""

    def text(name: str) -> str:
        pins = [f"I{k}" for k in range(inputs)]
        declared = "\n".join(f"  input {pin};" for pin in pins)
        size = 1 << inputs
        return f"""
module {name}({", ".join(pins)}, O);
  parameter [{size - 1}:0] INIT = {size}'h0;
{declared}
  output O;
{_tree("INIT", pins, "h")}
  assign O = h0;
endmodule
"""

    return text


def _lut6_2(name: str) -> str:
    return f"""
module {name}(I0, I1, I2, I3, I4, I5, O5, O6);
  parameter [63:0] INIT = 64'h0;
  input I0;
  input I1;
  input I2;
  input I3;
  input I4;
  input I5;
  output O5;
  output O6;
{_tree("INIT[31:0]", [f"I{k}" for k in range(5)], "l")}
{_tree("INIT[63:32]", [f"I{k}" for k in range(5)], "u")}
  assign O5 = l0;
  assign O6 = I5 ? u0 : l0;
endmodule
"""


def _tree(table: str, pins: list[str], prefix: str) -> str:
    """Wires ``<prefix>5`` to ``<prefix>0``: what is left of a table when the inputs from that number on are known."""
    first = f"  wire [{(1 << len(pins)) - 1}:0] {prefix}{len(pins)} = {table};"
    lines = [first]
    for k in reversed(range(len(pins))):
        half, wide = 1 << k, f"{prefix}{k + 1}"
        width = f"[{half - 1}:0] " if half > 1 else ""
        lines.append(f"  wire {width}{prefix}{k} = {pins[k]} ? {wide}[{2 * half - 1}:{half}] : {wide}[{half - 1}:0];")
    return "\n".join(lines)


def _carry8(name: str) -> str:
    """Eight carry positions, or twice four: ``O = S ^ carry``, ``CO = S ? carry : DI``."""
    positions = []
    for k in range(8):
        carry = {0: "CI", 4: "middle"}.get(k, f"c{k - 1}")
        positions.append(f"  wire c{k} = S[{k}] ? {carry} : DI[{k}];\n  wire s{k} = S[{k}] ^ {carry};")
        if k == 3:
            positions.append('  wire middle = CARRY_TYPE == "DUAL_CY4" ? CI_TOP : c3;')
    body = "\n".join(positions)
    return f"""
module {name}(CI, CI_TOP, DI, S, CO, O);
  parameter CARRY_TYPE = "SINGLE_CY8";
  input CI;
  input CI_TOP;
  input [7:0] DI;
  input [7:0] S;
  output [7:0] CO;
  output [7:0] O;
{body}
  assign CO = {{c7, c6, c5, c4, c3, c2, c1, c0}};
  assign O = {{s7, s6, s5, s4, s3, s2, s1, s0}};
endmodule
"""


#: Own text by the name of the Xilinx cell.
CELLS: dict[str, Callable[[str], str]] = {**{cell: _lut(k) for k, cell in enumerate(LUTS, 1)}, "LUT6_2": _lut6_2, "CARRY8": _carry8}
