"""The egress: what waits stays, every frame ends once, proven."""

from __future__ import annotations

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal

from hwq.gateware.axi_out import AxiEgress
from hwq.plan.units import AxiOut, Edge
from tests.gateware.prover import by_hand, proven
from tests.gateware.test_proofs import always


@pytest.mark.parametrize("bug", ["", "ends early", "says what comes"])
def test_what_waits_stays_and_every_frame_ends_once(bug: str) -> None:
    # Three beats a frame. That the data stay is the proof of the FIFO within.
    component = AxiEgress(AxiOut("o", ("i",), (), "y", 8, 2), Edge("i", 4, 2, 10), signed=False)
    m = Module()
    m.submodules.dut = by_hand(component)
    free = {"word": Signal(8), "valid": Signal(), "tready": Signal(), "bad": Signal()}
    m.d.comb += [component.i.payload.as_value().eq(free["word"]), component.i.valid.eq(free["valid"])]
    m.d.comb += [component.tready.eq(free["tready"]), component.bad.eq(free["bad"])]
    said = Cat(component.tlast, component.tuser if bug != "says what comes" else free["bad"], component.tkeep)
    waits, before, beats = Signal(), Signal(len(said)), Signal(2)
    m.d.sync += [waits.eq(component.tvalid & ~free["tready"]), before.eq(said)]
    with m.If(component.tvalid & free["tready"]):
        m.d.sync += beats.eq(Mux(beats == 2, 0, beats + 1))
    always(m, (beats < 3) & (component.tlast == (beats == (1 if bug == "ends early" else 2))))
    always(m, ~waits | (component.tvalid & (said == before)))
    always(m, waits | (component.tuser == (component.tlast & free["bad"])))
    always(m, component.frame == (component.tvalid & free["tready"] & component.tlast))
    assert proven(m, free) == (bug == "")
