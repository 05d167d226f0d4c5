"""The code that is chosen for weights."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.code_choice import code_price, weight_code_of
from hwq.numerics.encoding import Integer, parse_encoding

INT8 = Integer(8, True)


@pytest.mark.parametrize(
    ("x", "values", "multiplier", "expected"),
    [
        ("UINT4", [-5, 5], "auto", "5*BIPOLAR"),
        ("UINT4", [0, 6, -6], "auto", "6*TERNARY"),
        ("UINT8", [0, 1, -1, 2, -2, 4, -4], "auto", "1*POWERS3ZS"),
        ("UINT4", [-7, -3, 3, 7], "auto", "1*BASES2_5"),
        ("UINT2", [-3, -1, 1, 3], "auto", "1*BASES1_2"),
        ("BIPOLAR", [-7, -3, 0, 6], "auto", "1*LEVELS4"),
        ("UINT4", [-7, -3, 3, 7], "dsp", "1*INT4"),
        ("UINT8", list(range(-100, 100)), "auto", "1*INT8"),
        ("UINT4", [-50, 100], "auto", "50*LEVELS2"),
        ("UINT8", [-50, 0, 13, 77, 100], "auto", "1*INT8"),  # tables of eleven pins are not made
    ],
)
def test_the_code_of_weights(x, values, multiplier, expected):
    code = weight_code_of(np.array(values), INT8, parse_encoding(x), multiplier)
    assert f"{code.factor}*{code.encoding.name}" == expected


def test_shorter_weights_cost_less():
    x = parse_encoding("UINT4")
    prices = [code_price(x, parse_encoding(w)) for w in ("BIPOLAR", "TERNARY", "INT3", "INT4", "INT8")]
    assert prices == sorted(prices)
