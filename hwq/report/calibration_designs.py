"""Small designs, many in one synthesis, and their modules matched with the pieces of the cost model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring

from hwq.fabric.sites import Sites, count_sites
from hwq.gateware.components import builder_of
from hwq.gateware.fabric_part import FabricPart
from hwq.gateware.parts import Part, SeparateParts, content_key, convert_modules
from hwq.gateware.top import build_top
from hwq.network.graph import Network
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.design_pieces import frame_pieces, unit_pieces
from hwq.plan.pieces import Piece
from hwq.plan.plan import Plan
from hwq.plan.stages import stages_of
from hwq.plan.summary import summary_of
from hwq.target.design import PortLine, port_lines
from hwq.target.fabric_parts import FabricParts
from hwq.target.synthesis import synthesize
from hwq.target.verilog import ModuleNames, RomFiles, emit_verilog
from hwq.target.yosys_netlist import cells_of_module, submodules

__all__ = ["Built", "Sample", "build", "counted", "inside", "samples", "synthesized"]

ALL = "all_designs"
# Modules inside a component of the design, by their names behind that of the design or their parent, and the pieces that they are.
ROMS, UNITS = ("rom", "rom_block"), ("threshold", "search", "requantize", "affine", "wires")
INNER = (
    (r"_egress(_\d+)?$", ("egress", "register")),
    (r"_reader$", ("reader",)),
    (r"_rows$", ("row_buffer",)),
    (r"_accumulator$", ("accumulator",)),
    (r"_(activation|activation_\d+|lane_\d+)$", UNITS),
    (r"^{top}_rom_(weights|coefficients)_", ROMS),
    (r"^{top}_rom_", ROMS),
    (r"^{top}_comparisons_", ("comparisons",)),
    (r"^{top}_row_", ("row",)),
    (r"^{top}_lane_", ("lane",)),
    (r"^{top}_unrolled_", ("circuit",)),
)
LEAVES = {name for _, names in INNER for name in names} | {"constant"}
# What a design has once, by the end of its module's name.
ONCE = {"status": r"_stage_status_[0-9a-f]+$", "flag_queue": r"_flags_", "top": None}


@dataclass(frozen=True)
class Built:
    """A design as text, with what is needed to find its components in it."""

    top: str
    files: Mapping[str, str]
    modules: Sequence[tuple[str, Sequence[PortLine]]]
    units: Mapping[str, str]
    dataflow: Dataflow
    network: Network
    whole: bool


@dataclass(frozen=True)
class Sample:
    """A module: the piece that it is, and what synthesis made of it."""

    design: str
    piece: Piece
    lut: int
    lutram: int
    ff: int
    bram36: float
    dsp: int
    depth: int


def build(network: Network, plan: Plan, top: str, *, whole: bool = True, closed: bool = False) -> Built:
    """The Verilog of a design without the proof that its schedule recurs; not ``whole``: its components alone, next to each other.

    ``closed``: circuits of the fabric are left out, so that synthesis need not read what is known of them already.
    """
    names = ModuleNames(top)
    parts = SeparateParts(names)
    roms, fabric = RomFiles(top), FabricParts(top)
    dataflow = dataflow_of(network, plan)
    component = build_top(network, plan, parts) if whole else Nothing()
    modules: list[tuple[str, Sequence[PortLine]]] = [(top, port_lines(component))] if whole else []
    if not whole:
        for unit in dataflow.units:
            place = parts.place("stage", unit.name, content_key(unit.name), builder_of(unit, dataflow, network, parts))
            place._MustUse__silence = True  # the part alone is wanted, nothing is around it
        modules = [(name, [("clk", "input", 1), ("rst", "input", 1), *port_lines(p.component)]) for name, p in parts.modules.items()]
    boxes: dict[str, str] = {}
    texts = convert_modules(component, top, parts, lambda part: roms(part) or (_box(part, boxes) if closed else fabric(part)))
    text = emit_verilog(texts, roms.texts | fabric.texts | boxes, top, fabric)
    files = {f"{top}.v": text, **{f.name: f.text for f in roms.files.values()}}
    units = {hint: module for module, (kind, hint, _) in names.origins.items() if kind == "stage"}
    return Built(top, files, modules, units, dataflow, network, whole)


def _box(part: Part, boxes: dict[str, str]) -> str | None:
    """A module without content for a circuit of the fabric."""
    component = part.component
    if not isinstance(component, FabricPart) or not component.has_netlist:
        return None
    component._MustUse__silence = True  # its module is written here, Amaranth never elaborates it
    lines = [("clk", "input", 1), ("rst", "input", 1), *port_lines(component)]
    ports = ", ".join(f"{direction} [{width - 1}:0] {name}" for name, direction, width in lines)
    boxes[part.name] = f"(* blackbox *)\nmodule {part.name}({ports});\nendmodule"
    return boxes[part.name]


class Nothing(wiring.Component):
    """A design without components."""

    def __init__(self) -> None:
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        return Module()


def synthesized(designs: Sequence[Built]) -> dict[str, Any]:
    """Modules of all ``designs`` after one synthesis, hierarchy kept."""
    files = {name: text for d in designs for name, text in d.files.items()}
    return synthesize({**files, f"{ALL}.v": _around(designs)}, ALL)


def _around(designs: Sequence[Built]) -> str:
    """A module that holds all designs, every port its own."""
    ends, instances = {"input": 0, "output": 0}, []
    for module, lines in (m for d in designs for m in d.modules):
        wires = []
        for name, direction, width in lines:
            first = ends[direction]
            ends[direction] = first + width
            if width:
                wires.append(f".{name}({direction}s[{first + width - 1}:{first}])")
        instances.append(f"  {module} the_{module}({', '.join(wires)});")
    ports = ", ".join(f"{direction} [{n - 1}:0] {direction}s" for direction, n in ends.items())
    return "\n".join([f"module {ALL}({ports});", *instances, "endmodule", ""])


def samples(d: Built, modules: Mapping[str, Any]) -> list[Sample]:
    """Every distinct module of a design with its piece; raises :class:`LookupError` where there is none."""
    found = []
    summaries = {s.name: summary_of(d.network, s) for s in stages_of(d.network)}
    for unit in d.dataflow.units:
        pieces = unit_pieces(unit, d.dataflow, summaries)
        found += _matched(d, modules, d.units[unit.name], pieces)
    for p in frame_pieces(d.dataflow) if d.whole else []:
        pattern = ONCE[p.component]
        names = [d.top] if pattern is None else [m for m in submodules(modules, d.top) if re.search(pattern, m)]
        found.append(_sample(d, p, counted(modules, names[0])))
    return found


def _matched(d: Built, modules: Mapping[str, Any], name: str, pieces: list[Piece]) -> list[Sample]:
    found, own = [], [p for p in pieces if p.component not in LEAVES and p.component != "ring"]
    rest = [p for p in pieces if p.component in LEAVES]
    glue = _joined(own, [p for p in pieces if p.component == "ring"])
    if glue is not None:
        found.append(_sample(d, glue, counted(modules, name)))
    seen: set[int] = set()
    below = [m for m in inside(modules, name) if m != name]
    for pattern, kinds in INNER:
        for module in (m for m in below if re.search(pattern.format(top=d.top), m)):
            k = next((k for k, p in enumerate(rest) if p.component in kinds and k not in seen), None)
            if k is not None:
                seen.add(k)
                found.append(_sample(d, rest[k], counted(modules, module)))
    return found


def _joined(own: list[Piece], rings: list[Piece]) -> Piece | None:
    """What is left of a component once the modules inside it are apart."""
    if not own:
        return None
    (one,) = own
    return Piece(one.component, one.counts, 1, sum((r.fixed for r in rings), one.fixed))


def inside(modules: Mapping[str, Any], name: str) -> dict[str, int]:
    """How often a module holds which others, itself included."""
    found = {name: 1}
    for part, times in submodules(modules, name).items():
        for deeper, n in inside(modules, part).items():
            found[deeper] = found.get(deeper, 0) + times * n
    return found


def counted(modules: Mapping[str, Any], name: str) -> Sites:
    """Sites of a module without those inside it."""
    return count_sites(cells_of_module(modules, name, flat=False))


def _sample(d: Built, p: Piece, s: Sites) -> Sample:
    return Sample(d.top, p, s.luts, s.lutram, s.ff, s.bram36, s.dsp, s.depth)
