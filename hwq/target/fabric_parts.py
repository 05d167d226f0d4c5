"""The parts of a design that are made of fabric: both forms of each in the one file, a macro chooses."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from hwq.gateware.fabric_part import FabricPart
from hwq.gateware.parts import Part
from hwq.target.fabric_text import cells_of, portable_text, slices_of, structural_text
from hwq.target.primitives import primitive_macros, primitive_modules, slice_modules

__all__ = ["FabricParts"]


@dataclass
class FabricParts:
    """Writes the structural form of every :class:`hwq.gateware.fabric_part.FabricPart` it is shown, once.

    ``primitives``: see :func:`hwq.target.primitives.primitive_macros`.
    """

    top: str
    primitives: str = "portable"
    structural: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    cells: set[str] = field(default_factory=set)
    slices: set[str] = field(default_factory=set)

    def __call__(self, part: Part) -> str | None:
        """Verilog of ``part`` when its portable form is its netlist too, else None: then Amaranth elaborates that form."""
        component = part.component
        if not isinstance(component, FabricPart):
            return None
        netlist = component.netlist
        self.cells |= cells_of(netlist)
        self.slices |= slices_of(netlist)
        structural = structural_text(netlist, part.name, self.top)
        if component.is_vector:
            self.structural[part.name] = structural
            return None
        component._MustUse__silence = True  # its module is written here, Amaranth never elaborates it
        self.texts[part.name] = self._either(structural, portable_text(netlist, part.name, self.top))
        return self.texts[part.name]

    @property
    def head(self) -> str:
        """Macros for the beginning of the file; empty without fabric."""
        return primitive_macros(self.top, self.cells, self.primitives) if self.structural or self.texts else ""

    @property
    def modules(self) -> str:
        """Modules of the cells, for the end of the file."""
        texts = [f"`ifdef {self.top}_FABRIC\n{primitive_modules(self.top, self.cells)}\n`endif"] if self.cells else []
        return "\n\n".join([*texts, slice_modules(self.top, self.slices)])

    def chosen(self, body: str, modules: Mapping[str, str]) -> str:
        """Verilog of the portable modules, with the structural form beside each part that has one.

        ``modules`` is the RTLIL of every part by name: a part's own submodules belong to its portable form.
        """
        owner = {own: name for name in self.structural for own in re.findall(r"^module \\(\S+)", modules[name], re.MULTILINE)}
        portable: dict[str, list[str]] = {name: [] for name in self.structural}
        rest: list[str] = []
        for text in _modules(body):
            name = re.search(r"^module \\?([^\s(]+)", text, re.MULTILINE)
            assert name is not None
            (portable[owner[name[1]]] if name[1] in owner else rest).append(text)
        return "\n\n".join([*rest, *(self._either(self.structural[name], "\n\n".join(texts)) for name, texts in portable.items())])

    def _either(self, structural: str, portable: str) -> str:
        return f"`ifdef {self.top}_FABRIC\n\n{structural.strip()}\n\n`else\n\n{portable.strip()}\n\n`endif"


def _modules(body: str) -> Collection[str]:
    """The modules of a text, attributes in front included."""
    return [text.strip() for text in re.findall(r"(?:^\(\*[^\n]*\*\)\n)*^module .*?^endmodule", body, re.MULTILINE | re.DOTALL)]
