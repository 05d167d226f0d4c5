"""One flow for every contender of the circuit benchmark: same ports, same registers, same synthesis, same check, same counter."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.cells import cells_of, drivers, live
from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import Simulator
from hwq.fabric.sites import Sites, count_sites, sites_of
from hwq.numerics.encoding import Encoding
from hwq.report.bench_hw_row import flow, per_product, row_of
from hwq.target.synthesis import synthesize
from hwq.target.yosys_netlist import cells_of_module, netlist_of_module

__all__ = ["Circuit", "NotExact", "Port", "Row", "Values", "Work", "measure", "seconds_of_children", "sum_bits", "wrapper"]

# Integers by port: (cycles, vectors, elements).
Values = Mapping[str, NDArray[np.int64]]
Row = Mapping[str, Any]
IO = Literal["combinational", "registered"]
TOP = "bench_top"
VECTORS = 48
PATIENCE = 3600  # seconds for one synthesis; a minute or two on an idle machine


class NotExact(RuntimeError):
    """A contender computes something else: it is not counted."""


@dataclass(frozen=True)
class Port:
    """``count`` elements of an encoding side by side, the first in the lowest bits."""

    encoding: Encoding
    count: int

    @property
    def width(self) -> int:
        """Bits."""
        return self.encoding.bits * self.count


@dataclass(frozen=True)
class Circuit:
    """One contender: Verilog with a ``core`` module.

    Parameters
    ----------
    circuit
        ``hwq``, ``behavioural`` or ``alkaid``.
    files, core
        Verilog by file name, and the module in it.
    ports
        Names of the core's ports by those of the work, where they differ.
    clocked
        Whether it has a port ``clk`` (and ``rst``, if ``reset``).
    latency
        Cycles from the core's inputs to its outputs.
    registers
        Which of ``inputs`` and ``outputs`` the core registers itself; the bench adds the others where the work asks for them.
    seconds
        Of the processor, spent on making it.
    netlist
        Of the core, where it is one of ours: its own count must agree with that of the synthesised text.
    notes
        More fields of its row.
    outputs, coded
        Where its outputs are other codes than the work's: their ports, and the integers that one holds, from its name, those expected
        and the inputs.
    scale
        How many times as large the whole is as this sample of it: its counts are multiplied, but for the registers of inputs.
    slices
        Whether synthesis may put multiplications into DSP slices.
    """

    circuit: str
    files: Mapping[str, str]
    core: str
    ports: Mapping[str, str] = field(default_factory=dict)
    clocked: bool = True
    reset: bool = False
    latency: int = 0
    registers: frozenset[str] = frozenset()
    seconds: float = 0.0
    netlist: Netlist | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Port] | None = None
    coded: Callable[[str, NDArray[np.int64], Values], NDArray[np.int64]] | None = None
    scale: int = 1
    slices: bool = True


@dataclass(frozen=True)
class Work:
    """What every contender of one line of the table computes.

    Parameters
    ----------
    name, title
        The key in ``hw.json``, and a line for people.
    io
        ``combinational``: no register anywhere; ``registered``: inputs go to flip-flops first, outputs come from flip-flops.
    inputs, outputs
        Ports by name.
    expected
        Integers at the outputs from integers at the inputs, both :data:`Values`: cycle by cycle what leaves ``latency`` cycles later.
    products
        Products a cycle, for costs per product; 0 where that means nothing.
    contenders
        Makers of the circuits, by name; one that is measured another way gives the fields of its row instead.
    target
        LUT sites to reach, or None.
    quoted
        Figures of others that are not measured here: (circuit, LUTs, source).
    limits
        What other fields of our row may be at most.
    note
        What is assumed, and what bounds a figure that misses its target: a sentence for the reader.
    """

    name: str
    title: str
    io: IO
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    expected: Callable[[Values], Values]
    contenders: Mapping[str, Callable[[], Circuit | Row]]
    products: int = 0
    target: float | None = None
    quoted: tuple[tuple[str, float, str], ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def targets(self) -> Mapping[str, float]:
        """Every limit by the field of the row that must keep it."""
        return {**({} if self.target is None else {"lut_physical": self.target}), **self.limits}


def measure(work: Work, circuit: Circuit, progress: Callable[[str], None] = lambda step: None) -> dict[str, Any]:
    """A row of ``hw.json``; with ``error`` where our netlist counts differently once it is synthesised.

    ``progress`` hears of every step. Raises :class:`NotExact` where the synthesised netlist gives other bits than expected.
    """
    started = seconds_of_children()
    files = {**circuit.files, f"{TOP}.v": wrapper(work, circuit)}
    progress("synthesis")
    modules = synthesize(files, TOP, flatten=True, slices=circuit.slices, patience=PATIENCE)
    synthesis_seconds = seconds_of_children() - started
    progress("counting")
    sites = count_sites(cells_of_module(modules, TOP))
    progress("check")
    _check_counted(work, circuit, files, modules, sites)
    wrong = "" if circuit.netlist is None else _difference(work, circuit, sites)
    counts = row_of(sites, circuit.scale, sum(p.width for p in work.inputs.values()) if "inputs" in _added(work, circuit) else 0)
    return {
        "work": work.name,
        "circuit": circuit.circuit,
        **counts,
        "seconds": round(circuit.seconds, 2),
        "synthesis_seconds": round(synthesis_seconds, 1),
        "io": work.io,
        "latency": circuit.latency + len(_added(work, circuit)),
        **per_product(work.products, counts),
        "bit_exact_vectors": VECTORS,
        "flow": flow(True),
        **circuit.notes,
        **({"error": wrong} if wrong else {}),
    }


def _check_counted(work: Work, circuit: Circuit, files: Mapping[str, str], modules: dict[str, Any], sites: Sites) -> None:
    """Check the netlist that was counted. A vendor's slice has no meaning here: where there are some, the netlist that our text was
    written from is checked, or what synthesis makes without slices.
    """
    if sites.dsp and circuit.netlist is not None:
        _check(work, circuit, circuit.netlist, circuit.latency)
        return
    plain = synthesize(files, TOP, flatten=True, slices=False, small=False, patience=PATIENCE) if sites.dsp else modules
    _check(work, circuit, netlist_of_module(plain, TOP), circuit.latency + len(_added(work, circuit)))


def sum_bits(x: Encoding, w: Encoding, n: int) -> int:
    """Bits of a signed sum of ``n`` products."""
    return (2 * n * max(abs(a * b) for a in (x.lo, x.hi) for b in (w.lo, w.hi))).bit_length()


def seconds_of_children() -> float:
    """Processor seconds of the programs that ended so far: on a loaded machine as on an idle one."""
    times = os.times()
    return times.children_user + times.children_system


def _added(work: Work, circuit: Circuit) -> list[str]:
    """Registers that the bench puts around the core."""
    return [side for side in ("inputs", "outputs") if work.io == "registered" and side not in circuit.registers]


def _outputs(work: Work, circuit: Circuit) -> Mapping[str, Port]:
    return work.outputs if circuit.outputs is None else circuit.outputs


def wrapper(work: Work, circuit: Circuit) -> str:
    """Verilog of the module that is measured: the core between the registers of the I/O convention."""
    added = _added(work, circuit)
    widths = {name: port.width for name, port in work.inputs.items()}
    ports = [f"input [{width - 1}:0] {name}" for name, width in widths.items()]
    ports += [f"output [{p.width - 1}:0] {name}" for name, p in _outputs(work, circuit).items()]
    if work.io == "registered":
        ports.insert(0, "input clk")
    body: list[str] = []
    pins = {"clk": ["clk"], "rst": ["1'b0"]}
    connections = [f".{p}({pins[p][0]})" for p, there in (("clk", circuit.clocked), ("rst", circuit.reset)) if there]
    for port, width in widths.items():
        name = f"{port}_r" if "inputs" in added else port
        body += [f"  reg [{width - 1}:0] {name};\n  always @(posedge clk) {name} <= {port};"] if "inputs" in added else []
        connections.append(f".{circuit.ports.get(port, port)}({name})")
    for port, made in _outputs(work, circuit).items():
        body.append(f"  wire [{made.width - 1}:0] {port}_c;")
        connections.append(f".{circuit.ports.get(port, port)}({port}_c)")
        body += _leaving(port, made.width, "outputs" in added)
    instance = f"  {circuit.core} core ({', '.join(connections)});"
    return "\n".join([f"module {TOP}({', '.join(ports)});", *body, instance, "endmodule", ""])


def _leaving(port: str, width: int, registered: bool) -> list[str]:
    if not registered:
        return [f"  assign {port} = {port}_c;"]
    return [f"  reg [{width - 1}:0] {port}_r;\n  always @(posedge clk) {port}_r <= {port}_c;\n  assign {port} = {port}_r;"]


# -- bit-exactness, on the very netlist that is counted


def _check(work: Work, circuit: Circuit, netlist: Netlist, latency: int) -> None:
    """New random inputs in every cycle; each output against the inputs ``latency`` cycles before."""
    cycles = latency + 4
    rng = np.random.default_rng(7)
    inputs = {name: _drawn(rng, port, cycles) for name, port in work.inputs.items()}
    coded = circuit.coded or (lambda port, integers, inputs: integers)
    expected = {name: _codes(_outputs(work, circuit)[name], coded(name, values, inputs)) for name, values in work.expected(inputs).items()}
    stimuli = {name: _codes(work.inputs[name], v) for name, v in inputs.items()}
    simulator = Simulator(netlist, VECTORS)
    for cycle in range(cycles):
        got = simulator.cycle({name: codes[cycle] for name, codes in stimuli.items()})
        for name, wanted in expected.items():
            wrong = int((got[name] != wanted[cycle - latency]).sum()) if cycle >= latency else 0
            if wrong:
                raise NotExact(f"{work.name}: {wrong} of {VECTORS} vectors differ at {name}")


def _drawn(rng: np.random.Generator, port: Port, cycles: int) -> NDArray[np.int64]:
    """Random integers of the encoding, and vectors of its smallest and of its largest alone."""
    encoding = port.encoding
    count = (encoding.hi - encoding.lo) // encoding.step + 1
    values = encoding.lo + encoding.step * rng.integers(0, count, (cycles, VECTORS, port.count))
    values[:, 0], values[:, 1] = encoding.lo, encoding.hi
    return values


def _codes(port: Port, integers: NDArray[np.int64]) -> NDArray[Any]:
    """Words (cycles, vectors) of any width that hold the integers' codes."""
    codes, bits = port.encoding.encode(integers), port.encoding.bits
    flat = ((codes[..., None] >> np.arange(bits)) & 1).reshape(-1, port.width)
    packed = np.packbits(flat.astype(np.uint8), axis=1, bitorder="little")
    words = [int.from_bytes(row.tobytes(), "little") for row in packed]
    return np.array(words, dtype=np.int64 if port.width <= 62 else object).reshape(codes.shape[:2])


def _difference(work: Work, circuit: Circuit, found: Sites) -> str:
    """Where the count of the own netlist, and of the registers that the bench puts around it, is not that of its synthesised text.

    But for inverters, which Yosys moves through registers, and for LUTs of a constant before a carry position, which it removes.
    """
    assert circuit.netlist is not None
    own, cells, sides = sites_of(circuit.netlist), cells_of(circuit.netlist), _added(work, circuit)
    inputs = {b for bits in circuit.netlist.inputs.values() for b in bits} & live(cells, drivers(cells))
    outputs = [b for bits in circuit.netlist.outputs.values() for b in bits]
    spare = max(own.inverters, found.inverters) + abs(own.route_throughs - found.route_throughs)
    counted = {name: (getattr(own, name), getattr(found, name), spare) for name in ("luts", "cells")}
    counted |= {name: (getattr(own, name), getattr(found, name), 0) for name in ("carry", "dsp")}
    counted["ff"] = own.ff + len(inputs) * ("inputs" in sides) + len(outputs) * ("outputs" in sides), found.ff, 0
    wrong = ", ".join(f"{a} and {b} {name}" for name, (a, b, most) in counted.items() if abs(a - b) > most)
    return f"the netlist and its synthesised text count differently: {wrong}" if wrong else ""
