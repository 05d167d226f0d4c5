"""Memory files: digest and sentinel see what a simulator would not say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.target.memory_file import memory_digest, memory_file, rom_module
from hwq.target.tools import yosys

WORDS = st.lists(st.integers(0, 2**37 - 1), min_size=2, max_size=40)


@given(WORDS, st.data())
def test_a_single_changed_word_changes_the_digest(words: list[int], data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(words) - 1))
    # One 32-bit slice: the multiplier is odd, so that change cannot cancel.
    changed = words.copy()
    changed[n] ^= data.draw(st.integers(1, 2**32 - 1))
    assert memory_digest(changed, 37) != memory_digest(words, 37)


def test_zeros_in_place_of_the_words_are_seen() -> None:
    words = [3, 5, 0, 7]
    assert memory_digest([0] * 4, 8) != memory_digest(words, 8)


def test_the_sentinel_is_a_word_that_an_empty_memory_cannot_hold() -> None:
    file = memory_file("m.mem", [0, 255, 0, 18, 255], 8)
    assert (file.sentinel, file.sentinel_word) == (3, 18)
    assert file.text == "00\nff\n00\n12\nff\n"


def test_of_zeros_and_ones_only_the_ones_are_the_sentinel() -> None:
    file = memory_file("m.mem", [0, 1, 0], 1)
    assert (file.sentinel, file.sentinel_word) == (1, 1)


@pytest.mark.skipif(yosys() is None, reason="no Yosys here")
@pytest.mark.parametrize("style", ["logic", "lutram", "block"])
def test_yosys_finds_a_place_for_the_memory(tmp_path: Path, style: str) -> None:
    tool = yosys()
    assert tool is not None
    file = memory_file("m.mem", [n * 37 % 256 for n in range(1, 200)], 8)
    (tmp_path / "m.mem").write_text(file.text)
    (tmp_path / "m.v").write_text(rom_module("m", file, style))
    script = "read_verilog -DSYNTHESIS m.v; synth_xilinx -family xcup -top m -run begin:map_ffs"
    done = subprocess.run([*tool.command, "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
