"""The table of a compiled design: its column of LUTs sums to the total."""

from __future__ import annotations

from hwq.report.design import design_text
from tests.report.networks import residual_network


def test_the_rows_sum_to_the_whole() -> None:
    layer = {"op": "dense", "pe": 1, "cycles": 8, "resources": {"lut": 30, "bram36": 0.5}}
    report = {
        "layers": [{"name": "a", **layer}, {"name": "b", **layer}],
        "resources": {"lut": 1100, "lutram": 8, "ff": 9, "bram36": 2, "uram": 0, "dsp": 0},
        **{"clock_mhz": 300, "cycles_per_frame": 8, "latency_cycles": 9, "fps": 1e6, "bottleneck": "a", "target": "vu9p", "part": "p"},
    }
    rest = next(line for line in design_text(report, residual_network()).splitlines() if "between and around" in line)
    assert rest.split()[-3:] == ["1", "040", "1"]
