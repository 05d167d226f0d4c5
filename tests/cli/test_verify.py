"""`hwq verify`: exit 0 only when bit-exact, the figures beside it, and wrong arrays."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwq.network.model import Model
from hwq.target.tools import Tool
from hwq.verify import ladder
from hwq.verify.certificate import Certificate, Failure, StageVerdict

Run = Callable[..., tuple[int, str, str]]
RunJson = Callable[..., tuple[int, dict]]
Saved = Callable[..., str]


@pytest.fixture
def out(compiled: Path, tmp_path: Path) -> Path:
    shutil.copytree(compiled, tmp_path / "out")
    return tmp_path / "out"


def test_a_right_design_is_bit_exact(out: Path, hwq: Run) -> None:
    code, text, _ = hwq("verify", out, "--engine", "amaranth")
    assert code == 0
    assert "bit-exact: every output code of 4 frames (2 runs, 8 in all) equals the golden model's" in text
    assert json.loads((out / "verify.json").read_text())["bit_exact"] is True


def test_labels_and_reference_are_compared_image_by_image(
    model: Model, out: Path, images: np.ndarray, saved: Saved, hwq: Run, hwq_json: RunJson
) -> None:
    scores = model.run({"x": images})["y"]
    labels = scores.argmax(1)
    wrong = scores.copy()
    wrong[3] = np.roll(wrong[3], 1) + np.float32(1)
    archive = saved(x=images[:8], labels=labels[:8], scores=wrong[:8])
    words = ("verify", out, "--engine", "amaranth", "--inputs", archive, "--labels", archive, "--reference", archive)
    code, document = hwq_json(*words)
    assert code == 0
    assert document["accuracy"]["golden"] == document["accuracy"]["rtl"] == 1.0
    assert document["accuracy"]["reference"] == 7 / 8
    reference = document["agreement"]["reference"]
    assert (reference["frames"], reference["equal"], reference["same_class"]) == (8, 7, 7)
    assert "reference scores against golden: 7 of 8 frames equal in every score, 7 of the same class" in hwq(*words)[1]


def test_codes(model: Model, out: Path, images: np.ndarray, saved: Saved, hwq_json: RunJson) -> None:
    codes = model.encode({"x": images[:5]})["x"]
    code, document = hwq_json("verify", out, "--engine", "amaranth", "--codes", "--inputs", saved(codes.reshape(5, 12)), "--frames", "3")
    assert code == 0
    assert [e["frames"] for e in document["engines"]] == [3, 3]


def spoiled(monkeypatch: pytest.MonkeyPatch) -> Failure:
    """Let every verification find a difference."""
    failure = Failure("mismatch", "output 'y'", "fc1", 2, 3, 5, -5, 77)
    climb = ladder.verify

    def verify(*args: object, **options: object) -> Certificate:
        certificate = climb(*args, **options)  # type: ignore[arg-type]
        engines = tuple(replace(e, bit_exact=False, failure=failure) for e in certificate.engines)
        return replace(certificate, bit_exact=False, engines=engines)

    monkeypatch.setattr(ladder, "verify", verify)
    return failure


def test_a_difference_is_exit_1_with_its_place(out: Path, hwq: Run, hwq_json: RunJson, monkeypatch: pytest.MonkeyPatch) -> None:
    spoiled(monkeypatch)
    code, text, _ = hwq("verify", out, "--engine", "amaranth")
    assert code == 1
    assert "NOT bit-exact. First difference: layer 'fc1', frame 2, element 3: expected 5, got -5 in cycle 77" in text
    code, document = hwq_json("verify", out, "--engine", "amaranth")
    assert (code, document["bit_exact"]) == (1, False)
    assert json.loads((out / "verify.json").read_text())["bit_exact"] is False


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("USAGE", ["--engine", "vivado"]),
        ("OPTION-RANGE", ["--frames", "0"]),
        ("OPTION-NUMBER", ["--seed", "x"]),
        ("OPTION-CONFLICT", ["--labels", "y.npy"]),
        ("OPTION-CONFLICT", ["--codes"]),
        ("FILE-MISSING", ["--inputs", "no.npy"]),
    ],
)
def test_wrong_options(code: str, words: list[str], out: Path, hwq_json: RunJson) -> None:
    exit_code, document = hwq_json("verify", out, *words)
    assert (exit_code, document["error"]["code"]) == (2, code)
    assert not (out / "verify.json").exists()


@pytest.mark.parametrize(
    ("code", "scores"),
    [
        ("REFERENCE-SHAPE", np.zeros((20, 4))),
        ("REFERENCE-SHAPE", np.zeros((19, 5))),
        ("REFERENCE-DTYPE", np.full((20, 5), "x")),
        ("REFERENCE-NAN", np.full((20, 5), np.nan)),
    ],
)
def test_wrong_references(code: str, scores: np.ndarray, out: Path, images: np.ndarray, saved: Saved, hwq_json: RunJson) -> None:
    exit_code, document = hwq_json("verify", out, "--inputs", saved(images), "--reference", saved(scores))
    assert (exit_code, document["error"]["code"]) == (2, code)


def test_a_folder_that_was_altered_is_not_verified(out: Path, hwq_json: RunJson) -> None:
    verilog = next(p for p in out.glob("*.v") if not p.name.startswith("tb_") and "_inst" not in p.name)
    verilog.write_text(verilog.read_text() + "\n// a late idea\n")
    exit_code, document = hwq_json("verify", out, "--engine", "amaranth")
    assert exit_code == 2
    assert document["errors"][0]["code"] == "FILE-ALTERED"


@pytest.mark.slow
def test_all_engines_on_a_real_network(shared_models: Path, hwq: Run, hwq_json: RunJson, tmp_path: Path) -> None:
    assert hwq("compile", shared_models / "TFC_1W1A.onnx", "--fps", "1e6", "-o", tmp_path / "out")[0] == 0
    digits = shared_models / "mnist_first4.npz"
    code, document = hwq_json("verify", tmp_path / "out", "--engine", "all", "--inputs", digits, "--labels", digits)
    assert (code, document["bit_exact"], document["cycles_exact"]) == (0, True, True)
    assert document["accuracy"]["golden"] == document["accuracy"]["rtl"] == document["accuracy"]["source"] == 1.0


@pytest.mark.parametrize("command", ["verify", "report"])
def test_a_model_where_a_folder_belongs(command: str, model_file: Path, hwq_json: RunJson) -> None:
    code, document = hwq_json(command, model_file)
    assert (code, document["error"]["code"]) == (2, "FOLDER-FORMAT")
    assert document["error"]["message"] == "this is a model; give the folder hwq compile wrote"


def test_a_source_that_could_be_compared_is_hinted_at(out: Path, hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from hwq import api

    hint = "hint: give --inputs to compare the source model too"
    assert hint not in hwq("verify", out, "--engine", "amaranth", "--frames", "1")[1]
    model = api.read(out)
    monkeypatch.setattr(api, "read", lambda folder: replace(model, source=({}, {})))
    assert hint in hwq("verify", out, "--engine", "amaranth", "--frames", "1")[1]


def test_a_member_that_is_no_array(out: Path, tmp_path: Path, hwq_json: RunJson) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as z:
        z.writestr("x.npy", b"hello")
    code, document = hwq_json("verify", out, "--inputs", tmp_path / "x.npz")
    assert (code, document["error"]["code"]) == (2, "FILE-DAMAGED")


def test_stages_are_verified_alone_and_told_in_a_table(out: Path, hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from hwq.verify import by_stage

    asked = {}

    def verdicts(folder, stages, integers, **options):  # type: ignore[no-untyped-def]
        asked.update(options, stages=[s.name for s in stages], frames=len(integers["x"]))
        return tuple(StageVerdict(s.name, "top", 2, s.name != "fc1", ("none",), 70, 70, True) for s in stages)

    monkeypatch.setattr(by_stage, "verify_stages", verdicts)
    monkeypatch.setattr(by_stage, "need_simulator", lambda: Tool("verilator", ("v",), "5.040", "here"))
    code, text, _ = hwq("verify", out, "--stages", "all", "-j", "3", "--frames", "2")
    assert (asked["stages"], asked["jobs"], asked["frames"]) == (["fc0", "fc1"], 3, 2)
    assert code == 1
    assert "NOT bit-exact: stage 'fc1'" in text
    code, text, _ = hwq("verify", out, "--stage", "fc0")
    assert code == 0
    assert "bit-exact: 1 stage alone" in text
    assert json.loads((out / "verify.json").read_text())["stages"][0]["stage"] == "fc0"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--stage", "fc7"), "STAGE-UNKNOWN"),
        (("--stage", "fc0", "--stages", "all"), "OPTION-CONFLICT"),
        (("--stage", "fc0", "--engine", "cocotb"), "OPTION-CONFLICT"),
        (("--stage", "fc0", "--waves"), "OPTION-CONFLICT"),
        (("--stage", "fc0", "-j", "0"), "OPTION-RANGE"),
    ],
)
def test_wrong_words_about_stages_are_refused(out: Path, hwq_json: RunJson, words: tuple[str, ...], code: str) -> None:
    exit_code, document = hwq_json("verify", out, *words)
    assert (exit_code, document["error"]["code"]) == (2, code)
