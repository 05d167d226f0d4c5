"""`hwq compile` and `hwq report`: the folder, what is printed, and every way to ask for the impossible."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import hwq as package
from hwq.api.reading import as_model
from tests.network.networks import dense_network

Run = Callable[..., tuple[int, str, str]]
RunJson = Callable[..., tuple[int, dict]]


@pytest.fixture
def out(compiled: Path, tmp_path: Path) -> Path:
    """A copy of the compiled folder, to be spoiled."""
    shutil.copytree(compiled, tmp_path / "out")
    return tmp_path / "out"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_says_what_was_read_what_it_costs_and_what_comes_next(model_file: Path, hwq: Run, tmp_path: Path) -> None:
    out = tmp_path / "a b"
    code, text, err = hwq("compile", model_file, "--target", "vu9p", "-o", out)
    assert (code, err) == (0, "")
    assert "tiny net, x 3x4 float32 -> y 5 float32" in text
    for words in (
        "fc0",
        "dense, then 1 threshold",
        "12 -> 7",
        "BIPOLAR->BIPOLAR",
        "a frame, latency",
        "at an assumed 300 MHz",
        "LUT",
        "estimate",
    ):
        assert words in text
    assert f"wrote {out}\n\nnext:\n  hwq verify '{out}'\n  hwq run '{out}' INPUT.npy -o OUT.npy\n" in text
    assert (out / "report.json").is_file()


def test_a_style_is_asked_for_and_reported(model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    code, document = hwq_json("compile", model_file, "--style", "unrolled", "-o", tmp_path / "out")
    assert code == 0
    report = document["report"]
    assert {layer["style"] for layer in report["layers"]} == {"unrolled"}
    assert report["options"]["style"] == "unrolled"
    assert report["cycles_per_frame"] == 1
    assert (tmp_path / "out" / "plan.toml").read_text().count('style = "unrolled"') == len(report["layers"])


def test_a_rate_that_a_style_exceeds_is_said(model_file: Path, hwq: Run, tmp_path: Path) -> None:
    code, text, _ = hwq("compile", model_file, "--style", "unrolled", "--fps", "3e6", "-o", tmp_path / "out")
    assert code == 0
    assert "1 cycle a frame, latency" in text
    assert "100 times the 3 000 000 frames/s asked for: an unrolled layer takes a vector or window every cycle" in text


def test_a_better_style_is_said(model_file: Path, hwq: Run, tmp_path: Path) -> None:
    draft = tmp_path / "plan.toml"
    _, text, _ = hwq("compile", model_file, "--style", "constant", "--fps", "3e5", "-o", tmp_path / "out")
    assert "asked for" not in text
    assert "without --style, hwq would take" in text
    draft.write_text('[[stage]]\nname = "fc0"\nstyle = "folded"\n')
    _, text, _ = hwq("compile", model_file, "--plan", draft, "-o", tmp_path / "out")
    assert "would take" not in text  # what a plan says is wanted so


def test_json_is_one_document(model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    code, document = hwq_json("compile", model_file, "-o", tmp_path / "out")
    assert code == 0
    assert document["output"] == str(tmp_path / "out")
    assert document["report"] == json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(document["next"]) == 2


def test_the_default_folder_bears_the_networks_name(model_file: Path, hwq: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hwq("compile", model_file, "--name", "my-net")[0] == 0
    assert (tmp_path / "rtl_out" / "my-net" / "report.json").is_file()


def test_a_name_stays_in_the_default_folder(model_file: Path, hwq_json: RunJson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, document = hwq_json("compile", model_file, "--name", "../../" + "x" * 300 + "'\"; rm -rf /")
    assert code == 0
    folder = Path(document["output"])
    assert folder.parent == Path("rtl_out")
    assert len(folder.name) < 80
    assert [p.name for p in (tmp_path / "rtl_out").iterdir()] == [folder.name]


def test_the_plan_of_a_folder_can_be_edited_and_given_back(model_file: Path, out: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('format_version = 1\nclock_mhz = 123.0\n[[stage]]\nname = "fc0"\npe = 3\nsimd = 5\n')
    code, document = hwq_json("compile", model_file, "--plan", tmp_path / "plan.toml", "-o", out)
    assert code == 0
    report = document["report"]
    fc0 = next(layer for layer in report["layers"] if layer["name"] == "fc0")
    assert (fc0["pe"], fc0["simd"], fc0["cycles"], report["clock_mhz"]) == (3, 5, 9, 123.0)


def test_a_slip_in_a_plan_is_found_before_the_model_is_read(hwq_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('[[stage]]\nname = "fc0"\npee = 3\nsimd = "x"\n')
    code, document = hwq_json("compile", "missing.onnx", "--plan", tmp_path / "plan.toml", "-o", tmp_path / "out")
    assert (code, [e["code"] for e in document["errors"]]) == (2, ["PLAN-FIELD", "PLAN-VALUE"])


def test_an_option_wins_over_the_plan(model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("format_version = 1\nclock_mhz = 123.0\n")
    words = ("compile", model_file, "--plan", tmp_path / "plan.toml", "--clock", "200", "-o", tmp_path / "out")
    assert hwq_json(*words)[1]["report"]["clock_mhz"] == 200.0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("TARGET-UNKNOWN", ["--target", "vu9"]),
        ("OPTION-RANGE", ["--fps", "0"]),
        ("OPTION-RANGE", ["--fps", "-5"]),
        ("OPTION-NUMBER", ["--fps", "nan"]),
        ("GOAL-FPS", ["--fps", "1e12"]),
        ("GOAL-LATENCY", ["--latency", "1ns"]),
        ("OPTION-TIME", ["--latency", "soon"]),
        ("OPTION-BUDGET", ["--budget", "lut"]),
        ("OPTION-RANGE", ["--clock", "0"]),
        ("PLAN-FILE", ["--plan", "missing.toml"]),
        ("OPTION-ACCUMULATOR", ["--accumulator", "12"]),
        ("USAGE", ["--input-quantizer", "nowhere"]),
    ],
)
def test_wrong_options_leave_an_earlier_output_alone(code: str, words: list[str], model_file: Path, out: Path, hwq_json: RunJson) -> None:
    before = snapshot(out)
    exit_code, document = hwq_json("compile", model_file, "-o", out, *words)
    errors = document.get("errors") or [document["error"]]
    assert (exit_code, errors[0]["code"]) == (2, code)
    assert snapshot(out) == before


def test_the_nearest_target_is_offered(model_file: Path, hwq: Run) -> None:
    code, _, err = hwq("compile", model_file, "--target", "vu9")
    assert code == 2
    assert "did you mean 'vu9p'" in err


def test_what_does_not_fit_is_a_negative_answer(model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    code, document = hwq_json("compile", model_file, "--budget", "lut=0.001%", "-o", tmp_path / "out")
    assert (code, document["error"]["code"]) == (1, "DOES-NOT-FIT")
    assert not (tmp_path / "out").exists()


def test_all_wrong_options_at_once(model_file: Path, hwq_json: RunJson) -> None:
    _, document = hwq_json("compile", model_file, "--fps", "0", "--budget", "x", "--clock", "many", "--input-scale", "y")
    assert [e["where"] for e in document["errors"]] == ["--fps", "--budget", "--clock", "--input-scale"]


def test_a_foreign_folder_is_left_alone(model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("years of work")
    code, document = hwq_json("compile", model_file, "-o", tmp_path / "work")
    assert (code, document["error"]["code"]) == (2, "OUTPUT-FOREIGN")
    assert snapshot(tmp_path / "work") == {"thesis.tex": b"years of work"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_unwritable_folder_is_refused(model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    code, document = hwq_json("compile", model_file, "-o", tmp_path / "locked" / "out")
    assert (code, document["error"]["code"]) == (2, "OUTPUT-UNWRITABLE")


def test_an_output_below_a_file_is_refused(model_file: Path, hwq_json: RunJson) -> None:
    code, document = hwq_json("compile", model_file, "-o", model_file / "out")
    assert (code, document["error"]["code"]) == (2, "OUTPUT-UNWRITABLE")


def test_the_models_of_the_zoo_compile_within_a_plan(shared_models: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    code, document = hwq_json("compile", shared_models / "TFC_1W1A.onnx", "-o", tmp_path / "out")
    assert code == 0
    assert document["name"] == "TFC_1W1A"
    assert document["report"]["cycles_per_frame"] == 13  # 784 one-bit inputs through 64 bits


def test_report_writes_a_page(out: Path, tmp_path: Path, hwq: Run, hwq_json: RunJson) -> None:
    code, text, _ = hwq("report", out)
    assert code == 0
    assert text.rstrip().endswith(f"page: {out / 'report.html'}")
    page = (out / "report.html").read_text()
    assert "<h1>tiny net</h1>" in page
    assert "<svg" in page
    (out / "report.html").unlink()
    assert hwq_json("report", out)[0] == 0
    assert not (out / "report.html").exists()
    assert hwq("report", out, "-o", tmp_path / "page.html")[0] == 0
    assert (tmp_path / "page.html").read_text() == page
    code, document = hwq_json("report", out, "-o", tmp_path / "no" / "page.html")
    assert (code, document["error"]["code"], document["error"]["where"]) == (2, "OUTPUT-UNWRITABLE", "-o")
    (out / "report.html").mkdir()
    code, _, err = hwq("report", out)
    assert code == 0
    assert "no page was written" in err


def test_report_shows_the_figures(compiled: Path, tmp_path: Path, hwq: Run, hwq_json: RunJson) -> None:
    code, text, err = hwq("report", compiled, "-o", tmp_path / "page.html")
    assert (code, err) == (0, "")
    assert text.startswith("tiny net\n")
    assert "dense, then 1 threshold" in text
    assert hwq_json("report", compiled) == (0, json.loads((compiled / "report.json").read_text()))


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("FOLDER-FORMAT", lambda out: (out / "report.json").unlink()),
        ("FOLDER-DAMAGED", lambda out: (out / "report.json").write_text("{")),
        ("FILE-MISSING", lambda out: (out / "network.hwq").unlink()),
        ("FILE-ALTERED", lambda out: (out / "plan.toml").write_text("")),
    ],
)
def test_report_refuses_a_spoiled_folder(code: str, spoil: Callable, out: Path, hwq_json: RunJson) -> None:
    spoil(out)
    exit_code, document = hwq_json("report", out)
    errors = document.get("errors") or [document["error"]]
    assert (exit_code, errors[0]["code"]) == (2, code)


def test_report_of_no_folder(hwq_json: RunJson, tmp_path: Path) -> None:
    assert hwq_json("report", tmp_path / "no")[0] == 2
    assert hwq_json("report", tmp_path)[1]["error"]["code"] == "FOLDER-FORMAT"


def test_the_bottleneck_is_told_in_words_and_named_in_json(compiled: Path, hwq: Run, hwq_json: RunJson) -> None:
    text = hwq("report", compiled)[1]
    name = hwq_json("report", compiled)[1]["bottleneck"]
    assert name.endswith(".axi_in")
    assert name not in text
    assert "the bottleneck is the 64-bit bus of input '" in text


def test_a_depth_that_costs_cycles_is_told(model_file: Path, hwq: Run, hwq_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('[[stage]]\nname = "fc0"\npe = 1\nsimd = 12\ndepth = 1\n')
    words = ("compile", model_file, "--plan", tmp_path / "plan.toml", "-o", tmp_path / "out")
    code, text, _ = hwq(*words)
    assert code == 0
    assert "the bottleneck is a depth or buffer in the plan: fc0" in text


def test_long_names_do_not_widen_the_table(hwq: Run, tmp_path: Path) -> None:
    network = dense_network((12, 7, 5), seed=3, name="long")
    nodes = tuple(replace(n, name=n.name + "n" * 300) for n in network.nodes)
    package.compile(as_model(replace(network, nodes=nodes)), target="vu9p").write(tmp_path / "out")
    assert max(map(len, hwq("report", tmp_path / "out")[1].splitlines())) < 140
