"""Products as bits and a share of the weight: for every activation and every weight."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.front_bits import products_of
from hwq.fabric.weight_code import Bases, Levels, Powers
from hwq.numerics.encoding import Bipolar, Integer, parse_encoding

CODES = [
    *map(parse_encoding, ("BIPOLAR", "TERNARY", "INT3", "UINT2", "INT4_NARROW")),
    Powers(3, True, True),
    Powers(4, False, True),
    Powers(3, True, False),
    Bases((1, 2, 4)),
    Bases((3, 10)),
    Levels((-9, -2, 0, 1, 30)),
    Levels((4, 7)),
]
ACTIVATIONS = ["BIPOLAR", "TERNARY", "BINARY", "UINT3", "INT4", "INT3_NARROW"]


def integers_of(encoding):
    every = np.arange(encoding.lo, encoding.hi + 1)
    return every[encoding.contains(every)].tolist()


@pytest.mark.parametrize("w", CODES, ids=lambda e: e.name)
@pytest.mark.parametrize("x", ACTIVATIONS)
def test_a_product_is_its_bits_and_the_weights_share(x, w):
    x = parse_encoding(x)
    found = products_of(x, w)
    if found is None:
        return
    for weight in integers_of(w):
        code = int(w.encode(weight))
        raws = [found.raw(int(x.encode(v)), code) for v in integers_of(x)]
        assert [found.step * raw + found.bases[code] for raw in raws] == [weight * v for v in integers_of(x)]
        assert max(raws) == found.tops[code]


@pytest.mark.parametrize(("x", "w"), [("BIPOLAR", "BIPOLAR"), ("TERNARY", "BIPOLAR"), ("INT4", "INT4"), ("UINT8", "INT3")])
def test_integers_and_pairs_of_signs_have_none(x, w):
    assert products_of(parse_encoding(x), parse_encoding(w)) is None


def test_tables_of_too_many_bits_are_not_made():
    assert products_of(Integer(8, False), Levels((0, 1, 5, 9, 11))) is None
    assert products_of(Integer(8, False), Levels((0, 5))) is not None


def test_a_bipolar_activation_chooses_between_nothing_and_twice_the_weight():
    found = products_of(Bipolar(), Integer(4, False))
    assert found.step == 2
    assert found.bases == tuple(-w for w in range(16))
    assert [found.raw(1, w) for w in range(16)] == list(range(16))
