from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.fabric.lane_form import lane_form
from hwq.fabric.lane_netlist import row_netlist
from hwq.fabric.sites import sites_of
from hwq.network.ops import Window
from hwq.numerics.encoding import Bipolar, Integer
from hwq.plan.activation_pieces import rom
from hwq.plan.blocks import blocks_between
from hwq.plan.geometry import Geometry
from hwq.plan.pieces import Piece, calibration, cost_of, piece, piece_cost
from hwq.plan.reader_pieces import reader
from hwq.plan.resources import Resources
from hwq.plan.row_cost import row_cost
from hwq.plan.stream_pieces import converter, egress
from hwq.plan.units import Converter, Edge


def test_a_piece_costs_what_is_known_and_its_counts() -> None:
    lut = calibration()["components"]["fork"]["lut"]
    fixed = Resources(lut=5, lutram=3, bram36=0.5)
    cost = piece_cost(piece("fork", 4, fixed, outputs=3))
    assert cost.lut == pytest.approx(4 * (5 + lut.get("one", 0) + 3 * lut.get("outputs", 0)))
    assert (cost.lutram, cost.bram36) == (12, 2)
    assert piece_cost(Piece("row", fixed=fixed)) == fixed
    assert cost_of([]) == Resources()


def converted(have: int, want: int, channels: int, bits: int = 4) -> Resources:
    source, target = Edge("", have, bits, channels), Edge("", want, bits, channels)
    core, _ = converter(Converter("", (), (), 2, *blocks_between(source, target)), source, target)
    return piece_cost(core)


def test_words_are_cheaper_to_widen_than_to_narrow() -> None:
    narrow, wide = converted(64, 4, 64), converted(4, 64, 64)
    assert wide.lut < narrow.lut / 4
    assert narrow.ff == pytest.approx(wide.ff, rel=0.2)


@given(st.integers(1, 200), st.integers(2, 3000))
def test_a_memory_of_constants_grows_with_its_width(width: int, depth: int) -> None:
    assert piece_cost(rom(width, depth, "lutram")).lut <= piece_cost(rom(width + 1, depth, "lutram")).lut
    assert piece_cost(rom(width, 1, "lutram")) == Resources()


def test_a_memory_of_two_words_is_wires() -> None:
    assert piece_cost(rom(500, 2, "lutram")).lut < 20 < piece_cost(rom(500, 64, "lutram")).lut


@given(st.integers(1, 64), st.integers(1, 200))
def test_an_egress_holds_its_words(width: int, depth: int) -> None:
    lutram = piece_cost(egress(width, depth)).lutram
    assert lutram * 64 >= width * depth or depth == 1


def test_a_reader_of_a_padded_window_costs_more() -> None:
    plain, padded = (Geometry(16, 16, 2, Window((3, 3), (1, 1), (p,) * 4)) for p in (0, 1))
    assert piece_cost(reader(16, plain, 80, "lutram")).lut < piece_cost(reader(16, padded, 80, "lutram")).lut


@pytest.mark.parametrize(("x", "w"), [(Bipolar(), Bipolar()), (Integer(2, True, True), Bipolar()), (Integer(4, False), Integer(4, True))])
@pytest.mark.parametrize("n", [5, 20, 40, 100])
def test_a_row_between_two_sizes_lies_on_a_line(x: Integer, w: Integer, n: int) -> None:
    form = lane_form(x, w, n)
    bits = form.y_bits + 3
    about, exact = row_cost(form, bits), sites_of(row_netlist(form, bits, late=True))
    assert about.lut == pytest.approx(exact.luts, rel=0.06, abs=4)
    assert about.ff == pytest.approx(exact.ff, rel=0.25, abs=12)
    assert row_cost(form, bits, exact=True) == Resources(lut=exact.luts, ff=exact.ff, dsp=exact.dsp)
