"""The benchmark's own arithmetic, and its parts on small designs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwq.report import bench_cycles, bench_main, luts
from hwq.report.bench_cycles import cycle_rows, foldings, synthetic_network, write_design
from hwq.report.bench_lanes import xnor_lanes
from hwq.report.luts import ModuleCells, total
from hwq.target.boards import load_device
from hwq.target.streams import StreamPort
from tests.network.networks import BIPOLAR, dense_network


def test_luts_of_a_hierarchy_are_multiplied() -> None:
    cells = {
        "top": ModuleCells(5, 1, {"pe": 16, "FDRE": 40}),
        "pe": ModuleCells(2, 0, {"lane": 1, "CARRY4": 3}),
        "lane": ModuleCells(100, 3, {}),
    }
    assert total(cells, "lane") == (100, 3)
    assert total(cells, "top") == (5 + 16 * 102, 1 + 16 * 3)


def test_cells_are_told_apart() -> None:
    counts = {"\\LUT6": 3, "$lut": 1, "LUT2": 2, "RAM32M16": 2, "SRL16E": 1, "INV": 9, "MUXF7": 4, "FDRE": 5, "\\pe": 2}
    cells = luts._cells(counts, {"pe"})
    assert (cells.logic, cells.memory, cells.submodules["\\pe".strip("\\")]) == (5, 17, 2)


def test_wishes_for_a_memory_are_dropped_and_nothing_else() -> None:
    text = 'attribute \\keep 1\n  attribute \\rom_style "distributed"\n  attribute \\ram_style "block"\n  memory width 3 size 4 \\m\n'
    assert luts._choosing_freely(text) == "attribute \\keep 1\n  memory width 3 size 4 \\m\n"


def test_intervals_and_latencies_of_known_beats() -> None:
    ports = tuple(StreamPort(n, n, n == "i", BIPOLAR, (1, 1, 2), 8) for n in ("i", "o"))
    start = np.arange(6) * 10
    cycles = {"i": np.stack([start, start + 1], 1), "o": np.stack([start + 20, start + 25], 1)}
    assert bench_cycles._interval_and_latency(cycles, ports) == (10.0, 25)


def test_beats_that_never_came_count_as_different() -> None:
    port = StreamPort("o", "o", False, BIPOLAR, (1, 1, 12), 8)
    assert bench_cycles._by_frame(np.array([5, 6, 7]), port, 2).tolist() == [[5, 6], [7, -1]]


def test_foldings_differ_and_the_synthetic_network_runs() -> None:
    network = synthetic_network()
    plans = dict(foldings(network, load_device("vu9p")))
    assert len({plan.stages for plan in plans.values()}) == 4
    answer = network.run({"x": np.zeros((2, 1, 1, 50), np.int64)})["class"]
    assert answer.shape == (2, 1, 1, 1)


def test_a_command_is_measured_and_its_failure_noticed(capfd: pytest.CaptureFixture[str]) -> None:
    seconds, mebibytes = bench_main.run_command("--version")
    assert seconds > 0
    assert mebibytes > 1
    with pytest.raises(RuntimeError, match="ended with 2"):
        bench_main.run_command("report", "no-such-folder")


def test_the_table_names_every_figure() -> None:
    row = {"network": "n", "plan": "p", "stalls": "none", "beats_different": 0}
    row |= {f"{f}_{w}": 7 for f in ("interval", "latency") for w in ("predicted", "simulated")}
    figures = {
        **{"network": "n", "compile_s": 1.0, "compile_rss_mib": 2.0, "help_s": 0.1, "batch_frames_per_min": 3, "batch_build_s": 4},
        **{"batch_cycles_per_frame": 5, "golden_frames_per_s": 6, "cycles": [row]},
        "xnor_lanes_16x64": {"lanes": 1.5, "with_control": 1.75, "with_weight_feed": 2.75, "buffer_luts": 0},
    }
    text = bench_main._text(figures)
    for word in ("compile n for vu9p", "1.500", "2.750", "interval pred."):
        assert word in text


@pytest.mark.slow
def test_predicted_cycles_are_simulated_cycles(tmp_path: Path) -> None:
    network = dense_network((24, 9, 5), seed=4)
    for name, plan in foldings(network, load_device("vu9p")):
        rows = list(cycle_rows(write_design(network, plan, tmp_path / name)))
        assert [row["stalls"] for row in rows] == ["none", "both, seed 1", "both, seed 2", "both, seed 3"]
        assert not any(row["beats_different"] for row in rows)
        assert all(row["interval_predicted"] == row["interval_simulated"] for row in rows)


@pytest.mark.slow
def test_every_step_of_the_lanes_costs_more() -> None:
    lanes = xnor_lanes()
    assert 0.5 < lanes["lanes"] < lanes["with_control"] < lanes["with_weight_feed"] < 4
