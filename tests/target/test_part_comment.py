"""The head of a part made of fabric says which circuit it is, how late and how big."""

from __future__ import annotations

from amaranth.sim import Simulator

from hwq.fabric.lane_form import lane_form
from hwq.fabric.netlist import Netlist
from hwq.fabric.prune import prune
from hwq.gateware.comparisons import Comparisons
from hwq.gateware.fabric_part import FabricPart, NetlistPart
from hwq.gateware.float_mac import FloatMacUnit
from hwq.gateware.lane import Lane, Row
from hwq.gateware.saturating_sum import SaturatingSum
from hwq.numerics.encoding import Bipolar
from hwq.target.part_comment import part_comment


def text_of(part: FabricPart) -> str:
    part._MustUse__silence = True
    return "\n".join(part_comment(part, prune(part.netlist)))


def test_a_lane_and_its_latency_as_simulated() -> None:
    lane = Lane(lane_form(Bipolar(), Bipolar(), 7))
    text = text_of(lane)
    assert text.startswith("// Lane: y is the raw sum of 7 products of BIPOLAR activations and BIPOLAR weights, ")
    assert "that of the products is 2 * raw - 7 for every word" in text
    cycles = 0

    async def process(ctx):
        nonlocal cycles
        ctx.set(lane.x, 0b1111111)
        ctx.set(lane.w, 0)
        for _ in range(10):
            await ctx.tick()
        ctx.set(lane.w, 0b1111111)
        while ctx.get(lane.y) != 7:
            await ctx.tick()
            cycles += 1

    simulator = Simulator(lane)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()
    assert f"{cycles} cycle{'s' * (cycles > 1)} later" in text


def test_a_free_circuit_tells_its_cycles() -> None:
    n = Netlist()
    n.output("y", [n.flop(n.flop(bit)) for bit in n.input("x", 2)])
    assert "every cycle, 2 cycles after its inputs." in text_of(NetlistPart(n))
    mac = FloatMacUnit()
    assert f"every cycle, {mac.latency} cycles after its inputs.\n" in text_of(mac)


def test_the_others_say_what_they_are() -> None:
    assert "Row: raw sum of 4 products" in text_of(Row(lane_form(Bipolar(), Bipolar(), 4), 9))
    assert "signed 8 bits; limits: 1 known in the LUTs, 2 from port limits" in text_of(Comparisons(8, True, (None, 3, None)))
    assert "clipped to 6 bits" in text_of(SaturatingSum(4, 6))
    assert all(line.startswith("// ") for line in text_of(SaturatingSum(4, 6)).splitlines())
