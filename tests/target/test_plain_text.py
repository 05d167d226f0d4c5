"""Emitted names are plain identifiers, lines are bounded, and the tokens stay what they were."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hwq.target.plain_text import WIDE, plain_identifiers, wrapped

WORDS = st.lists(st.from_regex(r"[a-z]{1,30}|\"[a-z ]{0,30}\"|12'h[0-9a-f]{1,9}", fullmatch=True), min_size=1, max_size=60)


def test_an_escaped_name_is_the_same_plain_one_everywhere() -> None:
    text = "module \\top.part (\\port$8$0 , q);\n  assign q = \\port$8$0 ;\nendmodule\n  \\top.part  part (.\\port$8$0 (x));\n"
    plain = plain_identifiers(text)
    assert plain.splitlines()[:2] == ["module top_part(port_8_0, q);", "  assign q = port_8_0;"]
    assert plain.endswith("  top_part part (.port_8_0(x));\n")


def test_a_name_that_is_taken_or_a_keyword_or_begins_with_none_gets_another() -> None:
    assert plain_identifiers("wire a_b; wire \\a.b ; wire \\a$b ; wire \\initial ; wire \\$1 ; initial x = 1;") == (
        "wire a_b; wire a_b_; wire a_b__; wire initial_; wire net_1; initial x = 1;"
    )


def test_strings_keep_their_backslashes() -> None:
    assert plain_identifiers('$display("\\n a \\" b"); \\x.y ;') == '$display("\\n a \\" b"); x_y;'


def test_a_list_that_is_broken_before_its_comma_is_filled_anew() -> None:
    assert wrapped("module m(a, b\n, c);") == "module m(a, b, c);"


@given(WORDS)
def test_lines_are_bounded_and_tokens_stay(words: list[str]) -> None:
    text = wrapped("  " + " ".join(words))
    tokens = r'"[^"]*"|\S+'
    assert re.findall(tokens, text) == re.findall(tokens, " ".join(words))
    assert all(len(line) <= WIDE for line in text.split("\n"))


def test_comments_and_long_constants_stay_whole() -> None:
    comment, constant = f"// {'word ' * 60}", f"  assign a = 900'h{'f' * 225};"
    assert wrapped(comment) == comment
    assert max(map(len, wrapped(constant).split("\n"))) >= 225
