from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.plan.memories import BLOCK_BITS, block_count, memory_cost, ram, rom, ultra_count
from hwq.plan.resources import Resources


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [
        (72, 512, 1),
        (36, 512, 0.5),
        (36, 1024, 1),
        (73, 512, 1.5),
        (144, 512, 2),
        (1, 32768, 1),
        (9, 4096, 1),
        (72, 1024, 2),
        (18, 1024, 0.5),
    ],
)
def test_block_rams_by_the_ports_of_ug573(width: int, depth: int, blocks: float) -> None:
    assert block_count(width, depth) == blocks


@given(st.integers(1, 4000), st.integers(1, 40000))
def test_block_rams_hold_their_bits(width: int, depth: int) -> None:
    assert block_count(width, depth) * BLOCK_BITS >= width * depth
    assert ram(width, depth, "block").block_bits >= width * depth or depth == 1


@given(st.integers(1, 4000), st.integers(1, 40000))
def test_ultra_rams_hold_their_bits(width: int, depth: int) -> None:
    assert ultra_count(width, depth) * 288 * 1024 >= width * depth


def test_a_lut_is_a_read_only_memory_of_64_bits() -> None:
    assert memory_cost(100, 64, "lutram").lut == 100
    assert memory_cost(100, 65, "lutram").lut == 200
    assert memory_cost(100, 32, "lutram").lut == 50
    assert memory_cost(100, 1, "logic") == Resources()


@given(st.sampled_from(["lutram", "block", "ultra"]), st.integers(1, 200), st.integers(2, 5000), st.integers(1, 8))
def test_banks_add_up(kind: str, width: int, depth: int, banks: int) -> None:
    one, all_banks = ram(width, depth, kind).cost.as_dict(), ram(width, depth, kind, banks).cost.as_dict()
    assert all_banks == {name: banks * amount for name, amount in one.items()}


def test_a_memory_knows_how_full_it_is() -> None:
    weights = rom(64, 512, "block", bits=30000)
    assert (weights.bits, weights.block_bits) == (30000, BLOCK_BITS)
    assert rom(64, 512, "lutram").block_bits == 0
    assert ram(8, 3, "auto").kind == "lutram"
    assert ram(8, 65, "auto").kind == "block"
