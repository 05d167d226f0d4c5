"""AXI4-Lite status registers: identity, counters, stall causes, sticky errors."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.registers import Register

__all__ = ["ADDRESS_BITS", "LEVEL_BITS", "LITE_PORTS", "StatusRegisters"]

ADDRESS_BITS = 12
# Levels of FIFOs: up to 16 million words.
LEVEL_BITS = 24
# Ports of an AXI4-Lite slave by direction seen from it.
LITE_PORTS = {
    "awaddr": In(unsigned(ADDRESS_BITS)),
    "awprot": In(unsigned(3)),
    "awvalid": In(1),
    "awready": Out(1),
    "wdata": In(unsigned(32)),
    "wstrb": In(unsigned(4)),
    "wvalid": In(1),
    "wready": Out(1),
    "bresp": Out(unsigned(2)),
    "bvalid": Out(1),
    "bready": In(1),
    "araddr": In(unsigned(ADDRESS_BITS)),
    "arprot": In(unsigned(3)),
    "arvalid": In(1),
    "arready": Out(1),
    "rdata": Out(unsigned(32)),
    "rresp": Out(unsigned(2)),
    "rvalid": Out(1),
    "rready": In(1),
}


class StatusRegisters(wiring.Component):
    """Slave of the registers of :func:`hwq.gateware.registers.register_map`; 32-bit accesses, always answered OKAY.

    A write of CONTROL bit 0 copies every counter and peak into what is read; bit 1 clears them. Addresses that
    hold no register read 0.

    Timing: a read takes 3 cycles, a write 3. Counters count from the cycle after their event.
    Cost: 128 FF and about 64 LUT a counter.

    Members
    -------
    awaddr ... rready
        AXI4-Lite, see :data:`LITE_PORTS`.
    events : In(unsigned)
        Bit k: the event of the k-th register of kind counter happens in this cycle.
    levels : In(unsigned)
        Levels of the registers of kind peak, LEVEL_BITS each.
    weights_ok, weights_bad : In(1)
        The memories are as they should be; they are not, after start-up.
    bad_frame : In(1)
        A frame was repaired.
    """

    def __init__(self, registers: Sequence[Register]) -> None:
        self.registers = tuple(registers)
        if max(r.offset + r.bits // 8 for r in registers) > 1 << ADDRESS_BITS:
            raise ValueError(f"the register map is longer than {1 << ADDRESS_BITS} bytes")
        self.counters = [r for r in registers if r.kind == "counter"]
        self.peaks = [r for r in registers if r.kind == "peak"]
        super().__init__(
            {
                **LITE_PORTS,
                "events": In(unsigned(len(self.counters))),
                "levels": In(unsigned(LEVEL_BITS * max(1, len(self.peaks)))),
                "weights_ok": In(1),
                "weights_bad": In(1),
                "bad_frame": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        latch, clear = self._write(m)
        self._read(m, {**self._figures(m, latch, clear), "STATUS": self._status(m, clear)})
        return m

    def _write(self, m: Module) -> tuple[Signal, Signal]:
        """Write channel; the pulses of CONTROL."""
        has_address, has_data = Signal(), Signal()
        address, value, strobe = Signal(ADDRESS_BITS), Signal(2), Signal()
        latch, clear, done = Signal(), Signal(), Signal()
        control = next(r for r in self.registers if r.kind == "control")
        m.d.comb += [
            self.awready.eq(~has_address),
            self.wready.eq(~has_data),
            done.eq(has_address & has_data & ~self.bvalid),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [has_address.eq(1), address.eq(self.awaddr)]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [has_data.eq(1), value.eq(self.wdata), strobe.eq(self.wstrb[0])]
        hit = done & strobe & (address[2:] == control.offset >> 2)
        m.d.comb += [latch.eq(hit & value[0]), clear.eq(hit & value[1])]
        with m.If(done):
            m.d.sync += [has_address.eq(0), has_data.eq(0), self.bvalid.eq(1)]
        with m.Elif(self.bready):
            m.d.sync += self.bvalid.eq(0)
        return latch, clear

    def _figures(self, m: Module, latch: Signal, clear: Signal) -> dict[str, Signal]:
        """Counters and peaks: running, and latched by register name."""
        latched = {}
        for k, register in enumerate(self.counters):
            running = Signal(register.bits, name=f"count_{k}")
            latched[register.name] = Signal(register.bits, name=f"latched_{k}")
            m.d.sync += running.eq(Mux(clear, 0, running + self.events[k]))
            with m.If(latch):
                m.d.sync += latched[register.name].eq(running)
        for k, register in enumerate(self.peaks):
            level, peak = self.levels.word_select(k, LEVEL_BITS), Signal(LEVEL_BITS, name=f"peak_{k}")
            latched[register.name] = Signal(LEVEL_BITS, name=f"latched_peak_{k}")
            with m.If(clear | (level > peak)):
                m.d.sync += peak.eq(level)
            with m.If(latch):
                m.d.sync += latched[register.name].eq(peak)
        return latched

    def _status(self, m: Module, clear: Signal) -> Signal:
        status, framing, weights = Signal(3), Signal(), Signal()
        m.d.sync += [
            framing.eq((framing & ~clear) | self.bad_frame),
            weights.eq((weights & ~clear) | self.weights_bad),
        ]
        m.d.comb += [status[0].eq(self.weights_ok), status[1].eq(framing), status[2].eq(weights)]
        return status

    def _read(self, m: Module, live: dict[str, Signal]) -> None:
        address, pending = Signal(ADDRESS_BITS), Signal()
        m.d.comb += self.arready.eq(~pending & ~self.rvalid)
        with m.If(self.arvalid & self.arready):
            m.d.sync += [address.eq(self.araddr), pending.eq(1)]
        word = Signal(32)
        with m.Switch(address[2:]):
            for register in self.registers:
                for k in range(register.bits // 32):
                    with m.Case((register.offset >> 2) + k):
                        m.d.comb += word.eq(self._word(register, k, live))
        with m.If(pending):
            m.d.sync += [pending.eq(0), self.rvalid.eq(1), self.rdata.eq(word)]
        with m.Elif(self.rready):
            m.d.sync += self.rvalid.eq(0)

    def _word(self, register: Register, k: int, live: dict[str, Signal]):
        if register.name in live:
            return live[register.name][32 * k : 32 * k + 32]
        return register.value >> (32 * k) & 0xFFFFFFFF
