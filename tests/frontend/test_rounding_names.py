"""QONNX's names of rounding modes, as qonnx and Brevitas write them."""

from __future__ import annotations

import pytest

from hwq.errors import InputError
from hwq.frontend.rounding_names import rounding_of
from hwq.numerics.rounding import Rounding


def test_names_that_lie_are_read_as_qonnx_computes_them() -> None:
    assert [rounding_of(n) for n in ("round", "UP", "HALF_UP")] == [Rounding.HALF_EVEN, Rounding.AWAY, Rounding.HALF_AWAY]


def test_brevitas_calls_rounding_down_by_another_name() -> None:
    assert rounding_of("ROUND_TO_ZERO") is rounding_of("DOWN") is Rounding.TOWARD_ZERO


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'Banana' is unknown, one of ROUND"):
        rounding_of("Banana")
