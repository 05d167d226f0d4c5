"""Values of options: what is read, and what is refused with a sentence."""

from __future__ import annotations

import pytest

from hwq.cli import options
from hwq.errors import InputError, Problems
from hwq.network.ops import Exact, Saturating


@pytest.mark.parametrize(
    ("text", "value"), [("5us", 5e-6), ("800ns", 8e-7), ("2ms", 2e-3), ("0.001s", 1e-3), ("1e-6 s", 1e-6), ("1e3 ns", 1e-6)]
)
def test_latency(text: str, value: float) -> None:
    assert options.latency(text, "--latency") == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["", "fast", "5 minutes", "0us", "-1us", "nan", "inf", "us", "5", "1e-6"])
def test_no_latency(text: str) -> None:
    with pytest.raises(InputError, match="--latency"):
        options.latency(text, "--latency")


@pytest.mark.parametrize("text", ["0", "-3", "nan", "inf", "-inf", "many", "", "1e999"])
def test_no_rate(text: str) -> None:
    with pytest.raises(InputError, match=r"^--fps: "):
        options.positive(text, "--fps")


def test_rates() -> None:
    assert options.positive("1e6", "--fps") == 1e6
    assert options.positive(None, "--fps") is None
    assert options.rate(None, "--fps") is None
    assert [options.rate(t, "--fps") for t in ("1e6", "1M", "250k", " 2 G ")] == [1e6, 1e6, 250e3, 2e9]


def test_budget() -> None:
    assert options.budget("lut=40%,bram=50%", "--budget") == {"lut": 0.4, "bram36": 0.5}
    assert options.budget(" DSP = 0.25 ", "--budget") == {"dsp": 0.25}


@pytest.mark.parametrize(
    "text", ["", "lut", "lut=", "lut=0", "lut=-5%", "lut=101%", "lut=40", "cpu=1%", "lut=1%,lut=2%", "lut=nan%", "lut=40%;ff=3%"]
)
def test_no_budget(text: str) -> None:
    with pytest.raises(InputError, match=r"^--budget: "):
        options.budget(text, "--budget")


def test_a_forgotten_percent_sign_is_offered() -> None:
    with pytest.raises(InputError, match="Write 40% for percent"):
        options.budget("lut=40", "--budget")


def test_accumulation() -> None:
    assert options.accumulation("saturating(12,8)", "--accumulator") == Saturating(12, 8)
    assert options.accumulation(" Saturating( 12 , 8 ) ", "--accumulator") == Saturating(12, 8)
    assert options.accumulation("exact", "--accumulator") == Exact()
    assert options.accumulation(None, "--accumulator") is None


@pytest.mark.parametrize(
    "text", ["", "12", "saturating", "saturating(12)", "saturating(1,8)", "saturating(99,8)", "saturating(12,0)", "wrapping(12,8)"]
)
def test_no_accumulation(text: str) -> None:
    with pytest.raises(InputError, match=r"^--accumulator: "):
        options.accumulation(text, "--accumulator")


def test_counts() -> None:
    assert options.count("12", "--frames") == 12
    for text in ("0", "-1", "1.5", "many", str(1 << 40)):
        with pytest.raises(InputError, match=r"^--frames: "):
            options.count(text, "--frames")


def test_every_wrong_option_is_named_at_once() -> None:
    with pytest.raises(Problems) as caught:
        options.collect(lambda: options.positive("0", "--fps"), lambda: options.budget("x", "--budget"), lambda: None)
    assert [e.where for e in caught.value.entries()] == ["--fps", "--budget"]
