"""The circuit benchmark: its flow on a small work, its check, its table and plot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwq.fabric.lane_form import lane_form
from hwq.fabric.lane_netlist import lane_netlist
from hwq.fabric.netlist import Netlist
from hwq.fabric.prune import prune
from hwq.fabric.sites import sites_of
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.report import (
    bench_hw,
    bench_hw_arrays,
    bench_hw_behavioural,
    bench_hw_flow,
    bench_hw_plot,
    bench_hw_row,
    bench_hw_table,
    bench_hw_unrolled,
    bench_hw_works,
)
from hwq.report.bench_hw_behavioural_mac import signed_lanes
from hwq.report.bench_hw_flow import Circuit, NotExact, Port, Work, measure, wrapper
from hwq.report.bench_hw_own import own
from hwq.report.bench_hw_works import works
from hwq.target.synthesis import synthesize
from hwq.target.tools import yosys
from hwq.target.yosys_netlist import netlist_of_module

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
        "tfc_1w1a_unrolled",
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
    quoted = (("others", 3.0, "a paper"),)
    every = {"adder": replace(full_adder("registered"), quoted=quoted, limits={"ff": 4, "clb": 1}, note="a note of " + 30 * "words ")}
    more = [{"work": "adder", "circuit": "alkaid", "error": "no"}, {"work": "adder", "circuit": "alkaid", "variant": "b", "estimate": 7.0}]
    all_rows = bench_hw.merged([], [*rows, *more], every)
    text = bench_hw_table.table(all_rows, every)
    shown = (
        "hwq",
        "behavioural",
        "quoted: others 3 LUT (a paper)",
        "failed: no",
        "registered",
        "1 LUT (0.33 a product): met",
        "4 FF: MISSED",
        "alkaid, b",
        "~7",
    )
    assert [word for word in shown if word not in " ".join(text.split())] == []
    assert max(map(len, text.splitlines())) <= 120
    pytest.importorskip("matplotlib")
    file = bench_hw_plot.plot(all_rows, every, tmp_path / "hw.svg")
    assert file is not None
    assert file.read_text().startswith("<?xml")


def test_rows_have_every_field_and_ours_its_targets(rows: list[dict[str, Any]]) -> None:
    every = {"adder": replace(full_adder("registered"), limits={"ff": 4, "clb": 1}, quoted=(("others", 3.0, "a paper"),))}
    ours, theirs, failed = bench_hw.merged([], [*rows, {"work": "adder", "circuit": "alkaid", "error": "no"}], every)
    for row in (ours, theirs, failed):
        assert tuple(row)[: len(bench_hw_row.FIELDS)] == bench_hw_row.FIELDS
        assert tuple(row) == tuple(bench_hw_row.LEGEND)
    assert (ours["targets"], ours["missed"]) == ({"lut_physical": 1, "ff": 4, "clb": 1}, ["ff"])
    assert ours["quoted"] == [{"of": "others", "lut": 3.0, "source": "a paper"}]
    assert theirs["missed"] is None
    assert {"hwq", "yosys", "alkaid", "python", "synthesis", "hierarchy"} <= ours["flow"].keys()
    assert failed["lut_physical"] is None


def test_a_contender_that_fails_gives_a_row_that_says_so() -> None:
    def fails() -> Circuit:
        raise ZeroDivisionError("by zero")

    (row,) = bench_hw.measured(replace(full_adder(), contenders={"alkaid:7 stages": fails}))
    assert row == {"work": "adder", "circuit": "alkaid", "variant": "7 stages", "io": "combinational", "error": "by zero"}


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


def test_an_interrupted_run_shows_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> Circuit:
        raise KeyboardInterrupt

    row = {"lut_physical": 7, "seconds": 0.5}
    every = {"adder": replace(full_adder(), contenders={"hwq": lambda: row, "behavioural": stop})}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_hw, "works", lambda: every)
    assert bench_hw.main(["adder"]) == bench_hw.INTERRUPTED
    (found,) = json.loads(bench_hw.FILE.read_text())
    assert (found["circuit"], found["lut_physical"], found["missed"]) == ("hwq", 7, ["lut_physical"])
    assert "adder: three bits counted, combinational; at most 1 LUT (0.33 a product): MISSED" in capsys.readouterr().out


def test_a_network_whose_file_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (why,) = bench_hw_works.left_out().items()
    assert why == ("tfc_1w1a_unrolled", "its trained weights, ../shared/models/TFC_1W1A.onnx, are not here")
    assert "tfc_1w1a_unrolled" in works()


@needs_yosys
@pytest.mark.slow
@pytest.mark.parametrize("x", [Bipolar(), bench_hw_arrays.TERNARY, Integer(4, True)])
def test_plain_lanes_sum_signed_products(x: Encoding) -> None:
    w = x if x == Integer(4, True) else bench_hw_arrays.TERNARY
    bits = bench_hw_flow.sum_bits(x, w, 7)
    plain = signed_lanes(2, 7, x.bits, w.bits, bits, ternary=w.bits == 2)
    work = bench_hw_works._lane_work("lanes", "two rows of seven", x, w, lambda: plain, None, 2, 7)
    assert measure(work, plain)["bit_exact_vectors"] == bench_hw_flow.VECTORS


@needs_yosys
@pytest.mark.slow
def test_a_plain_float_mac_rounds_as_ieee_754_does() -> None:
    """Its slices are left out, a LUT a gate; the smallest and the largest words of all operands are among the vectors."""
    work = works()["float32_mac"]
    plain = work.contenders["behavioural"]()
    assert isinstance(plain, Circuit)
    modules = synthesize(plain.files, plain.core, flatten=True, slices=False, small=False)
    bench_hw_flow._check(work, plain, netlist_of_module(modules, plain.core), plain.latency)


@needs_yosys
@pytest.mark.slow
@pytest.mark.parametrize("name", ["ternary_bipolar_with_control_16x64", "int2_with_control_4x64"])
def test_plain_rows_accumulate_as_ours_do(name: str) -> None:
    for row in bench_hw.measured(works()[name]):
        assert "error" not in row


def test_rows_that_are_not_measured_now_are_kept() -> None:
    every = {"b": replace(full_adder(), name="b"), "adder": full_adder()}
    names = (("adder", "alkaid"), ("adder", "hwq"), ("b", "hwq"), ("gone", "hwq"))
    old = [{"work": w, "circuit": c, "ff": 1} for w, c in names]
    new = [{"work": "adder", "circuit": "hwq", "ff": 2}, {"work": "adder", "circuit": "hwq", "variant": "other", "ff": 3}]
    found = [(row["work"], row["circuit"], row.get("variant"), row["ff"]) for row in bench_hw.merged(old, new, every)]
    assert found == [("b", "hwq", None, 1), ("adder", "hwq", None, 2), ("adder", "hwq", "other", 3), ("adder", "alkaid", None, 1)]


@pytest.mark.parametrize("scale", [1, 4])
def test_a_sample_stands_for_the_whole_but_its_inputs_do_not(scale: int) -> None:
    netlist = Netlist()
    x = [netlist.flop(bit) for bit in netlist.input("x", 3)]
    netlist.output("y", [netlist.flop(netlist.lut(lambda a, b, c: a ^ b ^ c, *x))])
    row = bench_hw_row.row_of(sites_of(netlist), scale, inputs=3)
    assert (row["lut_physical"], row["lut_cells"], row["ff"], row["depth"]) == (scale, scale, 3 + scale, 1)
    assert row.get("scaled_from", 1) == scale


def test_a_plain_sample_has_a_share_of_the_rows_of_every_layer() -> None:
    rng = np.random.default_rng(3)
    layers = [bench_hw_unrolled.Layer(rng.choice([-1, 1], shape), rng.integers(-2, 3, shape[0])) for shape in ((8, 6), (4, 5))]
    circuit = bench_hw_unrolled._plain(layers, 4)
    x = rng.choice([-1, 1], (2, 7, 6))
    first = (x @ layers[0].weights[:2].T >= layers[0].thresholds[:2]).astype(int)
    second = (x[..., :5] @ layers[1].weights[:1].T >= layers[1].thresholds[:1]).astype(int)
    assert circuit.coded is not None
    assert np.array_equal(circuit.coded("y", first, {"x": x}), np.concatenate([first, second], axis=2))
    assert (circuit.scale, circuit.outputs) == (4, {"y": Port(BIT, 3)})


def test_registers_of_the_netlist_and_of_its_text_must_agree() -> None:
    work, netlist = full_adder("registered"), Netlist()
    netlist.output("y", [netlist.flop(bit) for bit in netlist.input("x", 3)])
    circuit = Circuit("hwq", {}, "core", netlist=netlist, registers=frozenset({"outputs"}))
    found = replace(sites_of(netlist), ff=6)
    assert bench_hw_flow._difference(work, circuit, found) == ""
    for field in ("ff", "luts", "cells", "carry", "dsp"):
        assert field in bench_hw_flow._difference(work, circuit, replace(found, **{field: 7}))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("popcount256", "lut_physical"),
        ("popcount256_pipelined", "lut_physical"),
        ("popcount256_pipelined", "clb"),
        ("popcount256_pipelined_few_luts", "lut_physical"),
    ],
)
def test_popcounts_meet_their_targets(name: str, field: str) -> None:
    """Counted on our netlists: the benchmark compares these with their synthesised texts."""
    work = works()[name]
    circuit = work.contenders["hwq"]()
    assert isinstance(circuit, Circuit)
    assert circuit.netlist is not None
    assert bench_hw_row.row_of(sites_of(circuit.netlist))[field] <= work.targets[field]


def test_schedules_that_are_only_read_are_counted() -> None:
    for name, heaps in (("popcount256", 1), ("popcount32", 0)):
        circuit = works()[name].contenders["hwq"]()
        assert isinstance(circuit, Circuit)
        assert circuit.notes["stored_heaps"] == heaps


def test_xnor_lanes_meet_their_target() -> None:
    lane = prune(lane_netlist(lane_form(Bipolar(), Bipolar(), 64)))
    target = works()["xnor_lanes_16x64"].target
    assert target is not None
    assert 16 * sites_of(lane).luts <= target


def test_works_and_contenders_are_chosen_by_how_their_names_begin() -> None:
    every = {name: replace(full_adder(), name=name) for name in ("adder", "adder_two", "other")}
    chosen = {w.name: list(w.contenders) for w in bench_hw._chosen(every, ["add:hwq", "oth"])}
    assert chosen == {"adder": ["hwq"], "adder_two": ["hwq"], "other": ["hwq", "behavioural"]}
    assert [w.name for w in bench_hw._chosen(every, ["adder"])] == ["adder"]
    assert len(bench_hw._chosen(every, [])) == 3
    assert bench_hw._chosen(every, ["none"]) == []
