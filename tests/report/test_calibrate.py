"""The cost model is what a fit of its samples gives, and its samples are what synthesis gives."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hwq.report.bench_cost import cases, compared
from hwq.report.calibrate import COEFFICIENTS, SAMPLES, document, rows_of
from hwq.report.calibration_designs import build, synthesized
from hwq.report.calibration_fit import Row, component_errors, estimated, fitted, read_rows, written_rows
from hwq.report.calibration_samples import calibration_drafts

# LUTs or flip-flops that a module may be off, beside a share.
SMALL = 12


def test_the_coefficients_are_a_fit_of_the_samples() -> None:
    stored = json.loads(COEFFICIENTS.read_text())
    again = document(read_rows(SAMPLES.read_text()), stored)
    assert again["components"].keys() == stored["components"].keys()
    for name, component in stored["components"].items():
        for kind in ("lut", "ff"):
            assert again["components"][name][kind] == pytest.approx(component[kind], rel=1e-2, abs=1e-2)


def test_samples_are_read_as_they_were_written() -> None:
    rows = [Row("a", "reader", (("one", 1.0), ("excess", 2.5)), 12, 30, levels=3), Row("b", "row", (), 7, 9, 7, 9)]
    assert read_rows(written_rows(rows)) == rows


def test_a_model_that_holds_is_found_without_error() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(20):
        bits, count = (int(n) for n in rng.integers(1, 30, 2))
        counts = (("one", 1.0), ("bits", float(bits)), ("count", float(count)))
        rows.append(Row("d", "part", counts, 5 + 2 * bits + 0.5 * count, 3 * bits, 0.0, 0.0))
    found = fitted(rows)
    assert found["part"]["lut"] == pytest.approx({"one": 5, "bits": 2, "count": 0.5}, rel=1e-3)
    assert estimated(rows[0], found) == pytest.approx((rows[0].lut, rows[0].ff), rel=1e-2)
    assert component_errors(rows, found)["part"]["lut_worst"] < 0.01


def test_what_is_known_is_not_fitted() -> None:
    row = Row("d", "part", (("one", 1.0),), 110, 0, 100, 0)
    assert fitted([row])["part"]["lut"] == {"one": 10}
    assert estimated(row, fitted([row])) == (110, 0)


def test_synthesis_says_what_the_model_says() -> None:
    draft = next(d for d in calibration_drafts() if d.name == "da")
    built = build(draft.network(), draft.plan(), draft.name, whole=False, closed=True)
    stored = json.loads(COEFFICIENTS.read_text())
    coefficients, errors = stored["components"], stored["error"]["components"]
    rows = list(rows_of(built, synthesized([built])))
    assert {"contraction", "converter", "reader", "egress", "axi_in", "axi_out"} <= {r.component for r in rows}
    for row in rows:
        worst = errors[row.component]["lut_worst"], errors[row.component]["ff_worst"]
        for model, counted, share in zip(estimated(row, coefficients), (row.lut, row.ff), worst, strict=True):
            assert abs(model - counted) <= 2 + (share + 0.01) * max(counted, SMALL), row


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tfc", "mlp_int4", "residual", "mlp_int8_lut", "mlp_ternary_unrolled"])
def test_whole_designs_come_out_as_estimated(name: str) -> None:
    case = next(c for c in cases() if c.name == name)
    row = compared(case)
    assert abs(row["lut_error"]) <= 0.15
    assert abs(row["ff_error"]) <= 0.15
