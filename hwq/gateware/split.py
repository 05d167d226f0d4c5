"""Split: ranges of the channels of a stream, each to an output of its own."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.channels import lanes_of
from hwq.gateware.concat import turns
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.reader import Counter
from hwq.gateware.streams import edge_stream
from hwq.network.ops import Split
from hwq.plan.moving_units import SplitUnit
from hwq.plan.units import Edge

__all__ = ["SplitStage"]


class SplitStage(wiring.Component):
    """``words[k]`` words of V pixels go to target k, in turn; targets that are dropped take theirs and keep nothing.

    Serial: one word a cycle, which wants the credit of its own target only. Wide: a word holds all channels, goes to all
    outputs at once and wants a credit of each.

    Timing: a FIFO law with L = 0. Cost: an Egress an output.

    Members
    -------
    i : In(stream)
        Words in.
    o0, o1, ... : Out(stream)
        Words of the kept targets.
    """

    def __init__(self, unit: SplitUnit, source: Edge, targets: Sequence[Edge]) -> None:
        assert unit.latency == 0, f"{unit.name}: the datapath has no registers, the plan says {unit.latency}"
        op = unit.stage.node.op
        assert isinstance(op, Split)
        self.unit, self.source, self.targets, self.op = unit, source, tuple(targets), op
        outputs = {f"o{k}": Out(edge_stream(target)) for k, target in enumerate(targets)}
        super().__init__({"i": In(edge_stream(source)), **outputs})

    def elaborate(self, platform):
        m = Module()
        self.egresses = [Egress(target.word_bits, self.unit.depth) for target in self.targets]
        for k, egress in enumerate(self.egresses):
            m.submodules[f"egress_{k}"] = egress
            forward(m, egress.o, getattr(self, f"o{k}"))
        if self.unit.is_wide:
            self._wide(m)
        else:
            self._serial(m)
        return m

    def _serial(self, m: Module) -> None:
        fire = Signal()
        self.position = position = Counter(m, fire, sum(self.unit.words), "position")
        chosen = turns(m, position.value, self.unit.words)
        able = [turn & (self.egresses[k].grant if k >= 0 else 1) for turn, k in zip(chosen, self.unit.kept, strict=True)]
        m.d.comb += [self.i.ready.eq(Cat(*able).any()), fire.eq(self.i.valid & self.i.ready)]
        for able_now, k in zip(able, self.unit.kept, strict=True):
            if k >= 0:
                self._write(m, k, self.i.valid & able_now, self.i.payload.as_value())

    def _wide(self, m: Module) -> None:
        pixels, bits = self.source.pixels, self.source.bits
        codes = lanes_of(m, self.i.payload.as_value(), pixels * sum(self.op.sizes), bits, "codes")
        fire = Signal()
        m.d.comb += [self.i.ready.eq(Cat(*(e.grant for e in self.egresses)).all()), fire.eq(self.i.valid & self.i.ready)]
        for channels, k in zip(self.op.ranges, self.unit.kept, strict=True):
            if k >= 0:
                self._write(m, k, fire, Cat(*(c for v in range(pixels) for c in codes[v * sum(self.op.sizes) :][channels])))

    def _write(self, m: Module, k: int, fire: Value, word: Value) -> None:
        egress = self.egresses[k]
        m.d.comb += [egress.take.eq(fire), egress.w_en.eq(fire), egress.w_data.eq(word)]
