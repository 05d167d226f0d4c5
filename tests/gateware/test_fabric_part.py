"""Parts of fabric: the vectors that simulators run are the circuit that the device gets, for all operands."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Assert, Module, Mux, Signal

from hwq.fabric.lane_array import DSP_LATENCY, slice_rows_latency
from hwq.fabric.lane_form import LaneForm, lane_form
from hwq.fabric.lane_netlist import row_latency
from hwq.fabric.netlist import Dsp, Lut, Netlist
from hwq.fabric.prune import prune
from hwq.fabric.simulate import Simulator
from hwq.gateware.fabric_part import FabricPart, NetlistPart
from hwq.gateware.lane import Lane, Row, SliceRows
from hwq.numerics.encoding import parse_encoding
from hwq.plan.latency import lane_cycles
from tests.gateware.prover import by_hand, proven
from tests.gateware.stream import simulate
from tests.target.fabric import medley

LANES = [
    ("BIPOLAR", "BIPOLAR", 9),
    ("TERNARY", "BIPOLAR", 4),
    ("TERNARY", "TERNARY", 3),
    ("UINT2", "INT2", 3),
    ("INT4", "BIPOLAR", 3),
    ("BIPOLAR", "UINT2", 4),
]


def test_statements_give_what_the_netlist_means() -> None:
    netlist, rng = medley(2), random.Random(2)
    dut, simulator = NetlistPart(netlist), Simulator(netlist, 1)

    async def bench(ctx) -> None:
        for _ in range(60):
            inputs = {port: rng.getrandbits(len(bits)) for port, bits in netlist.inputs.items()}
            for port, value in inputs.items():
                ctx.set(getattr(dut, port), value)
            expected = simulator.cycle({port: np.array([value]) for port, value in inputs.items()})
            assert {port: ctx.get(getattr(dut, port)) for port in expected} == {port: int(v[0]) for port, v in expected.items()}
            await ctx.tick()

    simulate(dut, bench)


def wrong(netlist: Netlist) -> Netlist:
    """One truth table is its complement; without any, a slice adds another constant."""
    cells = list(netlist.cells)
    at = max((k for k, cell in enumerate(cells) if isinstance(cell, Lut)), default=0)
    if isinstance(cell := cells[at], Dsp):
        ports = tuple((port, tuple(b ^ 1 for b in bits) if port == "c" else bits) for port, bits in cell.inputs)
        return replace(netlist, cells=[*cells[:at], replace(cell, inputs=ports), *cells[at + 1 :]])
    lut = cells[at]
    assert isinstance(lut, Lut)
    cells[at] = replace(lut, init=lut.init ^ (1 << (64 if lut.o5 is not None else 1 << len(lut.pins))) - 1)
    return replace(netlist, cells=cells)


def side_by_side(part: FabricPart, bug: bool) -> tuple[Module, dict[str, Signal], tuple[FabricPart, NetlistPart]]:
    """Both forms of ``part`` on the same free inputs."""
    netlist = prune(part.netlist)
    cells = NetlistPart(wrong(netlist) if bug else netlist)
    m = Module()
    m.submodules.vectors, m.submodules.cells = by_hand(part), by_hand(cells)
    inputs = {port: Signal(len(bits), name=port) for port, bits in netlist.inputs.items()}
    for port, signal in inputs.items():
        m.d.comb += [getattr(part, port).eq(signal), getattr(cells, port).eq(signal)]
    return m, inputs, (part, cells)


# Products of one vector's activations and weights of several rows: with room between them, and with carries taken back.
SHARING = [("UINT2", "INT2", 2, 4), ("UINT2", "INT2", 2, 6)]


def lane_proof(form: LaneForm, rows: int = 1, *, bug: bool) -> tuple[Module, dict[str, Signal]]:
    """Both forms of lanes: equal once their pipelines are full."""
    cycles = lane_cycles(form)
    m, inputs, (vectors, cells) = side_by_side(Lane(form, rows), bug)
    age = Signal(range(cycles + 1))
    m.d.sync += age.eq(Mux(age == cycles, cycles, age + 1))
    m.d.comb += Assert((age < cycles) | (vectors.y == cells.y))
    return m, inputs


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize(("activation", "weight", "n"), LANES)
def test_a_lane_of_cells_is_the_lane_of_vectors(activation: str, weight: str, n: int, bug: bool) -> None:
    form = lane_form(parse_encoding(activation), parse_encoding(weight), n)
    assert proven(*lane_proof(form, bug=bug), steps=lane_cycles(form) + 3) == (not bug)


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize(("activation", "weight", "n", "rows"), SHARING)
def test_lanes_that_share_slices_are_the_lanes_of_vectors(activation: str, weight: str, n: int, rows: int, bug: bool) -> None:
    form = lane_form(parse_encoding(activation), parse_encoding(weight), n, multiplier="dsp", rows=rows)
    assert form.rows == rows
    assert proven(*lane_proof(form, rows, bug=bug), steps=lane_cycles(form) + 3) == (not bug)


def row_proof(part: Row | SliceRows, cycles: int, late: int, *, bug: bool) -> tuple[Module, dict[str, Signal]]:
    """Both forms of rows: totals are equal from the first vector on that begins when both pipelines hold the same operands.

    Control comes ``late`` cycles before the total.
    """
    m, inputs, (vectors, cells) = side_by_side(part, bug)
    age, begun = Signal(range(cycles + 1)), Signal(late)
    m.d.sync += [age.eq(Mux(age == cycles, cycles, age + 1)), begun.eq(begun << 1 | begun[0])]
    with m.If((age == cycles) & inputs["valid"] & inputs["first"]):
        m.d.sync += begun[0].eq(1)
    m.d.comb += Assert(~begun[-1] | (vectors.total == cells.total))
    return m, inputs


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize(("activation", "weight", "n"), LANES)
def test_a_row_of_cells_is_the_row_of_vectors(activation: str, weight: str, n: int, bug: bool) -> None:
    form = lane_form(parse_encoding(activation), parse_encoding(weight), n)
    bits = form.y_bits + 2
    cycles = row_latency(form, bits)
    assert proven(*row_proof(Row(form, bits), cycles, 1, bug=bug), steps=cycles + 4) == (not bug)


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize(("activation", "weight", "n", "rows"), SHARING)
def test_rows_that_share_slices_are_the_rows_of_vectors(activation: str, weight: str, n: int, rows: int, bug: bool) -> None:
    form = lane_form(parse_encoding(activation), parse_encoding(weight), n, multiplier="dsp", rows=rows)
    bits = form.y_bits + 2
    cycles = row_latency(form, bits)
    assert proven(*row_proof(Row(form, bits, rows), cycles, 1, bug=bug), steps=cycles + 4) == (not bug)


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize(
    ("activation", "weight", "n", "rows", "bits"),
    [("BIPOLAR", "BIPOLAR", 7, 4, 6), ("TERNARY", "BIPOLAR", 3, 3, 12), ("UINT2", "INT2", 2, 2, 14)],
)
def test_rows_in_slices_are_the_rows_of_vectors(activation: str, weight: str, n: int, rows: int, bits: int, bug: bool) -> None:
    form = lane_form(parse_encoding(activation), parse_encoding(weight), n)
    cycles = slice_rows_latency(form, bits)
    assert proven(*row_proof(SliceRows(form, bits, rows), cycles, DSP_LATENCY, bug=bug), steps=cycles + 4) == (not bug)
