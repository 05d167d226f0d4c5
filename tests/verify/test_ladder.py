"""The ladder end to end: a good design passes in every engine, a planted fault is named, a tampered folder refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwq.errors import InputError, Problems
from hwq.verify import batch
from hwq.verify.ladder import verify
from tests.verify.conftest import rehash


@pytest.mark.parametrize("engines", [("batch", "cocotb"), pytest.param(("amaranth",), marks=pytest.mark.slow)], ids="-".join)
def test_a_good_design_is_bit_and_cycle_exact_under_all_stalls(built: Path, engines: tuple[str, ...]) -> None:
    profiles = ("none", "source", "sink", "both")
    certificate = verify(built, engines=engines, stalls=profiles, frames=12)
    assert certificate.bit_exact, certificate.failure
    assert certificate.cycles_exact
    assert {(e.engine, e.stalls) for e in certificate.engines} == {(engine, stalls) for engine in engines for stalls in profiles}
    assert certificate.cycles_per_frame["predicted"] == certificate.cycles_per_frame["simulated"]
    assert certificate.latency_cycles["predicted"] == certificate.latency_cycles["simulated"]
    document = json.loads((built / "verify.json").read_text())
    assert document["bit_exact"] is True
    assert set(document["hashes"]) == {"model", "network", "plan", "verilog"}
    assert {"engine", "frames", "bit_exact", "stalls"} <= set(document["engines"][0])


def test_many_seeds_of_stalls_change_no_bit_and_every_cycle_as_predicted(built: Path) -> None:
    for seed in range(8):
        certificate = verify(built, engines=("batch",), stalls=("both",), frames=60, seed=seed, write=False)
        assert certificate.bit_exact
        assert certificate.cycles_exact


@pytest.mark.parametrize("layer", [pytest.param("fc1", marks=pytest.mark.slow), "blocks[1].fc"])
def test_a_flipped_weight_is_named_by_layer_frame_and_element(planted: Callable[[str], Path], layer: str) -> None:
    certificate = verify(planted(layer), engines=("batch",), stalls=("none",), frames=200)
    assert not certificate.bit_exact
    failure = certificate.failure
    assert failure is not None
    assert (failure.kind, failure.layer) == ("mismatch", layer)
    assert failure.expected != failure.got
    assert None not in (failure.frame, failure.element, failure.cycle)
    assert layer in str(failure)


@pytest.mark.slow
def test_a_design_that_stands_still_is_named_by_the_first_stage_that_stands(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PATIENCE", 3000)
    folder = tmp_path / "stuck"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("verify.json"))
    text = (folder / "three.v").read_text()
    module = json.loads((folder / "report.json").read_text())["modules"]["blocks[1].fc"]
    start = text.index(f"module {module}(")
    end = text.index("endmodule", start)
    cut = text[start:end].replace(".o__valid(o__valid)", ".o__valid()") + "  assign o__valid = 1'b0;\n"
    assert ".o__valid()" in cut
    (folder / "three.v").write_text(text[:start] + cut + text[end:])
    rehash(folder, "three.v")
    failure = verify(folder, engines=("batch",), stalls=("none",), frames=20).failure
    assert failure is not None
    assert (failure.kind, failure.layer, failure.frame) == ("hang", "blocks[1].fc", 0)


def test_a_tampered_folder_is_refused(planted: Callable[[str], Path]) -> None:
    folder = planted("fc1")
    (folder / "three.v").write_text((folder / "three.v").read_text() + "\n")
    with pytest.raises(Problems, match=r"three\.v.*altered"):
        verify(folder)


def test_inputs_of_the_model_and_codes_give_the_same_verdict(built: Path) -> None:
    x = np.random.default_rng(1).choice([-1, 1], (5, 1, 1, 40))
    for codes in (False, True):
        certificate = verify(built, engines=("batch",), inputs={"x": x}, codes=codes, stalls=("none",), write=False)
        assert certificate.bit_exact
        assert certificate.inputs["frames"] == 5


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"x": np.zeros((2, 1, 1, 40), int)}, "INPUT-RANGE"),
        ({"x": np.ones((2, 1, 1, 39), int)}, "INPUT-SHAPE"),
        ({"x": np.ones((2, 1, 1, 40))}, "INPUT-DTYPE"),
        ({"x": np.ones((0, 1, 1, 40), int)}, "INPUT-FRAMES"),
        ({"z": np.ones((2, 1, 1, 40), int)}, "INPUT-MISSING"),
    ],
)
def test_codes_that_do_not_fit_are_refused(built: Path, inputs: dict[str, np.ndarray], code: str) -> None:
    with pytest.raises(InputError) as refused:
        verify(built, engines=("batch",), inputs=inputs, codes=True)
    assert refused.value.code in (code, "INPUT-SHAPE" if code == "INPUT-FRAMES" else code)


def test_accuracy_is_counted_image_by_image(built: Path) -> None:
    from hwq.target.folder import load_folder

    model = load_folder(built).model
    x = np.random.default_rng(2).choice([-1, 1], (20, 1, 1, 40))
    scores = model.run({"x": x})[model.outputs[0].name].reshape(20, -1)
    labels = scores.argmax(1)
    labels[:5] = (labels[:5] + 1) % 5
    certificate = verify(built, engines=("batch",), inputs={"x": x}, labels=labels, source_scores=scores, stalls=("none",), write=False)
    assert certificate.accuracy is not None
    assert [certificate.accuracy[who] for who in ("source", "golden", "rtl")] == [0.75] * 3
    assert certificate.accuracy["rtl_differs"] == 0


def test_an_unknown_engine_is_refused(built: Path) -> None:
    with pytest.raises(InputError) as refused:
        verify(built, engines=("modelsim",))
    assert refused.value.code == "ENGINE-UNKNOWN"
