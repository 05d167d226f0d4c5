"""Packings of products into a slice: fields never touch, shown for all products by SMT, and a step more would make them."""

from __future__ import annotations

import itertools

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from hwq.fabric.packing import Packing, lane_packing, packing, shared_rows
from hwq.numerics.encoding import parse_encoding

WORD = (1 << 48) - 1
ENCODINGS = ("TERNARY", "BINARY", "UINT2", "UINT4", "UINT8", "INT2", "INT4", "INT8", "INT3_NARROW", "INT4_NARROW", "INT6_NARROW")

CASES = [
    ("INT4", "INT4", 2, 2),
    ("INT4", "INT4", 4, 1),
    ("INT4", "INT4", 3, 1),
    ("UINT4", "INT4", 2, 2),
    ("INT8", "INT8", 2, 1),
    ("UINT8", "INT8", 2, 1),
    ("INT8", "INT8_NARROW", 2, 1),
    ("INT2", "UINT3", 3, 2),
]


def found(x: str, w: str, rows: int, pixels: int) -> Packing:
    made = packing(parse_encoding(x), parse_encoding(w), rows, pixels)
    assert made is not None
    return made


def can_go_wrong(made: Packing, steps: int) -> bool:
    """Whether products exist for which a wanted field, read at its width, is not the raw sum of its products over ``steps`` steps."""
    low, high = (f(a * b for a in (made.x.lo, made.x.hi) for b in (made.w.lo, made.w.hi)) for f in (min, max))
    solver = z3.Solver()
    total, wrong = z3.BitVecVal(made.constant(steps), 48), []
    for a in made.w_shifts:
        for b in made.x_shifts:
            # Any sum of ``steps`` products: each is an integer low .. high (a superset of those that exist).
            field = z3.BitVec(f"sum_{a}_{b}", 48)
            solver.add(field >= steps * low, field <= steps * high)
            total = total + (field << (a + b))
    for f in made.fields:
        if f.wanted:
            sums = [z3.BitVec(f"sum_{made.w_shifts[i]}_{made.x_shifts[j]}", 48) for i, j in f.products]
            bits = made.field_bits(f, steps)
            raw = sum(sums) - z3.BitVecVal(steps * len(sums) * low, 48)
            wrong.append(z3.LShR(total, f.shift) & ((1 << bits) - 1) != raw)
    solver.add(z3.Or(wrong))
    return solver.check() == z3.sat


@pytest.mark.parametrize(("x", "w", "rows", "pixels"), CASES)
def test_fields_are_exact_up_to_the_depth_and_not_beyond(x: str, w: str, rows: int, pixels: int) -> None:
    made = found(x, w, rows, pixels)
    assert not can_go_wrong(made, made.depth)
    if made.depth > 1:
        assert not can_go_wrong(made, 1)
    assert can_go_wrong(made, made.depth + 1)


@pytest.mark.parametrize(("x", "w"), [("INT4", "INT4"), ("UINT4", "INT4"), ("INT3", "INT5")])
def test_the_inner_packing_adds_two_products_of_one_dot_product(x: str, w: str) -> None:
    made = lane_packing(parse_encoding(x), parse_encoding(w))
    assert made is not None
    assert made.inner
    assert made.macs == 2
    assert not can_go_wrong(made, made.depth)
    assert can_go_wrong(made, made.depth + 1)


def carries_go_wrong(made: Packing, steps: int) -> bool:
    """Whether sums exist that the fields, one carry each taken back by the parity of the field above, do not show."""
    span = made.bounds[1] - made.bounds[0]
    raw = [z3.BitVec(f"raw_{f.shift}", 48) for f in made.fields]
    solver = z3.Solver()
    solver.add(*(z3.ULE(r, span * steps) for r in raw))
    total = sum(r << f.shift for r, f in zip(raw, made.fields, strict=True))
    wrong, carry = [], z3.BitVecVal(0, 48)
    for k, f in enumerate(made.fields):
        field, below = z3.LShR(total, f.shift), carry
        if k + 1 < len(made.fields):
            room = made.room(f)
            carry = (z3.LShR(field, room) ^ raw[k + 1]) & 1
            field = (field & ((1 << room) - 1)) + (carry << room)
        else:
            field = field & ((1 << (span * steps + 1).bit_length()) - 1)
        wrong.append(field - below != raw[k])
    solver.add(z3.Or(wrong))
    return solver.check() == z3.sat


# Not even one product fits its field, but for the carry out of it.
TIGHT = [("UINT4", "INT4", 4, 1), ("UINT8", "INT4", 3, 1), ("INT6", "INT6", 3, 1)]


def test_tight_fields_hold_no_product_without_its_carry() -> None:
    assert [found(*case).depth for case in TIGHT] == [0, 0, 0]


@pytest.mark.parametrize(("x", "w", "rows", "pixels"), CASES + TIGHT)
def test_one_carry_a_field_is_taken_back_up_to_the_carry_depth_and_not_beyond(x: str, w: str, rows: int, pixels: int) -> None:
    made = found(x, w, rows, pixels)
    assert not carries_go_wrong(made, made.carry_depth)
    assert carries_go_wrong(made, made.carry_depth + 1)


@given(st.sampled_from(ENCODINGS), st.sampled_from(ENCODINGS), st.integers(2, 16), st.sampled_from((1, 2)))
def test_no_code_reaches_into_the_next_one(x: str, w: str, rows: int, pixels: int) -> None:
    """Narrow codes have products that would fit fields in which the codes themselves do not."""
    made = packing(parse_encoding(x), parse_encoding(w), rows, pixels)
    if made is not None:
        for encoding, shifts in ((made.w, made.w_shifts), (made.x, made.x_shifts)):
            assert all(b - a >= encoding.bits for a, b in itertools.pairwise(shifts))


@pytest.mark.parametrize(
    ("x", "w", "n", "rows", "shared"),
    [
        ("INT8", "INT8", 16, 1, 1),
        ("INT8", "INT8", 16, 2, 2),
        ("UINT8", "UINT8", 3, 7, 2),
        # Two products of a row are as good as two rows; three rows of 16 take 16 slices, each alone 24.
        ("INT4", "INT4", 16, 2, 1),
        ("INT4", "INT4", 15, 2, 2),
        ("INT4", "INT4", 16, 3, 3),
        ("UINT4", "INT4", 16, 4, 4),
        # Five rows take two groups, of three and two rather than of four and one.
        ("UINT4", "INT4", 16, 5, 3),
        ("UINT4", "INT4", 16, 8, 4),
        ("INT9", "UINT16", 8, 4, 1),
        ("BIPOLAR", "INT8", 8, 4, 1),
    ],
)
def test_as_many_rows_share_slices_as_takes_the_fewest(x: str, w: str, n: int, rows: int, shared: int) -> None:
    assert shared_rows(parse_encoding(x), parse_encoding(w), n, rows) == shared


def test_the_depths_are_those_of_the_closed_forms() -> None:
    # int8: products -16256 .. 16384, 18 bits of room; narrow weights leave a bit more: -127 * 2**19 - 127 > -2**26.
    assert found("INT8", "INT8", 2, 1).w_shifts == (0, 18)
    assert found("INT8", "INT8", 2, 1).depth == (2**18 - 1) // (16384 + 16256)
    assert found("INT8", "INT8_NARROW", 2, 1).w_shifts == (0, 19)
    # int4: four rows have 7 bits each, and products -56 .. 64 take 121 values.
    assert found("INT4", "INT4", 4, 1).depth == 1
    assert found("INT4", "INT4", 2, 2).depth == (2**11 - 1) // (64 + 56)


@pytest.mark.parametrize(
    ("x", "w", "rows", "pixels"), [("INT8", "INT8", 3, 1), ("BIPOLAR", "INT8", 2, 1), ("INT8", "INT8", 2, 2), ("UINT18", "INT8", 1, 1)]
)
def test_what_does_not_fit_is_not_packed(x: str, w: str, rows: int, pixels: int) -> None:
    assert packing(parse_encoding(x), parse_encoding(w), rows, pixels) is None
