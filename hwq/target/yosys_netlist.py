"""Netlists as Yosys writes them (``write_json``) read as cells of the fabric, for the counter of physical LUTs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwq.fabric.cells import Block, Cells
from hwq.fabric.netlist import FALSE, TRUE, Chain, Flop, Lut, Netlist
from hwq.fabric.ordered import ordered
from hwq.fabric.sites import MEMORY_SITES

__all__ = ["cells_of_module", "netlist_of_module", "submodules"]

CONSTANTS = {"0": FALSE, "1": TRUE, "x": FALSE, "z": FALSE}
# Own primitives may stand as black boxes under a design's prefix: top_hwq_lut6_2.
OWN = re.compile(r"(?:.*_)?hwq_(lut[1-6]|lut6_2|carry4|carry8|dsp48e2)$")
FLOPS = re.compile(r"FD[RSCP]E(_1)?$|FD[RSCP]?(_1)?$|LD[CP]E$")
# Cells that exist for the tool or the pads alone.
NO_CELLS = {"VCC", "GND", "BUFG", "IBUF", "OBUF", "$scopeinfo"}
Module = Mapping[str, Any]


def cells_of_module(modules: Mapping[str, Module], top: str, flat: bool = True) -> Cells:
    """Cells of module ``top`` of the document's ``modules``; constants are literals, INV a complement.

    ``flat`` looks into submodules that have cells; else they are left out, their inputs counting as outputs of ``top``.
    """
    reader = _Reader(modules, flat)
    scope = _Scope(reader)
    outputs = [b for port in modules[top]["ports"].values() if port["direction"] == "output" for b in scope.bits(port["bits"])]
    reader.module(top, scope)
    return reader.cells(outputs)


def netlist_of_module(modules: Mapping[str, Module], top: str, clock: str = "clk") -> Netlist:
    """The same, to be simulated: ports by name but the ``clock``. Raises :class:`ValueError` where a cell has no such meaning."""
    reader = _Reader(modules, flat=True)
    scope = _Scope(reader)
    ports = {name: (port["direction"], scope.bits(port["bits"])) for name, port in modules[top]["ports"].items() if name != clock}
    reader.module(top, scope)
    if reader.settable:
        raise ValueError("a flip-flop with a set input cannot be simulated")
    outputs = {name: reader.resolved(bits) for name, (direction, bits) in ports.items() if direction == "output"}
    inputs = {name: bits for name, (direction, bits) in ports.items() if direction == "input"}
    return ordered(reader.cells([]), inputs, outputs, reader.signals)


def submodules(modules: Mapping[str, Module], top: str) -> Counter[str]:
    """How many instances of which other modules (with cells of their own) ``top`` holds directly."""
    types = (c["type"] for c in modules[top]["cells"].values())
    return Counter(t for t in types if _is_inside(modules, t) and not _primitive(t))


def _is_inside(modules: Mapping[str, Module], kind: str) -> bool:
    module = modules.get(kind)
    boxed = module is not None and not {"blackbox", "whitebox"}.isdisjoint(module["attributes"])
    return module is not None and not boxed and bool(module["cells"])


def _primitive(kind: str) -> str | None:
    """The Xilinx type of an own primitive."""
    match = OWN.match(kind.split("\\")[1] if kind.startswith("$paramod") else kind)
    return match.group(1).upper() if match else None


@dataclass
class _Reader:
    modules: Mapping[str, Module]
    flat: bool
    luts: list[Lut] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    flops: list[Flop] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    leaving: list[int] = field(default_factory=list)
    settable: int = 0
    carry_cells: int = 0
    signals: int = 1
    same: dict[int, int] = field(default_factory=dict)

    def fresh(self) -> int:
        self.signals += 1
        return 2 * (self.signals - 1)

    def cells(self, outputs: Sequence[int]) -> Cells:
        """What was read, with inverters and connections between modules resolved."""
        luts = [Lut(lut.init, self.resolved(lut.pins), lut.o6, lut.o5) for lut in self.luts]
        chains = [Chain(self.resolved(c.s), self.resolved(c.di), self._root(c.ci), c.o, c.co) for c in self.chains]
        flops = [Flop(self._root(f.d), f.q, self._root(f.enable), self._root(f.reset)) for f in self.flops]
        blocks = [Block(b.kind, self.resolved(b.inputs), b.outputs, b.registered, b.levels) for b in self.blocks]
        return Cells(luts, chains, flops, blocks, self.resolved((*outputs, *self.leaving)), self.carry_cells)

    def resolved(self, bits: Iterable[int]) -> tuple[int, ...]:
        """``bits`` by the signals that make them."""
        return tuple(self._root(b) for b in bits)

    def _root(self, bit: int) -> int:
        while bit & ~1 in self.same:
            bit = self.same[bit & ~1] ^ (bit & 1)
        return bit

    def module(self, name: str, scope: _Scope) -> None:
        """Read the cells of one module, and those below it."""
        for cell in self.modules[name]["cells"].values():
            self._cell(cell, scope)

    def _cell(self, cell: Mapping[str, Any], scope: _Scope) -> None:
        kind = cell["type"]
        if not _is_inside(self.modules, kind):
            kind = _primitive(kind) or kind
        ports = {port: scope.bits(names) for port, names in cell["connections"].items()}
        parameters = cell.get("parameters", {})
        if re.fullmatch(r"LUT[1-6]|LUT6_2", kind):
            self._lut(kind, ports, parameters)
        elif kind in {"CARRY4", "CARRY8"}:
            self._carry(ports, str(parameters.get("CARRY_TYPE", "")).strip() == "DUAL_CY4")
        elif kind == "INV":
            self.same[ports["O"][0]] = ports["I"][0] ^ 1
        elif FLOPS.match(kind):
            self._flop(ports)
        elif _is_inside(self.modules, kind):
            self._inside(kind, ports, scope)
        elif kind not in NO_CELLS:
            self._block(kind, ports, parameters, cell.get("port_directions", {}))

    def _inside(self, kind: str, ports: Mapping[str, list[int]], scope: _Scope) -> None:
        module = self.modules[kind]
        if not self.flat and not _primitive(kind):
            self.leaving += [b for port, bits in ports.items() if module["ports"][port]["direction"] == "input" for b in bits]
            return
        inner = _Scope(self)
        for port, bits in ports.items():
            for name, bit in zip(module["ports"][port]["bits"], bits, strict=True):
                inner.bind(name, bit)
        self.module(kind, inner)

    def _lut(self, kind: str, ports: Mapping[str, list[int]], parameters: Mapping[str, str]) -> None:
        count = 6 if kind == "LUT6_2" else int(kind[3])
        pins = tuple(ports[f"I{k}"][0] if ports.get(f"I{k}") else FALSE for k in range(count))
        o6 = self._output(ports, "O6" if kind == "LUT6_2" else "O")
        self.luts.append(Lut(int(parameters["INIT"], 2), pins, o6, self._output(ports, "O5") if kind == "LUT6_2" else None))

    def _output(self, ports: Mapping[str, list[int]], port: str) -> int:
        return ports[port][0] if ports.get(port) else self.fresh()

    def _carry(self, ports: Mapping[str, list[int]], dual: bool) -> None:
        self.carry_cells += 1
        s, di, o, co = (self._positions(ports, port, len(ports["S"])) for port in ("S", "DI", "O", "CO"))
        ci = next((ports[p][0] for p in ("CI", "CYINIT") if ports.get(p) and ports[p][0] != FALSE), FALSE)
        if not dual:
            self.chains.append(Chain(s, di, ci, o, co))
            return
        top = ports["CI_TOP"][0] if ports.get("CI_TOP") else FALSE
        self.chains += [Chain(s[:4], di[:4], ci, o[:4], co[:4]), Chain(s[4:], di[4:], top, o[4:], co[4:])]

    def _positions(self, ports: Mapping[str, list[int]], port: str, count: int) -> tuple[int, ...]:
        bits = ports.get(port, [])
        lacking = count - len(bits)
        return (*bits, *(FALSE if port in {"S", "DI"} else self.fresh() for _ in range(lacking)))

    def _flop(self, ports: Mapping[str, list[int]]) -> None:
        reset = next((ports[p][0] for p in ("R", "S", "CLR", "PRE") if ports.get(p)), FALSE)
        self.settable += any(ports.get(p, [FALSE])[0] != FALSE for p in ("S", "PRE", "CLR"))
        enable = next((ports[p][0] for p in ("CE", "GE") if ports.get(p)), TRUE)
        self.flops.append(Flop(ports["D"][0], ports["Q"][0], enable, reset))

    def _block(self, kind: str, ports: Mapping[str, list[int]], parameters: Mapping[str, str], directions: Mapping[str, str]) -> None:
        inputs = tuple(b for port, bits in ports.items() if directions.get(port) != "output" for b in bits)
        outputs = tuple(b for port, bits in ports.items() if directions.get(port) == "output" for b in bits)
        if kind.startswith("MUXF"):
            inputs = tuple(ports[port][0] for port in ("I0", "I1", "S"))
        lookup = kind in MEMORY_SITES and not kind.startswith("SRL")
        registered = not lookup and not kind.startswith("MUXF") and _keeps(kind, parameters)
        self.blocks.append(Block(kind, inputs, outputs, registered, int(lookup)))


def _keeps(kind: str, parameters: Mapping[str, str]) -> bool:
    """Whether the outputs of a block leave from registers: those of a DSP slice may not."""
    if not kind.startswith("DSP48"):
        return True
    return any(int(str(parameters.get(stage, "1")), 2) for stage in ("PREG", "MREG"))


@dataclass
class _Scope:
    """Literals of the nets of one instance of a module."""

    reader: _Reader
    literals: dict[int, int] = field(default_factory=dict)

    def bits(self, names: Iterable[int | str]) -> list[int]:
        return [self._bit(name) for name in names]

    def _bit(self, name: int | str) -> int:
        if isinstance(name, str):
            return CONSTANTS[name]
        if name not in self.literals:
            self.literals[name] = self.reader.fresh()
        return self.literals[name]

    def bind(self, name: int | str, bit: int) -> None:
        """The net is the outer one of literal ``bit``. A net at two ports, or a constant at one, makes two outer ones the same."""
        if isinstance(name, int) and name not in self.literals:
            self.literals[name] = bit
        elif bit > TRUE:
            self.reader.same[bit] = self._bit(name)
