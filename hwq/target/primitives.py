"""The cells of the fabric as own modules with the ports of the Xilinx cells: their behaviour, or the cell itself.

``HWQ_UNISIM`` chooses the Xilinx cell. Source of the cells' meaning: UG574, UG974; of the CARRY4 of 7 series UG474, UG953.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from hwq.errors import InputError
from hwq.fabric import dsp48e2

__all__ = [
    "CELLS",
    "FABRIC",
    "MODELS",
    "PRIMITIVES",
    "cell_module",
    "check_primitives",
    "defines",
    "macros_of",
    "primitive_modules",
    "slice_modules",
    "vendor_models",
]

# What `hwq compile --primitives` offers: both forms, of which macros choose; own cells alone; the vendor's cells alone.
PRIMITIVES = ("portable", "structural", "unisim")
# Macros: parts as cells, cells as the vendor's, models of the vendor's cells for simulators.
FABRIC, UNISIM, MODELS = "HWQ_FABRIC", "HWQ_UNISIM", "HWQ_MODELS"
SLICES = {dsp48e2.MODEL: (dsp48e2.PORTABLE, dsp48e2.UNISIM)}
LUTS = tuple(f"LUT{k}" for k in range(1, 7))


def cell_module(cell: str, name: str) -> str:
    """Verilog of the behaviour of ``cell`` as module ``name``: a model of the cell where a simulator has no other."""
    head, body = CELLS[cell]
    return f"{head(name)}{body}endmodule\n"


def primitive_modules(top: str, cells: Collection[str]) -> str:
    """The own modules ``<top>_hwq_<cell>``, with both bodies."""
    return "\n".join(_primitive(f"{top}_hwq_{cell.lower()}", cell) for cell in sorted(cells))


def vendor_models(cells: Collection[str]) -> str:
    """Models of the vendor's cells under their own names, for simulators alone: ``HWQ_MODELS`` brings them in."""
    texts = "\n".join(cell_module(cell, cell) for cell in sorted(cells))
    return f"`ifdef {MODELS}\n{texts}`endif\n"


def defines(primitives: str) -> tuple[str, ...]:
    """Macros for a simulator that shall run this form of a design's parts: ``portable`` or ``structural``."""
    return (MODELS, FABRIC) if primitives == "structural" else (MODELS,)


def macros_of(verilog: str) -> tuple[str, ...]:
    """Macros that synthesis for the vendor's devices defines: those of ``HWQ_FABRIC`` and ``HWQ_UNISIM`` that the text asks for."""
    return tuple(macro for macro in (FABRIC, UNISIM) if f"`ifdef {macro}" in verilog)


def check_primitives(primitives: str) -> None:
    """Raise :class:`InputError` (``PRIMITIVES-UNKNOWN``) for what is none of :data:`PRIMITIVES`."""
    if primitives not in PRIMITIVES:
        message = f"there are no primitives {primitives!r}"
        raise InputError("PRIMITIVES-UNKNOWN", message, where="--primitives", hint=f"Use one of {', '.join(PRIMITIVES)}")


def _primitive(name: str, cell: str) -> str:
    head, body = CELLS[cell]
    parameter = {"CARRY4": "", "CARRY8": " #(.CARRY_TYPE(CARRY_TYPE))"}.get(cell, " #(.INIT(INIT))")
    ports = ", ".join(f".{port}({port})" for port in PORTS[cell])
    vendor = f"  {cell}{parameter} site ({ports});\n"
    return f"{head(name)}`ifdef HWQ_UNISIM\n{vendor}`else\n{body}`endif\nendmodule\n"


def slice_modules(top: str, models: Collection[str], primitives: str = "portable") -> str:
    """The modules of arithmetic slices: the behaviour, or the vendor's cell behind the same ports."""
    texts = []
    for model in sorted(models):
        portable, vendor = (text.replace(f"module {model}", f"module {top}_{model}", 1).strip() for text in SLICES[model])
        texts.append(vendor if primitives == "unisim" else _either(portable, vendor))
    return "\n\n".join(texts)


def _either(portable: str, vendor: str) -> str:
    """One module of two texts with the same head: a module of a name stands in a file once."""
    split = portable.index(");\n") + len(");\n")
    head = portable[:split]
    assert vendor.startswith(head), "the bodies of a slice differ in their ports"
    bodies = [text[split:].removesuffix("endmodule") for text in (vendor, portable)]
    return f"{head}`ifdef HWQ_UNISIM\n{bodies[0]}`else\n{bodies[1]}`endif\nendmodule"


def _lut(inputs: int) -> str:
    """A tree of multiplexers: an index would be unknown where any pin is, whether it matters or not."""
    return f"{_tree('INIT', inputs, 'h')}\n  assign O = h0;\n"


def _lut6_2() -> str:
    lower, upper = _tree("INIT[31:0]", 5, "l"), _tree("INIT[63:32]", 5, "u")
    return f"{lower}\n{upper}\n  assign O5 = l0;\n  assign O6 = I5 ? u0 : l0;\n"


def _tree(table: str, inputs: int, prefix: str) -> str:
    """Wires ``<prefix>5`` to ``<prefix>0``: what is left of a table when the inputs from that number on are known."""
    lines = [f"  wire [{(1 << inputs) - 1}:0] {prefix}{inputs} = {table};"]
    for k in reversed(range(inputs)):
        half, wide = 1 << k, f"{prefix}{k + 1}"
        width = f"[{half - 1}:0] " if half > 1 else ""
        lines.append(f"  wire {width}{prefix}{k} = I{k} ? {wide}[{2 * half - 1}:{half}] : {wide}[{half - 1}:0];")
    return "\n".join(lines)


def _carry8() -> str:
    """Eight carry positions, or twice four: ``O = S ^ carry``, ``CO = S ? carry : DI``."""
    lines = []
    for k in range(8):
        carry = {0: "CI", 4: "middle"}.get(k, f"c{k - 1}")
        lines += [f"  wire c{k} = S[{k}] ? {carry} : DI[{k}];", f"  wire s{k} = S[{k}] ^ {carry};"]
        if k == 3:
            lines.append('  wire middle = CARRY_TYPE == "DUAL_CY4" ? CI_TOP : c3;')
    lines += [f"  assign {port} = {{{', '.join(f'{bit}{k}' for k in reversed(range(8)))}}};" for port, bit in (("CO", "c"), ("O", "s"))]
    return "\n".join(lines) + "\n"


def _carry4() -> str:
    """Four carry positions; the carry enters at ``CI`` or at ``CYINIT``, the other is 0."""
    lines = [f"  wire c{k} = S[{k}] ? {f'c{k - 1}' if k else '(CI | CYINIT)'} : DI[{k}];" for k in range(4)]
    return "\n".join([*lines, "  assign CO = {c3, c2, c1, c0};", "  assign O = S ^ {c2, c1, c0, CI | CYINIT};", ""])


def _head(cell: str) -> Callable[[str], str]:
    wide = {"CARRY4": "[3:0] ", "CARRY8": "[7:0] "}.get(cell, "")
    size = 0 if wide else 1 << int(cell[3])
    parameter = f"[{size - 1}:0] INIT = {size}'h0" if size else 'CARRY_TYPE = "SINGLE_CY8"'
    parameters = [] if cell == "CARRY4" else [f"  parameter {parameter};"]
    lines = [f"  {'output' if p in OUTPUTS else 'input'} {'' if p.startswith('C') and p != 'CO' else wide}{p};" for p in PORTS[cell]]
    return lambda name: "\n".join([f"module {name}({', '.join(PORTS[cell])});", *parameters, *lines, ""])


OUTPUTS = ("O", "O5", "O6", "CO")
PORTS = {cell: (*(f"I{k}" for k in range(inputs)), "O") for inputs, cell in enumerate(LUTS, 1)}
PORTS |= {"LUT6_2": (*PORTS["LUT6"][:6], "O5", "O6"), "CARRY8": ("CI", "CI_TOP", "DI", "S", "CO", "O")}
PORTS["CARRY4"] = ("CI", "CYINIT", "DI", "S", "CO", "O")
BODIES = {**{cell: _lut(inputs) for inputs, cell in enumerate(LUTS, 1)}, "LUT6_2": _lut6_2(), "CARRY8": _carry8(), "CARRY4": _carry4()}
#: Head (by module name) and behaviour by the name of the Xilinx cell.
CELLS: dict[str, tuple[Callable[[str], str], str]] = {cell: (_head(cell), body) for cell, body in BODIES.items()}
