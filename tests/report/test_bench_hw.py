"""The circuit benchmark: its flow on a small work, its check, its table and plot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwq.fabric.netlist import Netlist
from hwq.numerics.encoding import Bipolar, Integer
from hwq.report import bench_hw, bench_hw_behavioural, bench_hw_flow, bench_hw_plot
from hwq.report.bench_hw_flow import Circuit, NotExact, Port, Work, measure, wrapper
from hwq.report.bench_hw_own import own
from hwq.report.bench_hw_works import works
from hwq.target.tools import yosys

needs_yosys = pytest.mark.skipif(yosys() is None, reason="needs Yosys")
BIT = Integer(1, False)
# The works that the issue of this benchmark names, all of them.
NAMED = {
    *("popcount256", "popcount256_pipelined", "xnor_lanes_16x64", "xnor_with_control_16x64", "ternary_bipolar_lanes_16x64"),
    *(
        "ternary_ternary_lanes_16x64",
        "unrolled_binary_64x64",
        "unrolled_ternary_64x64",
        "unrolled_binary_256x256",
        "conv_3x3x64x64_unrolled",
    ),
}


def full_adder(io: bench_hw_flow.IO = "combinational") -> Work:
    def make() -> tuple[Netlist, int]:
        n = Netlist()
        n.output("y", n.lut2(lambda a, b, c: a ^ b ^ c, lambda a, b, c: a + b + c > 1, *n.input("x", 3)))
        return n, 0

    return Work(
        "adder",
        "three bits counted",
        io,
        {"x": Port(BIT, 3)},
        {"y": Port(Integer(2, False), 1)},
        lambda values: {"y": values["x"].sum(axis=2, keepdims=True)},
        {"hwq": lambda: own(make), "behavioural": lambda: bench_hw_behavioural.popcount(3, 2)},
        products=3,
        target=1,
    )


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    if yosys() is None:
        pytest.skip("needs Yosys")
    return list(bench_hw.measured(full_adder("registered")))


def test_a_full_adder_is_one_site_whoever_writes_it(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        found = {k: row[k] for k in ("lut_physical", "carry", "dsp", "ff", "depth", "latency", "per_product", "io")}
        assert found == {
            "lut_physical": 1,
            "carry": 0,
            "dsp": 0,
            "ff": 5,
            "depth": 1,
            "latency": 2,
            "per_product": 0.3333,
            "io": "registered",
        }
    assert [row["circuit"] for row in rows] == ["hwq", "behavioural"]


def test_the_table_and_the_plot_show_every_row(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    every = {"adder": full_adder("registered")}
    quoted = {"work": "adder", "circuit": "others", "lut_physical": 3, "quoted_from": "a paper", "io": "registered"}
    text = bench_hw.table([*rows, quoted, {"work": "adder", "circuit": "alkaid", "error": "no"}], every)
    assert all(word in text for word in ("hwq", "behavioural", "others quoted", "failed: no", "registered"))
    pytest.importorskip("matplotlib")
    file = bench_hw_plot.plot([*rows, quoted], every, tmp_path / "hw.svg")
    assert file is not None
    assert file.read_text().startswith("<?xml")


@needs_yosys
def test_a_circuit_that_computes_something_else_is_not_counted() -> None:
    work = full_adder()
    wrong = replace(work, expected=lambda values: {"y": values["x"].max(axis=2, keepdims=True)})
    with pytest.raises(NotExact, match="adder"):
        measure(wrong, work.contenders["hwq"]())


def test_registers_are_added_on_the_sides_that_have_none() -> None:
    work = full_adder("registered")
    both = wrapper(work, Circuit("hwq", {}, "core"))
    assert "x_r <= x" in both
    assert "y_r <= y_c" in both
    none = wrapper(work, Circuit("hwq", {}, "core", registers=frozenset({"inputs", "outputs"})))
    assert "<=" not in none


def test_words_hold_the_codes_of_integers() -> None:
    values = np.array([[[1, -1, 1, 1]], [[-1, -1, -1, 1]]])
    assert bench_hw_flow._codes(Port(Bipolar(), 4), values).tolist() == [[13], [8]]
    wide = bench_hw_flow._codes(Port(Integer(8, True), 10), np.full((1, 1, 10), -1))
    assert wide.tolist() == [[(1 << 80) - 1]]


def test_every_work_named_is_there() -> None:
    assert works().keys() >= NAMED
    for work in works().values():
        assert "hwq" in work.contenders
        assert work.io in {"combinational", "registered"}


def test_rows_that_are_not_measured_now_are_kept(tmp_path: Path) -> None:
    file, work = tmp_path / "hw.json", full_adder()
    assert bench_hw._kept(file, [work]) == []
    file.write_text(json.dumps([{"work": "adder", "circuit": c} for c in ("hwq", "alkaid")] + [{"work": "b", "circuit": "hwq"}]))
    assert bench_hw._kept(file, [work]) == [{"work": "adder", "circuit": "alkaid"}, {"work": "b", "circuit": "hwq"}]


def test_works_and_contenders_are_chosen_by_how_their_names_begin() -> None:
    every = {name: replace(full_adder(), name=name) for name in ("adder", "adder_two", "other")}
    chosen = {w.name: list(w.contenders) for w in bench_hw._chosen(every, ["adder:hwq", "oth"])}
    assert chosen == {"adder": ["hwq"], "adder_two": ["hwq"], "other": ["hwq", "behavioural"]}
    assert len(bench_hw._chosen(every, [])) == 3
    assert bench_hw._chosen(every, ["none"]) == []
