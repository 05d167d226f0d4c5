"""Golden against independent executors: qonnx for QONNX graphs, onnxruntime for QCDQ, and the shared pre-trained networks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.errors import InputError, Problems
from hwq.frontend.execute import execute
from hwq.frontend.lower import lower
from hwq.frontend.onnx_reader import read_onnx
from hwq.frontend.options import ReadOptions
from hwq.frontend.rung1 import compare_with_source
from hwq.frontend.trace import TRACE
from hwq.network.model import Model
from hwq.network.ops import ArgMax, Conv, Requantize, Threshold
from tests.frontend.onnx_models import Graph


def by_qonnx(model: bytes, x: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs from qonnx's own executor, frame by frame."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    wrapper = ModelWrapper(onnx.load_from_string(model)).transform(InferShapes())
    frames = [execute_onnx(wrapper, {"x": f[None]}) for f in x]
    return {name: np.concatenate([np.atleast_1d(f[name]) for f in frames]) for name in frames[0]}


def by_onnxruntime(model: bytes, x: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return [np.concatenate(v) for v in zip(*(session.run(None, {"x": f[None]}) for f in x), strict=True)]


@pytest.mark.parametrize("name", ["TFC_1W1A", "TFC_2W2A"])
class TestSharedModels:
    @staticmethod
    def load(folder: Path, name: str) -> tuple[Model, dict[str, np.ndarray]]:
        return lower(read_onnx(folder / f"{name}.onnx")), dict(np.load(folder / f"{name}.npz"))

    def test_every_integer_intermediate_equals_the_reference(self, shared_models: Path, name: str) -> None:
        model, reference = self.load(shared_models, name)
        nodes = model.network.nodes
        kept = model.network.run(model.encode({"0": reference["x"]}), keep=[n.outputs[0] for n in nodes] + ["0"])
        quantizer = "BipolarQuant" if name == "TFC_1W1A" else "Quant"
        np.testing.assert_array_equal(kept["0"].reshape(16, -1), reference[f"act__{quantizer}_4"])
        for layer in range(4):
            sums = next(n for n in nodes if n.name == model_layer(nodes, layer))
            sign = np.asarray(model.notes[TRACE][sums.outputs[0]]["scale"])
            np.testing.assert_array_equal(kept[sums.outputs[0]].reshape(16, -1) * sign, reference[f"act__MatMul_{layer}"])
            if layer < 3:
                activation = model.network.consumers(sums.outputs[0])[0]
                np.testing.assert_array_equal(kept[activation.outputs[0]].reshape(16, -1), reference[f"act__{quantizer}_{layer + 5}"])

    def test_scores_equal_the_reference_up_to_its_own_rounding(self, shared_models: Path, name: str) -> None:
        """The reference computes the last batch norm in binary32: up to four roundings of values below 8."""
        model, reference = self.load(shared_models, name)
        (scores,) = model.run({"0": reference["x"]}).values()
        difference = np.abs(scores.astype(np.float64) - reference["y"])
        assert difference.max() <= 4 * np.spacing(np.float32(4))
        assert (scores != reference["y"]).sum() == {"TFC_1W1A": 18, "TFC_2W2A": 34}[name]  # of 160
        np.testing.assert_array_equal(scores.argmax(1), reference["y"].argmax(1))

    def test_real_digits_are_classified_right(self, shared_models: Path, name: str) -> None:
        model, _ = self.load(shared_models, name)
        digits = np.load(shared_models / "mnist_first4.npz")
        (scores,) = model.run({"0": digits["x"]}).values()
        np.testing.assert_array_equal(scores.argmax(1), [7, 2, 1, 0])

    def test_the_source_executor_equals_the_reference(self, shared_models: Path, name: str) -> None:
        _, reference = self.load(shared_models, name)
        (scores,) = execute(read_onnx(shared_models / f"{name}.onnx"), {"0": reference["x"]}).values()
        np.testing.assert_array_equal(scores, reference["y"])

    def test_rung_1_finds_no_difference(self, shared_models: Path, name: str) -> None:
        model, reference = self.load(shared_models, name)
        result = compare_with_source(model, {"0": reference["x"]})
        assert result.exact
        assert len(result.layers) == 8
        assert result.outputs_different == {"TFC_1W1A": 18, "TFC_2W2A": 34}[name]


def model_layer(nodes: tuple, index: int) -> str:
    return [n.name for n in nodes if isinstance(n.op, Conv)][index]


def random_qonnx(seed: int, widths: list[int]) -> Graph:
    """A dense network with every quantizer, batch norm, bias, negative scales of channels and per-channel weight scales."""
    random = np.random.default_rng(seed)
    graph = Graph(shape=(1, widths[0]))
    x = "x"
    for k, (inputs, outputs) in enumerate(pairwise(widths)):
        scale = np.float32(random.choice([0.25, 1.0, random.uniform(0.05, 2)]))
        kind = random.integers(4)
        if kind == 0:
            x = graph.bipolar(x, scale, name=f"act{k}")
        elif kind == 1:
            x = graph.quant(x, scale, bits=2, narrow=1, name=f"act{k}")
        else:
            signed, zero = int(random.integers(2)), float(random.integers(-3, 4)) if kind == 3 else 0.0
            mode = str(random.choice(["ROUND", "FLOOR", "CEIL", "HALF_UP", "HALF_DOWN", "UP", "DOWN"]))
            x = graph.quant(x, scale, zero=zero, bits=int(random.integers(2, 9)), signed=signed, mode=mode, name=f"act{k}")
        weights = graph.constant(random.normal(size=(inputs, outputs)))
        weight_scale = random.uniform(0.1, 1, (1, outputs) if random.integers(2) else ()).astype(np.float32)
        bits = int(random.integers(1, 6))
        w = graph.bipolar(weights, weight_scale) if bits == 1 else graph.quant(weights, weight_scale, bits=bits)
        x = graph.add("MatMul", x, w, name=f"fc{k}")
        if random.integers(2):
            x = graph.add("Add", x, graph.constant(random.normal(size=outputs)))
        gamma = random.normal(size=outputs) * (random.random(outputs) > 0.1)
        x = graph.batch_norm(x, gamma, random.normal(size=outputs), random.normal(size=outputs) * 3, random.uniform(0.01, 99, outputs))
        if random.integers(2):
            x = graph.add("Relu", x)
    return graph


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_networks_follow_their_source_but_for_its_own_rounding(seed: int) -> None:
    random = np.random.default_rng(seed)
    graph = random_qonnx(seed, [int(v) for v in random.integers(1, 20, int(random.integers(2, 5)))])
    source = read_onnx(graph.model(f"t{graph.count - 1}"))
    model = lower(source)
    x = random.normal(size=(40, source.inputs[0].shape[1])).astype(np.float32)
    result = compare_with_source(model, {"x": x}, source)
    for layer in result.layers:
        if layer.local:
            assert layer.largest_tie_distance is not None, layer
            assert layer.largest_tie_distance < 1e-4, layer


@pytest.mark.parametrize("seed", range(6))
def test_the_source_executor_equals_qonnx(seed: int) -> None:
    graph = random_qonnx(seed, [7, 6, 5, 4])
    model = graph.model(f"t{graph.count - 1}")
    x = np.random.default_rng(seed).normal(size=(5, 7)).astype(np.float32)
    (ours,) = execute(read_onnx(model), {"x": x}, batch=1).values()
    (theirs,) = by_qonnx(model, x).values()
    # qonnx runs standard ops through onnxruntime: batch norm there is one fused expression of its own
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
@pytest.mark.parametrize("signed", [0, 1])
def test_every_rounding_mode_equals_qonnx_at_ties(mode: str, signed: int) -> None:
    """Quarter steps: ties and exact integers, both signs, beyond both ends."""
    graph = Graph(shape=(1, 1))
    q = graph.quant("x", 0.5, bits=3, signed=signed, narrow=1, mode=mode)
    y = graph.matmul(q, [[1.0]])
    model = graph.model(y)
    x = (np.arange(-50, 50, dtype=np.float32) / 8).reshape(-1, 1)
    np.testing.assert_array_equal(lower(read_onnx(model)).run({"x": x})[y], by_qonnx(model, x)[y].reshape(-1, 1))


@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "CEIL", "HALF_UP", "UP", "DOWN"])
def test_a_second_quantizer_in_hardware_equals_qonnx_at_ties(mode: str) -> None:
    """8-bit integers, an identity layer, requantized at four times the scale: every fourth value is a tie."""
    graph = Graph(shape=(1, 1))
    q = graph.quant("x", 1.0, bits=8)
    first = graph.matmul(q, [[1.0]], name="a")
    y = graph.matmul(graph.quant(first, 4.0, bits=5, mode=mode, name="again"), [[1.0]], name="b")
    model = graph.model(y)
    x = np.arange(-128, 128, dtype=np.float32).reshape(-1, 1)
    np.testing.assert_array_equal(lower(read_onnx(model)).run({"x": x})[y], by_qonnx(model, x)[y].reshape(-1, 1))


@pytest.mark.parametrize("version", [1, 2])
def test_both_truncs_equal_qonnx(version: int) -> None:
    from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

    graph = Graph(shape=(1, 1))
    first = graph.matmul(graph.quant("x", 0.5, bits=8), [[1.0]])
    operands = [graph.constant(v) for v in ((0.5, 0.0, 8, 5) if version == 1 else (0.5, 0.0, 8, 4.0, 5))]
    extra = {} if version == 1 else {"signed": 1, "narrow": 0}
    t = graph.add("Trunc", first, *operands, domain="qonnx.custom_op.general", rounding_mode="round", **extra)
    y = graph.matmul(t, [[1.0]])
    x = (np.arange(-128, 128, dtype=np.float32) / 2).reshape(-1, 1)
    a = np.float32
    if version == 1:
        expected = trunc_v1(x, a(0.5), a(0), a(8), a(5), "ROUND")
    else:
        expected = trunc_v2(x, a(0.5), a(0), a(8), 0, 1, a(4), np.asarray(a(5)), "ROUND")
    source = read_onnx(graph.model(y))
    np.testing.assert_array_equal(lower(source).run({"x": x})[y], expected)
    np.testing.assert_array_equal(execute(source, {"x": x})[y], expected)


def qcdq(seed: int, asymmetric: bool, per_channel: bool) -> tuple[bytes, str]:
    """QuantizeLinear, Clip, DequantizeLinear; int8 weights, int32 bias; as onnx exporters write it."""
    random = np.random.default_rng(seed)
    graph = Graph(shape=(1, 12))
    x = "x"
    axis = {"axis": 0} if per_channel else {}
    for k, (inputs, outputs) in enumerate([(12, 9), (9, 7), (7, 5)]):
        scale = np.float32(2.0 ** -random.integers(2, 5))
        zero = graph.constant(random.integers(100, 140) if asymmetric else 0, np.uint8 if asymmetric else np.int8)
        s = graph.constant(scale)
        q = graph.add("QuantizeLinear", x, s, zero, name=f"q{k}")
        if not asymmetric:
            q = graph.add("Clip", q, graph.constant(-127, np.int8), graph.constant(127, np.int8))
        x = graph.add("DequantizeLinear", q, s, zero)
        wide = (outputs,) if per_channel else ()
        ws = (2.0 ** -random.integers(3, 7, wide)).astype(np.float32)
        wq = graph.constant(random.integers(-127, 128, (outputs, inputs)), np.int8)
        w = graph.add("DequantizeLinear", wq, graph.constant(ws), graph.constant(np.zeros(wide), np.int8), **axis)
        bs = graph.constant(ws * scale)
        bq = graph.constant(random.integers(-2000, 2000, outputs), np.int32)
        b = graph.add("DequantizeLinear", bq, bs, graph.constant(np.zeros(wide), np.int32), **axis)
        x = graph.add("Gemm", x, w, b, transB=1, name=f"fc{k}")
        if k < 2:
            x = graph.add("Relu", x)
    return graph.model(x), x


@pytest.mark.parametrize("asymmetric", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_qcdq_networks_equal_onnxruntime_bit_for_bit(asymmetric: bool, per_channel: bool, seed: int) -> None:
    """Power-of-two scales: every float of the reference is exact, so nothing excuses a difference."""
    model, y = qcdq(seed, asymmetric, per_channel)
    lowered = lower(read_onnx(model))
    x = np.random.default_rng(seed).normal(size=(64, 12)).astype(np.float32) * 4
    np.testing.assert_array_equal(lowered.run({"x": x})[y], by_onnxruntime(model, x)[0])
    assert any(isinstance(n.op, Requantize) for n in lowered.network.nodes)


def test_a_fake_quantizer_written_by_hand_is_recognised() -> None:
    """``x + (q - x)``, and round-then-clip out of plain operators."""
    graph = Graph(shape=(1, 6))
    x = graph.matmul(graph.bipolar("x"), np.sign(np.random.default_rng(0).normal(size=(6, 5))), name="first")
    scaled = graph.add("Div", x, graph.constant(0.75))
    clipped = graph.add("Clip", graph.add("Round", scaled, name="rounding"), graph.constant(-3), graph.constant(3))
    q = graph.add("Mul", clipped, graph.constant(0.75))
    through = graph.add("Add", x, graph.add("Sub", q, x), name="straight-through")
    y = graph.matmul(through, np.eye(5), name="second")
    model = graph.model(y)
    lowered = lower(read_onnx(model))
    assert [type(n.op) for n in lowered.network.nodes] == [Conv, Threshold, Conv]
    assert lowered.network.nodes[1].op.out.name == "INT3_NARROW"
    x = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    np.testing.assert_array_equal(lowered.run({"x": x})[y], by_qonnx(model, x)[y])


@pytest.mark.parametrize("function", ["Sigmoid", "Tanh", "Abs", "Swish", "Elu", "Softplus", "HardSigmoid", "HardSwish", "Erf", "Pow"])
def test_any_function_before_a_quantizer_becomes_thresholds(function: str) -> None:
    graph = Graph(shape=(1, 8), opset=24 if function == "Swish" else 14)
    random = np.random.default_rng(3)
    x = graph.matmul(graph.quant("x", 0.5, bits=4), random.integers(-3, 4, (8, 6)) * 0.25)
    x = graph.add("Mul", x, graph.constant(0.3))
    x = graph.add("Pow", x, graph.constant(2.0)) if function == "Pow" else graph.add(function, x, name="curve")
    y = graph.matmul(graph.quant(x, 0.37, bits=3, signed=0 if function == "Pow" else 1, name="after"), np.eye(6))
    source = read_onnx(graph.model(y))
    model = lower(source)
    given_x = random.normal(size=(300, 8)).astype(np.float32)
    result = compare_with_source(model, {"x": given_x}, source)
    assert result.exact
    if function in ("Abs", "Pow"):
        assert (model.network.nodes[1].op.steps == -1).any()


def test_argmax_of_equal_scales_goes_to_hardware() -> None:
    graph = Graph(shape=(1, 9))
    random = np.random.default_rng(0)
    scores = graph.matmul(graph.bipolar("x"), random.choice([-0.5, 0.5], (9, 4)))
    y = graph.add("ArgMax", graph.add("Mul", scores, graph.constant(3.0)), axis=1, keepdims=0, name="best")
    model = graph.model(y, types={y: 7})
    lowered = lower(read_onnx(model))
    assert isinstance(lowered.network.nodes[-1].op, ArgMax)
    x = random.normal(size=(400, 9)).astype(np.float32)
    out = lowered.run({"x": x})[y]
    assert out.dtype == np.int64
    np.testing.assert_array_equal(out, by_qonnx(model, x)[y])  # many ties among ten values


@pytest.mark.parametrize(("bias", "hardware"), [([1.0, -2.0, 0.5, 0.0], True), ([0.1, 0.2, 0.3, 0.4], False)])
def test_argmax_with_biases_is_in_hardware_only_on_the_integer_grid(bias: list[float], hardware: bool) -> None:
    graph = Graph(shape=(1, 9))
    random = np.random.default_rng(0)
    scores = graph.add("Add", graph.matmul(graph.bipolar("x"), random.choice([-0.5, 0.5], (9, 4))), graph.constant(bias))
    y = graph.add("ArgMax", scores, axis=1, keepdims=1)
    model = graph.model(y, types={y: 7})
    lowered = lower(read_onnx(model))
    assert any(isinstance(n.op, ArgMax) for n in lowered.network.nodes) is hardware
    x = random.normal(size=(400, 9)).astype(np.float32)
    np.testing.assert_array_equal(lowered.run({"x": x})[y], by_qonnx(model, x)[y])


def test_topk_and_softmax_run_on_the_host() -> None:
    graph = Graph(shape=(1, 9))
    random = np.random.default_rng(0)
    scores = graph.matmul(graph.bipolar("x"), random.choice([-0.5, 0.5], (9, 6)))
    p = graph.add("Softmax", scores, axis=1)
    top = graph.add("TopK", scores, graph.constant([3], np.int64), outputs=2, axis=1)
    model = graph.model(p, f"{top}_1", types={f"{top}_1": 7})
    lowered = lower(read_onnx(model))
    x = random.normal(size=(50, 9)).astype(np.float32)
    out, expected = lowered.run({"x": x}), by_qonnx(model, x)
    np.testing.assert_array_equal(out[f"{top}_1"], expected[f"{top}_1"])
    assert np.abs(out[p] - expected[p]).max() <= 4 * np.spacing(np.float32(1))


@pytest.mark.parametrize("k", [1, 3])
def test_the_values_of_topk_come_from_the_host(k: int) -> None:
    graph = Graph(shape=(1, 9))
    random = np.random.default_rng(0)
    scores = graph.matmul(graph.bipolar("x"), random.choice([-0.5, 0.5], (9, 6)))
    top = graph.add("TopK", graph.add("Mul", scores, graph.constant(3.0)), graph.constant([k], np.int64), outputs=2, axis=1)
    model = graph.model(top, f"{top}_1", types={f"{top}_1": 7})
    x = random.normal(size=(50, 9)).astype(np.float32)
    out, expected = lower(read_onnx(model)).run({"x": x}), by_qonnx(model, x)
    np.testing.assert_array_equal(out[top], expected[top])
    np.testing.assert_array_equal(out[f"{top}_1"], expected[f"{top}_1"])


@pytest.mark.parametrize(("dtype", "encoding"), [(np.uint8, "UINT8"), (np.int8, "INT8"), (np.uint16, "UINT16")])
def test_the_dtype_of_an_integer_input_names_its_integers(dtype: type, encoding: str) -> None:
    graph = Graph(shape=(1, 6), opset=21)
    zero = 128 if dtype is np.uint8 else 0
    x = graph.add("DequantizeLinear", "x", graph.constant(0.25), graph.constant(zero, dtype))
    y = graph.matmul(x, np.random.default_rng(0).integers(-7, 8, (6, 3)) * 0.5)
    proto = onnx.load_from_string(graph.model(y))
    proto.graph.input[0].type.tensor_type.elem_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = lower(read_onnx(proto.SerializeToString()))
    assert model.network.inputs[0].encoding.name == encoding
    codes = np.random.default_rng(1).integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (40, 6)).astype(dtype)
    np.testing.assert_array_equal(model.encode({"x": codes})["x"].reshape(codes.shape), codes)
    np.testing.assert_array_equal(model.run({"x": codes})[y], by_onnxruntime(proto.SerializeToString(), codes)[0])


def test_an_input_of_absurd_size_is_refused_before_memory_is_taken() -> None:
    graph = Graph(shape=(1, 1 << 40))
    with pytest.raises(Problems, match="x: the input has shape"):
        lower(read_onnx(graph.model(graph.matmul(graph.bipolar("x"), np.eye(6)))))


def test_a_wrong_input_encoding_is_one_problem() -> None:
    graph = Graph(shape=(1, 6))
    y = graph.matmul("x", np.eye(6))
    with pytest.raises(Problems) as caught:
        lower(read_onnx(graph.model(y)), ReadOptions(input_encoding="UINT8X"))
    assert [p.code for p in caught.value.entries()] == ["ENCODING-NAME"]


class TestInputs:
    @staticmethod
    def plain(annotation: str | None = None, quantized: bool = False) -> tuple[bytes, str]:
        """``2x - 1`` in front of the first layer."""
        graph = Graph(shape=(1, 4, 4))
        x = graph.add("Sub", graph.add("Mul", "x", graph.constant(2.0)), graph.constant(1.0))
        x = graph.add("Flatten", graph.quant(x, 0.25, bits=3, name="inq") if quantized else x)
        y = graph.matmul(x, np.random.default_rng(2).integers(-7, 8, (16, 5)) * 0.125, name="fc")
        return graph.model(y, annotation=annotation), y

    def test_an_offset_folds_through_the_weight_sums(self) -> None:
        model, y = self.plain()
        lowered = lower(read_onnx(model), ReadOptions(input_encoding="UINT8", input_scale="1/256"))
        assert lowered.network.inputs[0].encoding.name == "UINT8"
        codes = np.random.default_rng(0).integers(0, 256, (30, 4, 4))
        x = (codes / 256).astype(np.float32)
        np.testing.assert_array_equal(lowered.encode({"x": x})["x"].reshape(codes.shape), codes)
        np.testing.assert_array_equal(lowered.run({"x": x})[y], by_onnxruntime(model, x)[0])

    def test_an_annotation_names_the_integers(self) -> None:
        model, y = self.plain("INT4")
        lowered = lower(read_onnx(model))
        x = np.random.default_rng(0).integers(-8, 8, (30, 4, 4)).astype(np.float32)
        assert lowered.network.inputs[0].encoding.name == "INT4"
        np.testing.assert_array_equal(lowered.run({"x": x})[y], by_onnxruntime(model, x)[0])

    def test_floats_are_rounded_to_codes_and_saturate(self) -> None:
        lowered = lower(read_onnx(self.plain()[0]), ReadOptions(input_encoding="INT4", input_scale="1/3", input_offset=1))
        x = np.full((1, 4, 4), 1.0 + 2.4 / 3, np.float32)
        x[0, 0, :2] = 100, -100
        np.testing.assert_array_equal(lowered.encode({"x": x})["x"].reshape(-1)[:3], [7, -8, 2])

    def test_the_input_quantizer_stays_on_the_host_or_is_built_in(self) -> None:
        model, y = self.plain(quantized=True)
        source = read_onnx(model)
        host = lower(source)
        built_in = lower(source, ReadOptions(input_encoding="UINT8", input_scale="1/256", input_quantizer="hardware"))
        assert [n.op.kind for n in host.network.nodes] == ["conv"]
        assert [n.op.kind for n in built_in.network.nodes] == ["threshold", "conv"]
        assert built_in.network.nodes[0].name == "inq"
        x = (np.random.default_rng(0).integers(0, 256, (30, 4, 4)) / 256).astype(np.float32)
        expected = by_qonnx(model, x)[y]
        np.testing.assert_array_equal(host.run({"x": x})[y], expected)
        np.testing.assert_array_equal(built_in.run({"x": x})[y], expected)

    @pytest.mark.parametrize("said", [{"input_encoding": "UINT8"}, {"input_scale": 0.5}, {"input_offset": 1}])
    def test_naming_the_integers_of_an_input_that_quantizes_itself_is_refused(self, said: dict[str, Any]) -> None:
        with pytest.raises(Problems, match=r"quantizes its own input 'x' to INT3.*--input-quantizer hardware") as caught:
            lower(read_onnx(self.plain(quantized=True)[0]), ReadOptions(**said))
        assert [p.where for p in caught.value.entries()] == [f"--{next(iter(said)).replace('_', '-')}"]

    def test_a_transposed_input_permutes_the_weights(self) -> None:
        graph = Graph(shape=(1, 2, 3, 4))
        q = graph.bipolar(graph.add("Transpose", "x", perm=[0, 3, 1, 2]))
        y = graph.matmul(graph.add("Flatten", q), np.random.default_rng(0).integers(-3, 4, (24, 5)) * 1.0)
        model = graph.model(y)
        x = np.random.default_rng(1).normal(size=(20, 2, 3, 4)).astype(np.float32)
        np.testing.assert_array_equal(lower(read_onnx(model)).run({"x": x})[y], by_qonnx(model, x)[y])


def test_several_outputs_and_a_tensor_read_twice() -> None:
    graph = Graph(shape=(1, 6))
    random = np.random.default_rng(0)
    q = graph.quant(graph.matmul(graph.bipolar("x"), random.choice([-1, 1], (6, 5)), name="stem"), 2.0, bits=2, name="shared")
    a = graph.matmul(q, random.choice([-1, 1], (5, 3)), name="head")
    b = graph.quant(graph.matmul(q, random.choice([-1, 1], (5, 2)), name="head"), 1.0, bits=3, name="out")
    model = graph.model(a, b)
    lowered = lower(read_onnx(model))
    assert [n.name for n in lowered.network.nodes] == ["stem", "shared", "head", "head@1", "out"]
    x = random.normal(size=(40, 6)).astype(np.float32)
    expected = by_qonnx(model, x)
    for name, value in lowered.run({"x": x}).items():
        np.testing.assert_array_equal(value, expected[name])


def test_a_relu_without_quantizer_is_an_integer_maximum() -> None:
    graph = Graph(shape=(1, 6))
    random = np.random.default_rng(0)
    r = graph.add("Relu", graph.matmul(graph.quant("x", 0.5, bits=6), random.integers(-3, 4, (6, 5)) * 0.5))
    y = graph.matmul(r, random.choice([-1, 1], (5, 3)))
    model = graph.model(y)
    x = random.normal(size=(40, 6)).astype(np.float32) * 9
    np.testing.assert_array_equal(lower(read_onnx(model)).run({"x": x})[y], by_qonnx(model, x)[y])


def test_scales_per_input_channel_that_are_multiples_go_into_the_weights() -> None:
    graph = Graph(shape=(1, 3))
    q = graph.quant("x", [0.5, 1.0, 0.25], bits=4)
    y = graph.matmul(q, np.random.default_rng(0).integers(-3, 4, (3, 4)) * 1.0)
    model = graph.model(y)
    x = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32) * 3
    np.testing.assert_array_equal(lower(read_onnx(model)).run({"x": x})[y], by_qonnx(model, x)[y])


def test_shape_arithmetic_folds_and_dead_branches_vanish() -> None:
    graph = Graph(shape=(1, 2, 3), opset=11)
    batch = graph.add("Gather", graph.add("Shape", "x"), graph.constant(0, np.int64), axis=0)
    target = graph.add("Concat", graph.add("Unsqueeze", batch, axes=[0]), graph.constant([-1], np.int64), axis=0)
    graph.add("Loopless", "x", name="dead")
    y = graph.matmul(graph.bipolar(graph.add("Reshape", "x", target)), np.ones((6, 2)))
    lowered = lower(read_onnx(graph.model(y)))
    x = np.random.default_rng(1).normal(size=(30, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(lowered.run({"x": x})[y], np.sign(x.reshape(30, 6)) @ np.ones((6, 2)))


def test_a_saturating_accumulator_reaches_the_network() -> None:
    from hwq.network.ops import Saturating

    graph = Graph(shape=(1, 6))
    y = graph.matmul(graph.bipolar("x"), np.ones((6, 2)) * 3)
    lowered = lower(read_onnx(graph.model(y)), ReadOptions(accumulator=Saturating(4, 2)))
    op = lowered.network.nodes[0].op
    assert op.accumulation == Saturating(4, 2)
    np.testing.assert_array_equal(op.weights.reshape(2, 6), np.full((2, 6), 3))  # codes as stated: saturation depends on them
    np.testing.assert_array_equal(lowered.run({"x": np.ones((1, 6), np.float32)})[y], [[7.0, 7.0]])


def test_argmax_stays_on_the_host_where_a_function_merges_integers() -> None:
    """Clipped scores tie where the integers do not: the lowest index wins, not the larger integer."""
    graph = Graph(shape=(1, 9))
    random = np.random.default_rng(0)
    scores = graph.add("Clip", graph.matmul(graph.bipolar("x"), random.choice([-1, 1], (9, 4))), graph.constant(-1.5), graph.constant(1.5))
    y = graph.add("ArgMax", scores, axis=1, keepdims=0)
    model = graph.model(y, types={y: 7})
    lowered = lower(read_onnx(model))
    assert not any(isinstance(n.op, ArgMax) for n in lowered.network.nodes)
    x = random.normal(size=(200, 9)).astype(np.float32)
    np.testing.assert_array_equal(lowered.run({"x": x})[y], by_qonnx(model, x)[y])


@pytest.mark.parametrize("bounds", [(-0.75, 0.5), (-0.6, 0.5)])
def test_a_clip_behind_a_scale_is_exact_on_and_off_the_grid(bounds: tuple[float, float]) -> None:
    graph = Graph(shape=(1, 4))
    random = np.random.default_rng(0)
    x = graph.matmul(graph.quant("x", 0.25, bits=4), np.eye(4), name="a")
    x = graph.add("Clip", graph.quant(x, 0.25, bits=4), graph.constant(bounds[0]), graph.constant(bounds[1]))
    y = graph.matmul(x, random.integers(-3, 4, (4, 3)) * 1.0, name="b")
    model = graph.model(y)
    given_x = random.normal(size=(100, 4)).astype(np.float32)
    if bounds[0] == -0.6:  # -0.6 and multiples of 0.25 have no common grid
        with pytest.raises(InputError, match="do not lie on one grid"):
            lower(read_onnx(model))
    else:
        np.testing.assert_array_equal(lower(read_onnx(model)).run({"x": given_x})[y], by_qonnx(model, given_x)[y])
