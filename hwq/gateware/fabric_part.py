"""Components that stand for a netlist of fabric cells: statements for simulation and proofs, cells in the emitted design."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.fabric.formula import Formula, formula
from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Flop, Lut, Netlist
from hwq.gateware.slice_statements import slice_output, slice_statements

__all__ = ["FabricPart", "NetlistPart", "netlist_statements"]


class FabricPart(wiring.Component):
    """A part with two forms of the same ports and the same latency.

    *Structural* is :attr:`netlist`, its ports the members of the signature, bit for bit, without clock and reset. *Portable* is what
    ``elaborate`` gives where :attr:`is_vector` holds: statements on vectors, which simulators compile fast; else the netlist's own
    expressions. Emission writes both, once a distinct part (see :mod:`hwq.target.fabric_parts`).
    """

    is_vector = True
    #: Whether there is a structural form; a part without one is emitted as any other.
    has_netlist = True

    @property
    def netlist(self) -> Netlist:
        """The structural form; free-running on the one clock, its reset unused unless a flip-flop has one."""
        raise NotImplementedError


class NetlistPart(FabricPart):
    """A netlist as a component; its portable form is the netlist itself as expressions.

    Members
    -------
    The ports of the netlist, unsigned.
    """

    is_vector = False

    def __init__(self, netlist: Netlist) -> None:
        self._netlist = netlist
        members = {name: In(unsigned(len(bits))) for name, bits in netlist.inputs.items()}
        super().__init__(members | {name: Out(unsigned(len(bits))) for name, bits in netlist.outputs.items()})

    @property
    def netlist(self) -> Netlist:
        return self._netlist

    def elaborate(self, platform):
        ports = {name: getattr(self, name) for name in (*self.netlist.inputs, *self.netlist.outputs)}
        return netlist_statements(self.netlist, ports)


def netlist_statements(netlist: Netlist, ports: Mapping[str, Value]) -> Module:
    """A module that computes ``netlist`` between signals by port name; flip-flops and registers of slices have no reset of their own."""
    return _Statements(netlist, ports).module


class _Statements:
    def __init__(self, netlist: Netlist, ports: Mapping[str, Value]) -> None:
        self.module = m = Module()
        self.netlist = netlist
        self.values: dict[int, Value] = {0: Const(0, 1)}
        for name, bits in netlist.inputs.items():
            self.values.update({bit >> 1: ports[name][k] for k, bit in enumerate(bits)})
        for flop in netlist.flops:
            self.values[flop.q >> 1] = Signal(name=f"n{flop.q >> 1}", reset_less=True)
        for number, cell in enumerate(netlist.cells):
            self._add(cell, number)
        for flop in netlist.flops:
            self._flop(flop)
        m.d.comb += [ports[name].eq(Cat(*map(self.bit, bits))) for name, bits in netlist.outputs.items()]

    def bit(self, literal: int) -> Value:
        value = self.values[literal >> 1]
        return (~value)[0] if literal & 1 else value

    def _wire(self, literal: int, value: Value) -> Value:
        wire = Signal(name=f"n{literal >> 1}")
        self.module.d.comb += wire.eq(value)
        self.values[literal >> 1] = wire
        return wire

    def _add(self, cell: Lut | Chain | Dsp, number: int) -> None:
        if isinstance(cell, Lut):
            pins = [self.bit(p) for p in cell.pins]
            self._wire(cell.o6, _value(formula(cell.init, len(pins)), pins))
            if cell.o5 is not None:
                self._wire(cell.o5, _value(formula(cell.init & 0xFFFFFFFF, 5), pins))
        elif isinstance(cell, Chain):
            carry = self.bit(cell.ci)
            for s, di, o, co in zip(cell.s, cell.di, cell.o, cell.co, strict=True):
                self._wire(o, self.bit(s) ^ carry)
                carry = self._wire(co, Mux(self.bit(s), carry, self.bit(di)))
        else:
            self._slice(cell, f"slice{number}")

    def _slice(self, cell: Dsp, name: str) -> None:
        p = slice_output(name)
        for _, bits in cell.outputs:
            self.values.update({bit >> 1: p[k] for k, bit in enumerate(bits)})
        slice_statements(self.module, cell, {port: Cat(*map(self.bit, bits)) for port, bits in cell.inputs}, p, name)

    def _flop(self, flop: Flop) -> None:
        m, q = self.module, self.values[flop.q >> 1]
        loaded = self.bit(flop.d) if flop.enable == TRUE else Mux(self.bit(flop.enable), self.bit(flop.d), q)
        m.d.sync += q.eq(loaded if flop.reset == FALSE else Mux(self.bit(flop.reset), 0, loaded))


def _value(term: Formula, pins: list[Value]) -> Value:
    if term.kind == "pin":
        return pins[term.pin]
    if term.kind == "const":
        return Const(term.pin, 1)
    values = [_value(o, pins) for o in term.operands]
    match term.kind:
        case "not":
            return ~values[0]
        case "mux":
            return Mux(*values)
        case "and":
            return values[0] & values[1]
        case "or":
            return values[0] | values[1]
    return values[0] ^ values[1]
