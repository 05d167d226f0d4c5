"""The saturating accumulator: what is in its register, as vectors and as fabric, for all addends."""

from __future__ import annotations

import pytest
from amaranth.hdl import Assert, Module, Mux, Signal, signed

from hwq.gateware.saturating_sum import SaturatingSum
from tests.gateware.prover import proven
from tests.gateware.test_fabric_part import side_by_side

SIZES = [(3, 4), (5, 5), (7, 4), (2, 6)]


def proof(width: int, bits: int, *, bug: bool, limit: int | None = None) -> tuple[Module, dict[str, Signal]]:
    """Both forms beside integers that are clipped: equal once a vector has begun, and within what ``bits`` bits can hold."""
    m, inputs, (vectors, cells) = side_by_side(SaturatingSum(width, bits), bug)
    high = (1 << (bits - 1)) - 1 if limit is None else limit
    total, begun = Signal(signed(bits + width + 2)), Signal()
    grown = Mux(inputs["first"], 0, total) + inputs["addend"].as_signed()
    with m.If(inputs["valid"]):
        m.d.sync += [total.eq(Mux(grown > high, high, Mux(grown < ~high, ~high, grown))), begun.eq(begun | inputs["first"])]
    m.d.comb += Assert(~begun | ((vectors.total.as_signed() == total) & (cells.total == vectors.total)))
    m.d.comb += Assert(~begun | ((total <= high) & (total >= ~high)))
    return m, inputs


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize(("width", "bits"), SIZES)
def test_both_forms_are_clipped_addition_and_stay_in_range(width: int, bits: int, bug: bool) -> None:
    assert proven(*proof(width, bits, bug=bug), steps=4) == (not bug)


def test_the_proof_knows_another_range() -> None:
    assert not proven(*proof(4, 4, bug=False, limit=6), steps=4)
