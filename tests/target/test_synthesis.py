"""Yosys as it is called: what it refuses, and what takes it too long, is said."""

from __future__ import annotations

import pytest

from hwq.target.synthesis import SynthesisFailed, synthesize
from hwq.target.tools import yosys

needs_yosys = pytest.mark.skipif(yosys() is None, reason="needs Yosys")


@needs_yosys
def test_yosys_has_a_limited_time() -> None:
    with pytest.raises(SynthesisFailed, match="not done after 0 s"):
        synthesize({"t.v": "module t(input a, output y); assign y = ~a; endmodule"}, "t", patience=0.01)


@needs_yosys
def test_the_words_of_yosys_are_passed_on() -> None:
    with pytest.raises(SynthesisFailed, match=r"t\.v:1"):
        synthesize({"t.v": "module t(input a; endmodule"}, "t")
