"""Sums and concatenations on unlike scales: exact by proof, or refused, or quantized on request."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwq.errors import InputError, Problems
from hwq.frontend.execute import execute
from hwq.frontend.lower import lower
from hwq.frontend.onnx_reader import read_onnx
from hwq.frontend.options import ReadOptions
from hwq.frontend.rung1 import compare_with_source
from hwq.network.model import Model
from hwq.network.ops import Add, Requantize, Threshold
from tests.frontend.onnx_images import SAME, Images, rgb


def compared(g: Images, y: str) -> Model:
    """The model, after every discrete tensor was compared with the source in binary64, which rounds nothing that matters here."""
    source = replace(read_onnx(g.model(y)), precision="float64")
    model = lower(source)
    x = (np.random.default_rng(3).integers(-64, 64, (6, *g.shape[1:])) / 16).astype(np.float32)
    assert compare_with_source(model, {"x": x}, source).exact
    got, expected = model.run({"x": x})[y], execute(source, {"x": x})[y]
    np.testing.assert_array_equal(got, expected.astype(np.float32))
    assert len(np.unique(got)) > 5
    return model


def quantized(g: Images, x: str, scale: float, bits: int, signed: int = 1) -> str:
    return g.bipolar(x, np.float32(scale)) if bits == 1 else g.quant(x, np.float32(scale), bits=bits, signed=signed)


def real_norm(g: Images, x: str, c: int) -> str:
    r = g.random
    return g.batch_norm(x, r.uniform(-1, 1, c), r.normal(size=c), r.normal(size=c), r.uniform(0.5, 2, c))


@pytest.mark.parametrize(
    ("scales", "bits", "form"),
    [
        ((0.1, 0.1, 0.3), (8, 8, 8), Requantize),
        ((0.1, 0.2, 0.3), (8, 8, 8), Requantize),
        ((0.1, 0.137, 0.31), (4, 4, 4), Threshold),
        ((0.1, 0.137, 0.31), (4, 4, 2), Threshold),
        ((0.1, 0.137, 0.31), (4, 2, 1), Threshold),
        ((0.1, 0.137, 0.031), (8, 8, 8), Requantize),
    ],
)
def test_a_residual_of_any_scales_is_exact(scales: tuple[float, float, float], bits: tuple[int, int, int], form: type) -> None:
    g, x = rgb()
    a = quantized(g, g.norm(g.conv(x, 6, 3, **SAME), 6), scales[0], bits[0])
    b = quantized(g, g.conv(x, 6, 3, k=1), scales[1], bits[1], 0)
    model = compared(g, g.conv(quantized(g, g.add("Add", a, b), scales[2], bits[2], 0), 2, 6))
    place, join = next((k, n) for k, n in enumerate(model.network.nodes) if isinstance(n.op, Add))
    assert isinstance(model.network.nodes[place + 1].op, form)
    equal = scales[0] == scales[1]
    assert max(model.notes[join.name]["coefficient_bits"]) <= (1 if equal else 2 if scales[1] == 0.2 else 6 if bits[2] < 8 else 13)


def test_accumulators_may_meet_without_a_quantizer_in_between() -> None:
    g, x = rgb()
    a, b = (real_norm(g, g.conv(x, 4, 3, k=1, largest=1), 4) for _ in range(2))
    model = compared(g, g.conv(g.quant(g.add("Add", a, b), 0.5, bits=3), 2, 4))
    assert [n.op.kind for n in model.network.nodes] == ["conv", "conv", "add", "threshold", "conv"]


def test_accumulators_meet_a_skip_of_codes_behind_a_relu() -> None:
    g, x = rgb()
    a = real_norm(g, g.conv(x, 16, 3, k=1), 16)
    b = g.quant(g.conv(x, 16, 3, k=1), np.float32(0.137), bits=4, signed=0)
    compared(g, g.conv(g.quant(g.add("Relu", g.add("Add", a, b)), np.float32(0.31), bits=3, signed=0), 2, 16))


def test_three_branches_are_one_sum() -> None:
    g, x = rgb()
    a, b, c = (g.quant(g.conv(x, 4, 3, k=1), np.float32(s), bits=4) for s in (0.1, 0.23, 0.37))
    model = compared(g, g.conv(g.quant(g.add("Add", g.add("Add", a, b), c), 0.5, bits=3), 2, 4))
    (join,) = [n.op for n in model.network.nodes if isinstance(n.op, Add)]
    assert join.coefficients.shape == (3, 1)


def test_a_largest_value_may_follow_a_sum() -> None:
    g, x = rgb()
    a, b = (g.quant(g.conv(x, 4, 3, k=1), np.float32(s), bits=4) for s in (0.1, 0.23))
    model = compared(g, g.conv(g.quant(g.pool(g.add("Add", a, b), strides=[2, 2]), 0.5, bits=3), 2, 4))
    assert [n.op.kind for n in model.network.nodes][-4:] == ["add", "threshold", "pool", "conv"]


def test_concatenated_scales_become_one_accumulator_each() -> None:
    g, x = rgb()
    a, b, c = (g.quant(g.conv(x, 4, 3, k=1), np.float32(s), bits=4) for s in (0.1, 0.1, 0.23))
    y = g.conv(g.add("Concat", a, b, c, axis=1), 3, 12, largest=1, name="mixed", **SAME)
    model = compared(g, g.conv(g.quant(y, 0.5, bits=2), 2, 3))
    assert [n.name for n in model.network.nodes if n.name.startswith("mixed")] == ["mixed.concat", "mixed.0", "mixed.1", "mixed"]


def test_a_mean_of_concatenated_scales_is_split_again() -> None:
    g, x = rgb()
    a, b = (g.quant(g.conv(x, 4, 3, k=1), np.float32(s), bits=3) for s in (0.1, 0.23))
    y = g.add("Flatten", g.add("GlobalAveragePool", g.add("Concat", a, b, axis=1)))
    y = g.add("MatMul", y, g.weights(8, 5, largest=1), name="fc")
    model = compared(g, g.dense(g.quant(y, 1 / 64, bits=4), 5, 3))
    assert [n.op.kind for n in model.network.nodes][-7:] == ["pool", "split", "conv", "conv", "add", "threshold", "conv"]


def unlike(g: Images, x: str) -> str:
    a, b = (g.quant(g.conv(x, 4, 3, k=1), np.float32(s), bits=4) for s in (0.1, 0.23))
    return g.conv(g.add("Add", a, b, name="skip"), 2, 4)


def test_a_residual_encoding_is_put_in_on_request_and_its_error_measured() -> None:
    g, x = rgb()
    y = unlike(g, x)
    source = replace(read_onnx(g.model(y)), precision="float64")
    model = lower(source, ReadOptions(residual_encoding="FIXED<12,4>"))
    notes = [model.notes[n.name]["residual"] for n in model.network.nodes if "residual" in model.notes[n.name]]
    assert len(notes) == 2
    assert all(0 < n["mean_error"] <= n["largest_error"] <= 2.0**-9 for n in notes)
    frames = (np.random.default_rng(3).integers(-64, 64, (6, *g.shape[1:])) / 16).astype(np.float32)
    difference = np.abs(model.run({"x": frames})[y] - execute(source, {"x": frames})[y])
    weights = 4 * 9 * 3 / 8
    assert 0 < difference.max() <= weights * sum(n["largest_error"] for n in notes)


def test_without_it_the_sum_is_refused_with_its_scales() -> None:
    g, x = rgb()
    with pytest.raises(Problems) as caught:
        lower(read_onnx(g.model(unlike(g, x))))
    (problem,) = caught.value.entries()
    assert (problem.where, problem.code) == ("skip", "JOIN-GRID")
    assert "0.1, 0.23" in problem.message


def test_an_input_that_nothing_depends_on_is_left_out_with_a_note(caplog: pytest.LogCaptureFixture) -> None:
    g, x = rgb()
    source = read_onnx(g.model(g.conv(x, 2, 3)))
    source = replace(source, inputs=(*source.inputs, replace(source.inputs[0], name="idle")))
    with caplog.at_level("WARNING", logger="hwq"):
        model = lower(source)
    assert [i.name for i in model.inputs] == ["x"]
    assert "no output depends on the input 'idle'; it is left out" in caplog.text


def test_a_concatenation_without_a_common_grid_is_called_one() -> None:
    g, x = rgb()
    a, b = (g.quant(g.conv(x, 4, 3, k=1), np.float32(s), bits=4) for s in (0.1, 0.23))
    y = g.conv(g.add("Concat", a, b, axis=1), 2, 8, k=1, name="mixed")
    with pytest.raises(Problems) as caught:
        lower(read_onnx(g.model(y)))
    (problem,) = caught.value.entries()
    assert (problem.where, problem.code) == ("mixed", "JOIN-GRID")
    assert "the parts of its concatenated input have no common grid" in problem.message
    assert "sum" not in problem.message
    assert "concatenation" in (problem.hint or "")


@pytest.mark.parametrize("encoding", ["INT8", "FIXED<4>", "nonsense"])
def test_a_residual_encoding_must_be_fixed_point(encoding: str) -> None:
    with pytest.raises(InputError):
        _ = ReadOptions(residual_encoding=encoding).residual


def test_a_join_too_wide_to_prove_is_refused_with_its_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwq.numerics.join.MAX_POINTS", 1000)
    g, x = rgb()
    a, b = (g.quant(g.conv(x, 4, 3, k=1), np.float32(s), bits=8) for s in (0.1, 0.23))
    y = g.conv(g.quant(g.add("Add", a, b, name="skip"), 0.5, bits=8), 2, 4)
    with pytest.raises(Problems) as caught:
        lower(read_onnx(g.model(y)))
    (problem,) = caught.value.entries()
    assert problem.where == "skip"
    assert "breakpoints" in problem.message
    assert problem.hint is not None
    assert "--residual-encoding" in problem.hint
