"""Widths of texts, and texts cut to a width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwq.report.graph.metrics import fitted, text_width


def test_known_widths() -> None:
    # DejaVu Sans: "i" is 278, "W" 989 thousandths of the size.
    assert text_width("iW", 10) == (278 + 989) / 100
    assert text_width("W", 10, bold=True) == 11.03
    assert text_width("漢字", 10) >= 20


@given(st.text(max_size=300), st.floats(20, 400), st.booleans())
def test_a_fitted_text_is_never_wider_than_its_room(text: str, room: float, bold: bool) -> None:
    short = fitted(text, 12, room, bold=bold)
    assert text_width(short, 12, bold=bold) <= room
    assert short.isprintable()


def test_both_ends_of_a_long_name_stay() -> None:
    short = fitted("encoder.block.11.attention.query", 12, 150)
    assert short.startswith("enc")
    assert short.endswith("ery")
    assert "…" in short
    assert fitted("fc1", 12, 150) == "fc1"
