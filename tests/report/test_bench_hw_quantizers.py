"""What a product costs by quantizer: closed forms on rows made by hand."""

from __future__ import annotations

import pytest

from hwq.report.bench_hw_quantizers import QUANTIZERS, costs, summary
from hwq.report.bench_hw_row import per_product
from hwq.report.bench_hw_works import works
from hwq.target.boards import load_device


def row(work: str, circuit: str, lut: int, ff: int = 0, dsp: int = 0, clb: int = 0) -> dict[str, object]:
    counts = {"lut_physical": lut, "lutram": 0, "ff": ff, "dsp": dsp, "clb_with_ff": clb}
    return {"work": work, "circuit": circuit, **per_product(8, counts)}


def test_every_quantizer_is_a_work_with_products() -> None:
    every = works()
    assert all(every[work].products for _, work in QUANTIZERS)


def test_a_product_takes_its_share() -> None:
    rows = [row("xnor_with_control_16x64", "hwq", 8, 24, 0, 2), row("xnor_with_control_16x64", "behavioural", 12)]
    (cost,) = costs(rows)
    assert (cost.quantizer, cost.luts, cost.plain, cost.clb_sites, cost.ff, cost.dsp) == ("binary", 1.0, 1.5, 2.0, 3.0, 0.0)


def test_a_plain_one_in_slices_is_not_compared_with_luts() -> None:
    rows = [row("int8_with_control_1x64", "hwq", 8, clb=1), row("int8_with_control_1x64", "behavioural", 1, dsp=8)]
    assert [cost.plain for cost in costs(rows)] == [None]


@pytest.mark.parametrize(("dsp", "clb", "expected"), [(0, 8, 147_780), (8, 8, 6_840)])
def test_what_a_device_has_least_of_decides(dsp: int, clb: int, expected: int) -> None:
    """A VU9P has 147 780 CLBs of eight LUTs, and 6 840 slices."""
    (cost,) = costs([row("float32_mac", "hwq", 8, dsp=dsp, clb=clb)])
    assert cost.fits(load_device("vu9p")) == expected


def test_the_summary_names_what_was_measured() -> None:
    text = summary([row("float32_mac", "hwq", 8, clb=1)], load_device("vu9p"))
    assert "float32" in text
    assert "binary" not in text
    assert max(map(len, text.splitlines())) <= 120
    assert summary([], load_device("vu9p")) == ""
