"""Synthesis of an output folder, module by module: what its layers take of the device, counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwq.errors import InputError
from hwq.fabric.sites import Sites, count_sites
from hwq.plan.dataflow import dataflow_of
from hwq.plan.names import identifiers
from hwq.plan.resources import Resources
from hwq.plan.units import AxiIn, AxiOut, Converter, Fifo, Fork, Unit
from hwq.target.boards import load_device
from hwq.target.folder import Folder
from hwq.target.synthesis import FABRIC, FAMILIES, synthesize
from hwq.target.tools import yosys
from hwq.target.yosys_netlist import cells_of_module, submodules

__all__ = ["FoldersCells", "ModuleCells", "synthesize_folder"]

Progress = Callable[[str, float | None], None]
# What stands between and around the layers; STATUS: the AXI4-Lite registers; TOP: flags, reset and whatever else.
STATUS, TOP = "status registers", "flags and reset"
KINDS: dict[type[Unit], str] = {AxiIn: "AXI streams", AxiOut: "AXI streams", Fifo: "FIFOs", Converter: "width converters", Fork: "forks"}
COUNTS = ("luts", "cells", "lutram", "ff", "bram36", "uram", "dsp", "carry")


@dataclass(frozen=True)
class ModuleCells:
    """What modules take, by name as in :class:`~hwq.fabric.sites.Sites`; ``depth`` is the largest of any."""

    counts: Mapping[str, float]
    depth: int

    @property
    def resources(self) -> Resources:
        """As amounts of fabric: physical LUTs, those as memory included."""
        c = self.counts
        return Resources(c["luts"] + c["lutram"], c["lutram"], c["ff"], c["bram36"], c["uram"], c["dsp"])


@dataclass(frozen=True)
class FoldersCells:
    """The cells of a design and of each of its layers by name; ``rest``: FIFOs, AXI and registers between and around them, ``parts``
    by their kind; ``modules``: each distinct module with all it holds."""

    total: ModuleCells
    layers: Mapping[str, ModuleCells]
    rest: ModuleCells
    parts: Mapping[str, ModuleCells]
    family: str
    seconds: float
    yosys: str
    modules: Mapping[str, ModuleCells] = field(default_factory=dict)


def synthesize_folder(folder: Folder, progress: Progress = lambda text, share: None) -> FoldersCells:
    """Cells of the design after synthesis: each distinct module once, hierarchy kept, multiplied by its instances.

    Sites are shared inside a module only, so ``luts`` is an upper bound of what a flat synthesis of the same cells would give.

    Raises :class:`InputError` where Yosys is not found or has no model of the device's family.
    """
    family = _family(folder)
    started = time.perf_counter()
    luts = folder.report["resources"].get("lut", 0)
    progress(f"synthesising about {luts:.0f} LUTs (Yosys)", None)
    modules = synthesize(_files(folder), folder.top, family=family, defines=FABRIC)
    found = _Hierarchy(modules, progress)
    total = found.below(folder.top)
    stages = {layer["name"]: folder.report["modules"].get(layer["name"], "") for layer in folder.report["layers"]}
    layers = {name: found.below(module) for name, module in stages.items() if module in modules}
    parts = _parts(folder, found)
    rest = _without(total, layers.values(), max([found.own[folder.top].depth, *(part.depth for part in parts.values())]))
    parts |= {TOP: _without(rest, parts.values(), found.own[folder.top].depth)}
    tool = yosys()
    return FoldersCells(
        total,
        layers,
        rest,
        parts,
        family,
        time.perf_counter() - started,
        tool.version if tool else "",
        found.known,
    )


def _without(whole: ModuleCells, parts: Iterable[ModuleCells], depth: int) -> ModuleCells:
    parts = list(parts)
    return ModuleCells({k: whole.counts[k] - sum(part.counts[k] for part in parts) for k in COUNTS}, depth)


def _parts(folder: Folder, found: _Hierarchy) -> dict[str, ModuleCells]:
    """What stands between and around the layers, by its kind in :data:`KINDS`."""
    units = dataflow_of(folder.network, folder.plan).units
    names = identifiers(unit.name for unit in units)
    kinds = {names[unit.name]: KINDS[type(unit)] for unit in units if type(unit) in KINDS} | {"status": STATUS}
    cells = {name: cell["type"] for name, cell in found.modules[folder.top]["cells"].items()}
    members: dict[str, list[ModuleCells]] = {}
    for name, kind in kinds.items():
        if cells.get(name) in found.known:
            members.setdefault(kind, []).append(found.known[cells[name]])
    return {kind: _sum(own) for kind, own in members.items()}


def _sum(cells: Sequence[ModuleCells]) -> ModuleCells:
    return ModuleCells({k: sum(c.counts[k] for c in cells) for k in COUNTS}, max(c.depth for c in cells))


def _family(folder: Folder) -> str:
    device = load_device(folder.report["target"])
    if device.family not in FAMILIES:
        raise InputError("SYNTHESIS-FAMILY", f"Yosys has no cells of {device.family}, the family of {device.name}", where=str(folder.path))
    return FAMILIES[device.family]


def _files(folder: Folder) -> dict[str, str]:
    """The design's Verilog and its memories."""
    names = [f"{folder.top}.v", *folder.memories]
    return {name: (folder.path / name).read_text() for name in names}


class _Hierarchy:
    """Counts of modules, each made once."""

    def __init__(self, modules: Mapping[str, Any], progress: Progress) -> None:
        self.modules, self.progress = modules, progress
        self.known: dict[str, ModuleCells] = {}
        self.own: dict[str, ModuleCells] = {}

    def below(self, name: str) -> ModuleCells:
        """The module with all it holds."""
        if name not in self.known:
            self.progress(f"counting {name}", None)
            self.own[name] = own = _counted(count_sites(cells_of_module(self.modules, name, flat=False)))
            parts = [(n, self.below(part)) for part, n in submodules(self.modules, name).items()]
            counts = Counter(own.counts)
            for n, part in parts:
                counts.update({k: n * v for k, v in part.counts.items()})
            self.known[name] = ModuleCells({k: counts[k] for k in COUNTS}, max([own.depth, *(part.depth for _, part in parts)]))
        return self.known[name]


def _counted(sites: Sites) -> ModuleCells:
    return ModuleCells({name: getattr(sites, name) for name in COUNTS}, sites.depth)
