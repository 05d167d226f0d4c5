"""The output folder: what is in it, when it is refused, that nothing of the user's is lost."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from hwq.errors import InputError, Problems
from hwq.plan.prediction import predict
from hwq.target import package
from hwq.target.folder import load_folder
from hwq.target.package import check_output, write_package
from tests.target.designs import HOSTILE_LAYERS, device, mlp, model_of, plan_for, write

FILES = {"tiny.v", "tiny_inst.v", "INTERFACE.md", "interface.json", "network.hwq", "plan.toml", "report.json", "vectors.npz"}
FILES |= {"test_tiny.py", "Makefile", "tb_tiny.v", "tb_tiny.vh", "vivado.tcl", "tiny.xdc"}
REPORT_FIELDS = [
    "model",
    "target",
    "clock_mhz",
    "cycles_per_frame",
    "latency_cycles",
    "fps",
    "bottleneck",
    "resources",
    "resources_source",
    "utilisation",
    "weight_bits",
    "layers",
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small network."""
    folder = tmp_path_factory.mktemp("out") / "tiny"
    write(mlp(), folder)
    return folder


def snapshot(folder: Path) -> dict[str, str]:
    """Hash of every file by name."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.is_file()}


def test_all_files_are_there_and_nothing_else(written: Path) -> None:
    assert {p.name for p in written.iterdir()} == FILES
    assert [p.name for p in written.parent.iterdir()] == ["tiny"]


def test_the_report_has_the_fields_of_the_design_document(written: Path) -> None:
    report = json.loads((written / "report.json").read_text())
    assert set(REPORT_FIELDS) <= set(report)
    assert set(report["resources"]) == {"lut", "lutram", "ff", "bram36", "uram", "dsp"}
    assert report["resources_source"] == "estimate"
    assert report["weight_bits"] == 20 * 12 + 12 * 5
    for layer in report["layers"]:
        assert {"name", "op", "pe", "simd", "pixels", "style", "cycles", "resources"} <= set(layer)
    prediction = predict(mlp(), plan_for(mlp()))
    assert report["cycles_per_frame"] == prediction.interval
    assert report["fps"] == report["clock_mhz"] * 1e6 / prediction.interval
    assert set(report["files"]) == FILES - {"report.json"}


def test_vectors_are_legal_codes_and_what_golden_makes_of_them(written: Path) -> None:
    folder = load_folder(written)
    with np.load(written / "vectors.npz") as vectors:
        x, y = vectors["s_axis_x"], vectors[folder.outputs[0].port]
    assert x.dtype == np.uint8
    golden = folder.network.run({"x": folder.inputs[0].encoding.decode(x)})
    np.testing.assert_array_equal(folder.outputs[0].encoding.decode(y), golden[folder.outputs[0].name])


def test_given_inputs_become_the_vectors(tmp_path: Path) -> None:
    design = write(mlp(), tmp_path / "a")
    x = np.ones((3, 1, 1, 20), np.int64)
    write_package(design, model_of(design.network), tmp_path / "b", device(), inputs={"x": x})
    with np.load(tmp_path / "b" / "vectors.npz") as vectors:
        np.testing.assert_array_equal(vectors["s_axis_x"], x)


def test_two_runs_write_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write(mlp(), tmp_path / "again")
    assert snapshot(tmp_path / "again") == snapshot(written)


def test_the_folder_reads_back(written: Path) -> None:
    folder = load_folder(written)
    assert folder.top == "tiny"
    assert folder.plan == plan_for(mlp())
    assert [p.port for p in folder.ports] == ["s_axis_x", folder.outputs[0].port]


def test_the_tcl_script_and_the_constraints_hold_only_identifiers(tmp_path: Path) -> None:
    network = mlp(name='bad"; exec rm', widths=(20, *[5] * len(HOSTILE_LAYERS)), layers=HOSTILE_LAYERS)
    design = write(network, tmp_path / "out")
    texts = {
        p.name: p.read_text()
        for p in (tmp_path / "out").iterdir()
        if p.suffix in (".tcl", ".xdc", ".v", ".vh", ".py") or p.name == "Makefile"
    }
    for name, text in texts.items():
        for forbidden in ("exec rm", "rm -rf ~", "../..", "`evil", "café"):
            assert forbidden not in text, name
    assert design.top.isidentifier()
    assert "<script" not in (tmp_path / "out" / "INTERFACE.md").read_text()
    names = json.loads((tmp_path / "out" / "report.json").read_text())["modules"]
    assert set(HOSTILE_LAYERS) <= set(names)


@pytest.mark.parametrize("present", [["notes.txt"], ["report.json"], [".git"]])
def test_a_foreign_folder_is_refused_and_left_alone(tmp_path: Path, present: list[str]) -> None:
    for name in present:
        (tmp_path / name).write_text("{}")
    before = snapshot(tmp_path)
    with pytest.raises(InputError) as refused:
        write(mlp(), tmp_path)
    assert refused.value.code == "OUTPUT-FOREIGN"
    assert snapshot(tmp_path) == before


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(mlp(), tmp_path / "out")
    assert (tmp_path / "out" / "tiny.v").is_file()


def test_a_path_below_a_file_and_a_file_itself_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path, code in ((tmp_path / "file", "OUTPUT-FOREIGN"), (tmp_path / "file" / "out", "OUTPUT-UNWRITABLE")):
        with pytest.raises(InputError) as refused:
            check_output(path)
        assert refused.value.code == code
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError) as refused:
        check_output(tmp_path / "locked" / "out")
    assert refused.value.code == "OUTPUT-UNWRITABLE"


def test_a_failing_write_leaves_the_earlier_output_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    design = write(mlp(), folder)
    before = snapshot(folder)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package, "report_document", fail)
    with pytest.raises(InputError) as refused:
        write_package(design, model_of(design.network), folder, device())
    assert refused.value.code == "OUTPUT-UNWRITABLE"
    assert snapshot(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("renames", [1, 2])
def test_an_interrupted_swap_keeps_the_earlier_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    folder = tmp_path / "out"
    design = write(mlp(), folder)
    before = snapshot(folder)
    rename, done = os.rename, []

    def interrupted(source: Path, target: Path) -> None:
        done.append(source)
        if Path(source).name == "new":  # the second: the old output is away, the new one not there yet
            if renames == 2:
                rename(source, target)
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(package.os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_package(design, model_of(design.network), folder, device())
    assert snapshot(folder) == before  # equal designs are written as equal bytes, whichever of the two it is
    assert list(tmp_path.iterdir()) == [folder]


def test_the_users_own_files_and_edits_survive_a_new_compile(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(mlp(), folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "board").mkdir()
    (folder / "board" / "wrapper.v").write_text("module wrapper; endmodule")
    edited = (folder / "vivado.tcl").read_text() + "# my addition\n"
    (folder / "vivado.tcl").write_text(edited)
    (folder / "verify.json").write_text("{}")
    write(mlp(argmax=True), folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "board" / "wrapper.v").is_file()
    assert (folder / "vivado.tcl.bak").read_text() == edited
    assert not (folder / "verify.json").exists(), "a certificate of the earlier design must not stay"
    load_folder(folder)


@pytest.mark.parametrize("name", ["tiny.v", "plan.toml", "network.hwq", "vectors.npz", "interface.json", "test_tiny.py"])
def test_an_altered_or_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write(mlp(), tmp_path / "out")
    path = tmp_path / "out" / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(Problems) as refused:
        load_folder(tmp_path / "out")
    assert [p.code for p in refused.value.entries()] == ["FILE-ALTERED"]
    assert name in str(refused.value)
    path.unlink()
    with pytest.raises(Problems, match="missing"):
        load_folder(tmp_path / "out")


def test_no_folder_of_ours_and_a_newer_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        load_folder(tmp_path)
    assert refused.value.code == "FOLDER-FORMAT"
    write(mlp(), tmp_path / "out")
    path = tmp_path / "out" / "report.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 99', 1))
    with pytest.raises(InputError, match="newer"):
        load_folder(tmp_path / "out")


def test_interface_describes_every_port_and_register(written: Path) -> None:
    document = json.loads((written / "interface.json").read_text())
    text = (written / "INTERFACE.md").read_text()
    for port in document["ports"]:
        assert f"`{port['name']}`" in text
    assert document["inputs"][0]["beats"] == 1
    offsets = [r["offset"] for r in document["registers"]]
    assert offsets == sorted(offsets)
    tomllib.loads((written / "plan.toml").read_text())


def test_the_shipped_bench_needs_neither_hwq_nor_paths(written: Path) -> None:
    source = (written / "test_tiny.py").read_text()
    assert "import hwq" not in source
    assert "from hwq" not in source
    compile(source, "test_tiny.py", "exec")
