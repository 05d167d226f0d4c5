"""The parts of a design that are made of fabric: both forms of each in one module, a macro chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hwq.errors import InputError
from hwq.fabric.prune import prune
from hwq.gateware.fabric_part import FabricPart
from hwq.gateware.parts import Part
from hwq.target.fabric_text import QUADS, cells_of, module_text, portable_body, slices_of, structural_body
from hwq.target.part_comment import part_comment
from hwq.target.primitives import PRIMITIVES, primitive_modules, slice_modules, vendor_models

__all__ = ["FabricParts"]

_MODULE = re.compile(r"(?:^\(\*[^\n]*\*\)\n)*^module \\?([^\s(]+) ?\(.*?^endmodule", re.MULTILINE | re.DOTALL)
_RTLIL_MODULE = re.compile(r"^module \\(\S+)", re.MULTILINE)


@dataclass
class FabricParts:
    """Writes the structural form of every :class:`hwq.gateware.fabric_part.FabricPart` it is shown, once.

    With ``primitives`` = ``portable`` a module holds both forms and the macro ``HWQ_FABRIC`` chooses the structural one; ``structural``
    writes that one alone, ``unisim`` does so with the vendor's cells themselves. ``family``: of the device, whose cells are meant.
    """

    top: str
    primitives: str = "portable"
    family: str = "ultrascale+"
    structural: dict[str, list[str]] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    cells: set[str] = field(default_factory=set)
    slices: set[str] = field(default_factory=set)

    def __call__(self, part: Part) -> str | None:
        """Verilog of ``part`` where Amaranth is not needed for its portable form, else None."""
        component = part.component
        if not isinstance(component, FabricPart) or not component.has_netlist:
            return None
        assert self.primitives in PRIMITIVES, self.primitives
        netlist = prune(component.netlist)
        self.cells |= cells_of(netlist, self.family)
        self.slices |= slices_of(netlist)
        structural = structural_body(netlist, self.top, vendor=self.primitives == "unisim", family=self.family)
        comment = part_comment(component, netlist)
        if self.primitives == "portable" and component.is_vector:
            self.structural[part.name], self.comments[part.name] = structural, comment
            return None
        component._MustUse__silence = True  # its module is written here, Amaranth never elaborates it
        both = self.primitives == "portable"
        body = _either(structural, portable_body(netlist, self.top)) if both else structural
        self.texts[part.name] = "\n".join([*comment, module_text(netlist, part.name, body)])
        return self.texts[part.name]

    def check_slices(self) -> None:
        """Raise :class:`InputError` (``TARGET-SLICES``) for parts made of DSP48E2 slices where the family has none."""
        if self.slices and self.family == QUADS:
            message = f"this plan takes DSP48E2 slices, and its target is of the family {self.family}, which has none"
            raise InputError("TARGET-SLICES", message, where=self.top, hint="Plan anew for this target: hwq compile --target")

    @property
    def modules(self) -> str:
        """Modules of the cells that the parts use."""
        own = vendor_models(self.cells) if self.primitives == "unisim" else primitive_modules(self.top, self.cells)
        return "\n".join(text for text in (own, slice_modules(self.top, self.slices, self.primitives)) if text)

    def chosen(self, body: str, modules: Mapping[str, str]) -> str:
        """Verilog of the portable modules, with the structural form beside it in each part that has one.

        ``modules`` is the RTLIL of every part by name; submodules of a part are there for its portable form alone.
        """
        inner = {own for name in self.structural for own in _RTLIL_MODULE.findall(modules[name])} - self.structural.keys()
        return "\n\n".join(self._modules(body, inner))

    def _modules(self, body: str, inner: set[str]) -> Iterator[str]:
        for found in _MODULE.finditer(body):
            text, name = found[0], found[1]
            if name in self.structural:
                yield "\n".join([*self.comments[name], self._with_structure(text, self.structural[name])])
            else:
                assert name not in inner, f"{name}: a part with two forms is one module"
                yield text

    def _with_structure(self, text: str, structural: Sequence[str]) -> str:
        """The module with the declarations of its ports in front, then either form."""
        lines = text.splitlines()
        first = next(n for n, line in enumerate(lines) if line.startswith("module ")) + 1
        is_port = [bool(re.match(r"  (input|output) ", line)) for line in lines]
        ports = [line for line, port in zip(lines[first:], is_port[first:], strict=True) if port]
        rest = [line for line, port in zip(lines[first:-1], is_port[first:-1], strict=True) if not port]
        return "\n".join([*lines[:first], *ports, *_either(structural, rest), lines[-1]])


def _either(structural: Sequence[str], portable: Sequence[str]) -> list[str]:
    return ["`ifdef HWQ_FABRIC", *structural, "`else", *portable, "`endif"]
