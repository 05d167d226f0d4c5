"""The ingress: whole frames of whatever beats come, proven."""

from __future__ import annotations

import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal

from hwq.gateware.axi_in import AxiIngress
from hwq.plan.units import AxiIn, Edge
from tests.gateware.prover import by_hand, proven
from tests.gateware.test_proofs import always


@pytest.mark.parametrize("bug", [False, True])
def test_frames_are_whole_and_bad_where_tlast_was_misplaced(bug: bool) -> None:
    # Three beats a frame, two codes in the last one.
    component = AxiIngress(AxiIn("i", (), ("o",), "x", 8, 2), Edge("o", 4, 2, 10))
    m = Module()
    m.submodules.dut = by_hand(component)
    free = {"tdata": Signal(8), "tvalid": Signal(), "tlast": Signal(), "ready": Signal()}
    m.d.comb += [getattr(component, name).eq(free[name]) for name in ("tdata", "tvalid", "tlast")]
    m.d.comb += component.o.ready.eq(free["ready"])
    egress, beat, source, written = component.egress, Signal(), Signal(2), Signal(2)
    m.d.comb += beat.eq(free["tvalid"] & component.tready)
    with m.If(beat):  # beats since the last tlast, up to three
        m.d.sync += source.eq(Mux(free["tlast"], 0, Mux(source == 3, 3, source + 1)))
    with m.If(egress.take):  # words of the frame
        m.d.sync += written.eq(Mux(written == 2, 0, written + 1))
    always(m, (component.position.value == written) & (written < 3))
    always(m, (egress.take == egress.w_en) & (~egress.take | egress.grant))
    # In step with the source; or it has ended early and nothing is taken, or it goes on too long and nothing is written.
    early, late = (source == 0) & (written != 0), (source == 3) & (written == 0)
    always(m, (source == written) | early | late)
    always(m, (component.padding == early) & (component.dropping == late))
    always(m, ~(early & beat) & ~(late & egress.take))
    always(m, ~early | ((egress.take == egress.grant) & (egress.w_data == 0)))
    first, second = free["tdata"][:4], free["tdata"][4:]
    word = Cat(first, Mux(written == 2, Const(0, 4), second))
    always(m, ~(egress.take & ~early) | (beat & (egress.w_data == word)))
    ends = egress.take & (written == 2)
    always(m, component.frame == ends)
    always(m, ~ends | (component.frame_bad == (early | (Const(0, 1) if bug else ~free["tlast"]))))
    assert proven(m, free) != bug
