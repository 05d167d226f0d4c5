"""Network x Plan -> the top component: one module a unit of the dataflow, wired edge by edge."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockDomain, Const, Module, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.axi_lite import LEVEL_BITS, LITE_PORTS, StatusRegisters
from hwq.gateware.components import builder_of, input_port, output_port
from hwq.gateware.flag_queue import FlagQueue
from hwq.gateware.parts import Parts, content_key
from hwq.gateware.registers import Register, register_map
from hwq.network.graph import Network
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.flags import frames_in_flight, inputs_of
from hwq.plan.names import identifiers, port_names
from hwq.plan.plan import Plan
from hwq.plan.units import AxiIn, AxiOut, Fifo, Unit

__all__ = ["Top", "build_top", "register_map"]

# Cycles after reset in which memories may check themselves before a bad one is an error.
SETTLING = 15


def axis_members(bus_bits: int, *, output: bool) -> dict[str, wiring.Member]:
    """Flat members of an AXI4-Stream port."""
    there, back = (Out, In) if output else (In, Out)
    members = {"tdata": there(unsigned(bus_bits)), "tkeep": there(unsigned(bus_bits // 8)), "tvalid": there(1), "tlast": there(1)}
    return {**members, "tready": back(1), **({"tuser": there(1)} if output else {})}


class Top(wiring.Component):
    """The design: AXI4-Stream in and out, AXI4-Lite status, one clock.

    Timing: every unit keeps the law of its descriptor in :mod:`hwq.plan.units`; the wiring adds no cycle.

    Members
    -------
    aclk, aresetn : In(1)
        Clock; synchronous reset, active low, registered once. A reset in mid-frame is safe.
    s_axis_<input>_*, m_axis_<output>_* : In, Out
        AXI4-Stream, see :class:`hwq.gateware.axi_in.AxiIngress` and :class:`hwq.gateware.axi_out.AxiEgress`.
    s_axil_* : In, Out
        AXI4-Lite, see :class:`hwq.gateware.axi_lite.StatusRegisters`.
    """

    def __init__(self, network: Network, plan: Plan, parts: Parts) -> None:
        self.network, self.plan, self.parts = network, plan, parts
        self.dataflow: Dataflow = dataflow_of(network, plan)
        self.writers = {edge: unit for unit in self.dataflow.units for edge in unit.outputs}
        self.readers = {edge: unit for unit in self.dataflow.units for edge in unit.inputs}
        self.ports = port_names(network)
        self.names = identifiers(u.name for u in self.dataflow.units)
        self.registers: tuple[Register, ...] = register_map(network, plan)
        members: dict[str, wiring.Member] = {"aclk": In(1), "aresetn": In(1, init=1)}
        for unit in self.dataflow.units:
            if isinstance(unit, AxiIn | AxiOut):
                axis = axis_members(unit.bus_bits, output=isinstance(unit, AxiOut))
                members.update({f"{self.ports[unit.tensor]}_{name}": member for name, member in axis.items()})
        members.update({f"s_axil_{name}": member for name, member in LITE_PORTS.items()})
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        self._clock(m)
        placed = {unit.name: self._place(m, unit) for unit in self.dataflow.units}
        for edge in self.dataflow.edges:
            self._connect(m, placed, edge)
        inputs = [u for u in self.dataflow.units if isinstance(u, AxiIn)]
        outputs = [u for u in self.dataflow.units if isinstance(u, AxiOut)]
        for unit in (*inputs, *outputs):
            self._outside(m, unit, placed[unit.name])
        self._flags(m, placed)
        ok = Cat(*(p.weights_ok for p in placed.values() if "weights_ok" in p.signature.members)).all()
        enable = Signal()
        m.d.sync += enable.eq(ok)
        m.d.comb += [placed[u.name].enable.eq(enable) for u in inputs]
        self._status(m, placed, enable)
        return m

    def _clock(self, m: Module) -> None:
        sync = ClockDomain("sync")
        sync.clk = self.aclk
        # Its own domain without reset: the register that makes the reset.
        outside = ClockDomain("outside", reset_less=True)
        outside.clk = self.aclk
        reset = Signal(init=1)
        sync.rst = reset
        m.domains += [sync, outside]
        m.d.outside += reset.eq(~self.aresetn)

    def _place(self, m: Module, unit: Unit) -> wiring.Component:
        build = builder_of(unit, self.dataflow, self.network, self.parts)
        part = self.parts.place("stage", unit.name, content_key(unit.name), build)
        m.submodules[self.names[unit.name]] = part
        return part

    def _connect(self, m: Module, placed: dict[str, wiring.Component], edge: str) -> None:
        producer, consumer = self.writers[edge], self.readers[edge]
        source = getattr(placed[producer.name], output_port(producer, edge))
        target = getattr(placed[consumer.name], input_port(consumer, edge))
        m.d.comb += [
            target.valid.eq(source.valid),
            Value.cast(target.payload).eq(Value.cast(source.payload)),
            source.ready.eq(target.ready),
        ]

    def _outside(self, m: Module, unit: AxiIn | AxiOut, part: wiring.Component) -> None:
        for name, member in axis_members(unit.bus_bits, output=isinstance(unit, AxiOut)).items():
            mine, its = getattr(self, f"{self.ports[unit.tensor]}_{name}"), getattr(part, name)
            m.d.comb += its.eq(mine) if member.flow is In else mine.eq(its)

    def _flags(self, m: Module, placed: dict[str, wiring.Component]) -> None:
        """A queue from every input to every output that depends on it."""
        frames = frames_in_flight(self.dataflow)
        for output, inputs in inputs_of(self.dataflow).items():
            bad = []
            for name in inputs:
                ingress, egress = placed[name], placed[output]
                m.submodules[f"flags_{self.names[name]}_{self.names[output]}"] = queue = FlagQueue(frames)
                m.d.comb += [queue.push.eq(ingress.frame), queue.push_bad.eq(ingress.frame_bad), queue.pop.eq(egress.frame)]
                bad.append(queue.bad)
            m.d.comb += placed[output].bad.eq(Cat(*bad).any())

    def _status(self, m: Module, placed: dict[str, wiring.Component], enable: Signal) -> None:
        m.submodules.status = status = self.parts.place(
            "stage", "status", content_key(self.registers), lambda: StatusRegisters(self.registers)
        )
        for name, member in LITE_PORTS.items():
            mine, its = getattr(self, f"s_axil_{name}"), getattr(status, name)
            m.d.comb += its.eq(mine) if member.flow is In else mine.eq(its)
        events, levels, bad = self._events(m, placed)
        settled = Signal(range(SETTLING + 1))
        with m.If(settled != SETTLING):
            m.d.sync += settled.eq(settled + 1)
        m.d.comb += [
            status.events.eq(Cat(*(events[r.source] for r in self.registers if r.kind == "counter"))),
            status.levels.eq(Cat(*(levels[r.source] for r in self.registers if r.kind == "peak"))),
            status.weights_ok.eq(enable),
            status.weights_bad.eq((settled == SETTLING) & ~enable),
            status.bad_frame.eq(Cat(*bad).any()),
        ]

    def _events(self, m: Module, placed: dict[str, wiring.Component]) -> tuple[dict[str, Value], dict[str, Value], list[Value]]:
        """What the status registers count, by source name; levels of the FIFOs; the bits that say a frame was repaired."""
        events: dict[str, Value] = {"cycle": Const(1, 1)}
        levels: dict[str, Value] = {}
        bad: list[Value] = []
        for unit in self.dataflow.units:
            part = placed[unit.name]
            if isinstance(unit, AxiIn):
                bad.append(part.frame & part.frame_bad)
                events |= {f"{unit.name}.bad": bad[-1], f"{unit.name}.starved": part.tready & ~part.tvalid}
            if isinstance(unit, AxiOut):
                events[f"{unit.name}.blocked"] = part.tvalid & ~part.tready
            if isinstance(unit, AxiIn | AxiOut):
                events[f"{unit.name}.frame"] = part.frame
            if isinstance(unit, AxiIn | AxiOut | Fifo):
                levels[unit.name] = level = Signal(LEVEL_BITS, name=f"level_{self.names[unit.name]}")
                m.d.comb += level.eq(unit.depth - part.credits)
        return events, levels, bad


def build_top(network: Network, plan: Plan, parts: Parts) -> Top:
    """The top component of ``network`` under ``plan``; ``parts`` decides between submodules and instances."""
    return Top(network, plan, parts)
