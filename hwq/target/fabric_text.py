"""A netlist as a module of Verilog-2001, in two forms: instances of fabric cells, or plain expressions.

Carry cells are those of the device's family: the CARRY8 of UltraScale, or the CARRY4 of 7 series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hwq.fabric.carry_slices import CarryQuad, CarrySlice, carry_quads, carry_slices
from hwq.fabric.formula import Formula, formula
from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Flop, Lut, Netlist
from hwq.target.net_names import net_names
from hwq.target.plain_text import WIDE

__all__ = ["QUADS", "cells_of", "module_text", "portable_body", "slices_of", "structural_body"]

QUADS = "7series"  # the family of boards/*.toml whose carry cells have four positions
OPERATORS = {"and": " & ", "or": " | ", "xor": " ^ "}


def structural_body(netlist: Netlist, top: str, *, vendor: bool = False, family: str = "ultrascale+") -> list[str]:
    """One instance a LUT and a slice of carry: own modules (:mod:`hwq.target.primitives`), or the ``vendor``'s cells."""
    text = _Text(netlist, top, vendor)
    slices = [line for n, cell in enumerate(netlist.cells) if isinstance(cell, Dsp) for line in _slice_instance(text, cell, n)]
    luts = [cell for cell in netlist.cells if isinstance(cell, Lut)]
    chains = [cell for cell in netlist.cells if isinstance(cell, Chain)]
    # Every wire stands before its first reader: Verilog would make an undeclared one up.
    wires = [text.bit(b) for lut in luts for b in (lut.o6, lut.o5) if b is not None]
    wires += [text.bit(b) for chain in chains for b in (*chain.o, *chain.co)]
    declared = [f"  wire {_filled('', wires, '')};"] if wires else []
    instances = [_lut_instance(text, lut) for lut in luts]
    if family == QUADS:
        instances += [_quad_instance(text, quad, n) for n, quad in enumerate(carry_quads(netlist))]
    else:
        instances += [_carry_instance(text, cut, n) for n, cut in enumerate(carry_slices(netlist))]
    return text.around([*declared, *slices, *instances])


def portable_body(netlist: Netlist, top: str) -> list[str]:
    """An expression a LUT output and a carry position that anything reads; slices stay instances."""
    text = _Text(netlist, top)
    used = _used(netlist)
    lines: list[str] = []
    for number, cell in enumerate(netlist.cells):
        if isinstance(cell, Lut):
            lines.extend(_lut_expressions(text, cell, used))
        elif isinstance(cell, Chain):
            lines.extend(_chain_expressions(text, cell, used))
        else:
            lines.extend(_slice_instance(text, cell, number))
    return text.around(lines)


def module_text(netlist: Netlist, name: str, body: Sequence[str], *, clocked: bool = True) -> str:
    """Module ``name`` with the ports of ``netlist``, and ``clk`` and ``rst`` if ``clocked``, whether it uses them or not."""
    assert clocked or not netlist.flops, f"{name}: flip-flops without a clock"
    ports = [*(["clk", "rst"] if clocked else []), *netlist.inputs, *netlist.outputs]
    declared = ["  input clk;", "  input rst;"] if clocked else []
    declared += [f"  input {_range(bits)}{port};" for port, bits in netlist.inputs.items()]
    declared += [f"  output {_range(bits)}{port};" for port, bits in netlist.outputs.items()]
    return "\n".join([f"module {name}({_filled('', ports, '')});", *declared, *body, "endmodule", ""])


def cells_of(netlist: Netlist, family: str = "ultrascale+") -> set[str]:
    """Names of the Xilinx cells that the structural form uses."""
    found = {("LUT6_2" if c.o5 is not None else f"LUT{len(c.pins)}") for c in netlist.cells if isinstance(c, Lut)}
    return found | {"CARRY4" if family == QUADS else "CARRY8" for c in netlist.cells if isinstance(c, Chain)}


def slices_of(netlist: Netlist) -> set[str]:
    """Models of the arithmetic slices."""
    return {c.model for c in netlist.cells if isinstance(c, Dsp)}


class _Text:
    """Names of the bits and cells of a netlist, its flip-flops and outputs."""

    def __init__(self, netlist: Netlist, top: str, vendor: bool = False) -> None:
        self.netlist, self.top, self.vendor = netlist, top, vendor
        self.names = net_names(netlist)

    def bit(self, literal: int) -> str:
        """Text of a literal."""
        if literal == TRUE:
            return "1'b1"
        name = self.names[literal >> 1]
        return f"~{name}" if literal & 1 else name

    def cell(self, name: str) -> str:
        """The module that an instance of a Xilinx cell names."""
        return name if self.vendor else f"{self.top}_hwq_{name.lower()}"

    def bus(self, bits: Sequence[int]) -> str:
        """Text of several literals, the first the least."""
        if len(bits) == 1:
            return self.bit(bits[0])
        return _filled("{", [self.bit(b) for b in reversed(bits)], "}")

    def around(self, lines: Sequence[str]) -> list[str]:
        """``lines`` with the flip-flops and the outputs."""
        results = [f"  assign {port} = {self.bus(bits)};" for port, bits in self.netlist.outputs.items()]
        return [*self._registers(), *lines, *self._always(), *results]

    def _registers(self) -> Iterator[str]:
        names = [self.bit(f.q) for f in self.netlist.flops]
        if names:
            yield f"  reg {_filled('', names, '')};"
            yield "  initial begin\n" + "\n".join(f"    {name} = 1'b0;" for name in names) + "\n  end"

    def _always(self) -> Iterator[str]:
        groups: dict[tuple[int, int], list[Flop]] = {}
        for flop in self.netlist.flops:
            groups.setdefault((flop.enable, flop.reset), []).append(flop)
        for (enable, reset), flops in groups.items():
            loads = "\n".join(f"    {self.bit(f.q)} <= {self.bit(f.d)};" for f in flops)
            clears = "\n".join(f"    {self.bit(f.q)} <= 1'b0;" for f in flops)
            condition = f"if ({self.bit(enable)}) " if enable != TRUE else ""
            clearing = f"if ({self.bit(reset)}) begin\n{clears}\n  end else " if reset != FALSE else ""
            yield f"  always @(posedge clk) {clearing}{condition}begin\n{loads}\n  end"


def _filled(opening: str, items: Sequence[str], closing: str) -> str:
    """A list in lines of bounded width."""
    lines, line = [], opening
    for k, item in enumerate(items):
        piece = item + (", " if k < len(items) - 1 else closing)
        if len(line) + len(piece) > WIDE - 8 and line.strip():
            lines.append(line.rstrip())
            line = "    "
        line += piece
    return "\n".join([*lines, line])


def _range(bits: Sequence[int]) -> str:
    return f"[{len(bits) - 1}:0] " if len(bits) > 1 else ""


# -- structural


def _lut_instance(text: _Text, lut: Lut) -> str:
    pins = ", ".join(f".I{k}({text.bit(p)})" for k, p in enumerate(lut.pins))
    o6 = text.bit(lut.o6)
    if lut.o5 is None:
        size = 1 << len(lut.pins)
        cell = text.cell(f"LUT{len(lut.pins)}")
        return f"  {cell} #(.INIT({size}'h{lut.init:0{max(1, size // 4)}x})) lut{lut.o6 >> 1} ({pins}, .O({o6}));"
    o5 = text.bit(lut.o5)
    cell = text.cell("LUT6_2")
    return f"  {cell} #(.INIT(64'h{lut.init:016x})) lut{lut.o6 >> 1} ({pins}, .O5({o5}), .O6({o6}));"


def _carry_instance(text: _Text, cut: CarrySlice, number: int) -> str:
    """Eight carry positions; those that do not exist propagate nothing, their outputs are wires that nobody reads."""
    halves = (cut.lower, cut.upper) if cut.upper else (cut.lower,)
    size = 8 // len(halves)
    buses: dict[str, list[str]] = {"DI": [], "S": [], "CO": [], "O": []}
    for n, chain in enumerate(halves):
        spare = range(n * size + len(chain.s), (n + 1) * size)
        for port, bits in (("DI", chain.di), ("S", chain.s), ("CO", chain.co), ("O", chain.o)):
            free = [f"spare{number}_{port.lower()}{k}" if port in ("CO", "O") else "1'b0" for k in spare]
            buses[port] += [*map(text.bit, bits), *free]
    unread = [name for name in (*buses["CO"], *buses["O"]) if name.startswith("spare")]
    declared = f"  wire {_filled('', unread, '')};\n" if unread else ""
    ports = "".join(f",\n    .{port}({_filled('{', bits[::-1], '}')})" for port, bits in buses.items())
    carry = [text.bit(chain.ci) for chain in halves] + ["1'b0"]
    kind = "DUAL_CY4" if cut.upper else "SINGLE_CY8"
    cell = text.cell("CARRY8")
    return f'{declared}  {cell} #(.CARRY_TYPE("{kind}")) carry{number} (.CI({carry[0]}), .CI_TOP({carry[1]}){ports});'


def _quad_instance(text: _Text, quad: CarryQuad, number: int) -> str:
    """Four carry positions of 7 series: a carry from the cell below enters at CI, any other at CYINIT."""
    chain, spare = quad.chain, range(len(quad.chain.s), 4)
    unread = {port: [f"spare{number}_{port.lower()}{k}" for k in spare] for port in ("CO", "O")}
    declared = f"  wire {', '.join([*unread['CO'], *unread['O']])};\n" if spare else ""
    buses = {
        "DI": [*map(text.bit, chain.di), *["1'b0"] * len(spare)],
        "S": [*map(text.bit, chain.s), *["1'b0"] * len(spare)],
        "CO": [*map(text.bit, chain.co), *unread["CO"]],
        "O": [*map(text.bit, chain.o), *unread["O"]],
    }
    carry = [text.bit(chain.ci), "1'b0"] if quad.goes_on else ["1'b0", text.bit(chain.ci)]
    ports = "".join(f",\n    .{port}({_filled('{', bits[::-1], '}')})" for port, bits in buses.items())
    return f"{declared}  {text.cell('CARRY4')} carry{number} (.CI({carry[0]}), .CYINIT({carry[1]}){ports});"


def _slice_instance(text: _Text, cell: Dsp, number: int) -> Iterator[str]:
    """An arithmetic slice: a module of its own in every form, since its behaviour is no expression."""
    for port, bits in cell.outputs:
        yield f"  wire [{len(bits) - 1}:0] slice{number}_{port};"
        text.names.update({bit >> 1: f"slice{number}_{port}[{k}]" for k, bit in enumerate(bits)})
    parameters = ", ".join(f".{key}({_parameter(value)})" for key, value in cell.parameters)
    ports = [f".{port}({text.bus(bits)})" for port, bits in cell.inputs] + [f".{port}(slice{number}_{port})" for port, _ in cell.outputs]
    yield f"  {text.top}_{cell.model} #({parameters}) slice{number} ({_filled('', ['.clk(clk)', *ports], '')});"


def _parameter(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


# -- portable


def _used(netlist: Netlist) -> set[int]:
    """Signals that something reads."""
    used = {b >> 1 for bits in netlist.outputs.values() for b in bits}
    used |= {b >> 1 for f in netlist.flops for b in (f.d, f.enable, f.reset)}
    for cell in reversed(netlist.cells):
        if isinstance(cell, Lut):
            used |= {p >> 1 for p in cell.pins}
        elif isinstance(cell, Chain):
            used |= {b >> 1 for b in (*cell.s, *cell.di, cell.ci)}
            reach = max((k for k, (o, co) in enumerate(zip(cell.o, cell.co, strict=True)) if {o >> 1, co >> 1} & used), default=0)
            used |= {co >> 1 for co in cell.co[:reach]}
        else:
            used |= {b >> 1 for _, bits in cell.inputs for b in bits}
    return used


def _lut_expressions(text: _Text, lut: Lut, used: set[int]) -> Iterator[str]:
    pins = [text.bit(p) for p in lut.pins]
    count = len(pins)
    if lut.o6 >> 1 in used:
        yield f"  wire {text.bit(lut.o6)} = {_expression(_known(lut.init, lut.pins), pins)};"
    if lut.o5 is not None and lut.o5 >> 1 in used:
        assert count == 6
        yield f"  wire {text.bit(lut.o5)} = {_expression(_known(lut.init & 0xFFFFFFFF, lut.pins[:5]), pins)};"


def _known(table: int, pins: Sequence[int]) -> Formula:
    """The formula with constant pins folded."""
    full = sum((table >> _with_constants(i, pins) & 1) << i for i in range(1 << len(pins))) if min(pins) <= TRUE else table
    return formula(full, len(pins))


def _with_constants(i: int, pins: Sequence[int]) -> int:
    for k, pin in enumerate(pins):
        if pin <= TRUE:
            i = i & ~(1 << k) | pin << k
    return i


def _chain_expressions(text: _Text, chain: Chain, used: set[int]) -> Iterator[str]:
    carry = text.bit(chain.ci)
    for s, di, o, co in zip(chain.s, chain.di, chain.o, chain.co, strict=True):
        select = text.bit(s)
        if o >> 1 in used:
            yield f"  wire {text.bit(o)} = {select} ^ {carry};"
        if co >> 1 in used:
            yield f"  wire {text.bit(co)} = {select} ? {carry} : {text.bit(di)};"
        carry = text.bit(co)


def _expression(term: Formula, pins: Sequence[str]) -> str:
    """Text of a formula; every operand of more than one token in parentheses."""
    if term.kind == "pin":
        return pins[term.pin]
    if term.kind == "const":
        return f"1'b{term.pin}"
    parts = [_expression(o, pins) for o in term.operands]
    closed = [p if o.kind in ("pin", "const", "not") else f"({p})" for p, o in zip(parts, term.operands, strict=True)]
    if term.kind == "not":
        return f"~{closed[0]}"
    if term.kind == "mux":
        return f"{closed[0]} ? {closed[1]} : {closed[2]}"
    return OPERATORS[term.kind].join(closed)
