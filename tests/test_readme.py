"""Every example of the README runs, in order, in an empty folder; and every command and file it names exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwq.cli import main

README = Path(__file__).resolve().parents[1] / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """(language, text) of each fenced block, in order."""
    return FENCE.findall(README.read_text())


def commands(text: str) -> list[list[str]]:
    """The hwq command lines of a console block, comments stripped."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [w[1:] for w in words if w and w[0] == "hwq"]


def test_the_readme_starts_with_the_two_commands() -> None:
    language, text = examples()[0]
    assert language == "console"
    assert [line.split("#")[0].strip() for line in text.splitlines()] == ["make demo", "make test"]


def quantized_onnx(path: Path, *, input_quantizer: bool) -> None:
    """A QONNX layer of 16 ternary weights, as the ONNX examples want one."""
    weights = np.random.default_rng(0).integers(-1, 2, (4, 4)).astype(np.float32)
    constants = {"w": weights, "one": np.float32(1), "zero": np.float32(0), "two": np.float32(2)}
    qonnx = {"domain": "qonnx.custom_op.general"}
    quant = helper.make_node("Quant", ["w", "one", "zero", "two"], ["wq"], "weights", signed=1, narrow=1, rounding_mode="ROUND", **qonnx)
    sign = helper.make_node("BipolarQuant", ["x", "one"], ["xq"], "input_sign", **qonnx)
    matmul = helper.make_node("MatMul", ["xq" if input_quantizer else "x", "wq"], ["y"], "fc")
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    stored = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    nodes = [quant, *([sign] if input_quantizer else []), matmul]
    graph = helper.make_graph(nodes, "layer", value[:1], value[1:], stored)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)


def test_every_example_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quantized_onnx(tmp_path / "model.onnx", input_quantizer=True)
    quantized_onnx(tmp_path / "float_input.onnx", input_quantizer=False)
    names: dict[str, object] = {"__name__": "readme"}
    for language, text in examples():
        if language == "console":
            for argv in commands(text):
                assert main(argv) == 0, f"hwq {' '.join(argv)}"
        elif language == "python":
            exec(compile(text, "README.md", "exec"), names)
        else:
            (tmp_path / "snippet.toml").write_text(text)
            assert main(["compile", "model.pt", "--plan", "snippet.toml", "-o", "rtl_out/snippet"]) == 0


def test_every_fence_is_of_a_kind_that_is_checked() -> None:
    assert {language for language, _ in examples()} == {"console", "python", "toml"}
