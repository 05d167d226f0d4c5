"""The certificate and the design's figures for people."""

from __future__ import annotations

import doctest
import json
from typing import Any

import pytest

from hwq.report import agreement
from hwq.report.certificate import certificate_text
from hwq.verify.certificate import Certificate, EngineVerdict, Failure


def certificate(failure: Failure | None = None, **more: Any) -> str:
    engines = (EngineVerdict("cocotb", 40, failure is None, "both", cycles_exact=True, failure=failure),)
    cycles = {"predicted": 13, "simulated": 13}, {"predicted": 104, "simulated": None}
    c = Certificate("net", failure is None, engines, *cycles, True, {}, {}, **more)
    return certificate_text(json.loads(c.text()))


def test_a_good_certificate() -> None:
    text = certificate()
    assert "cocotb" in text
    assert "cycles a frame: predicted 13, simulated 13" in text
    assert "latency in cycles: predicted 104, simulated too few frames to tell" in text
    assert text.endswith("bit-exact: every output code of 40 frames equals the golden model's")
    assert "build in it" in text
    assert " build\n" not in text


def test_frames_that_ran_twice_are_not_twice_as_many() -> None:
    engines = (EngineVerdict("batch", 40, True, "none", build_seconds=3.0), EngineVerdict("batch", 30, True, "both"))
    c = Certificate("net", True, engines, *({"predicted": 13, "simulated": 13},) * 2, True, {}, {})
    text = certificate_text(json.loads(c.text()))
    assert text.endswith("bit-exact: every output code of 40 frames (2 runs, 70 in all) equals the golden model's")
    assert " build\n" in text
    assert "cocotb" not in text


def test_accuracy_of_everyone() -> None:
    scores = {
        "frames": 40,
        "golden": 0.9,
        "rtl": 0.9,
        "rtl_frames": 40,
        "rtl_differs": 0,
        "source": 0.875,
        "source_frames": 40,
        "source_differs": 1,
    }
    text = certificate(accuracy=scores)
    assert "golden model: 90.00 % of 40" in text
    assert "RTL: 90.00 % of 40, no classes other than golden's" in text
    assert "source model, executed by hwq: 87.50 % of 40, 1 class other than golden's" in text


def test_float_rounding_of_the_source_is_counted() -> None:
    a = {"frames": 40, "equal": 38, "same_class": 40, "largest_difference": 1.25e-7}
    codes = {"code_frames": 40, "codes": 1000, "codes_different": 3, "codes_different_locally": 2}
    text = certificate(agreement={"source": a | codes})
    assert "38 of 40 frames equal in every score, 40 of the same class, largest difference 1.25e-07" in text
    assert "another code in 3 of 1 000 places in 40 frames, 2 of them on their own" in text


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure("mismatch", "output 'y'", "fc1", 2, 3, 5, -5, 77), "layer 'fc1', frame 2, element 3: expected 5, got -5 in cycle 77"),
        (Failure("hang", "m_axis_y waits", "fc1", 2), "hang in layer 'fc1': m_axis_y waits"),
        (Failure("protocol", "s_axis_x: tlast is late", cycle=9), "protocol: s_axis_x: tlast is late"),
        (Failure("mismatch", "", "\x1b[31m\nfc", 0, 0, 1, 0, 1), "layer '\\x1b[31m\\nfc'"),
    ],
)
def test_the_first_failure_is_told(failure: Failure, words: str) -> None:
    text = certificate(failure)
    assert "NOT bit-exact. " in text
    assert words in text


def test_agreement() -> None:
    assert doctest.testmod(agreement).failed == 0
