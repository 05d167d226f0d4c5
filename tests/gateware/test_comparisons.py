"""Comparisons as fabric: what the vectors say, for all values and limits."""

from __future__ import annotations

import pytest
from amaranth.hdl import Assert, Module, Signal

from hwq.gateware.comparisons import Comparisons
from tests.gateware.prover import proven
from tests.gateware.test_fabric_part import side_by_side


def proof(bits: int, signed: bool, limits: tuple[int | None, ...], *, bug: bool) -> tuple[Module, dict[str, Signal]]:
    m, inputs, (vectors, cells) = side_by_side(Comparisons(bits, signed, limits), bug)
    m.d.comb += Assert(vectors.reached == cells.reached)
    return m, inputs


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize(
    ("bits", "signed", "limits"),
    [
        (9, False, (None, None)),
        (8, True, (None,)),
        (12, True, (-2048, -7, None, 2047)),
        (5, False, (0, 1, 12, 31)),
        (11, False, (640, 1001)),
    ],
)
def test_cells_compare_as_vectors_do(bits: int, signed: bool, limits: tuple[int | None, ...], bug: bool) -> None:
    assert proven(*proof(bits, signed, limits, bug=bug), steps=2) == (not bug)
