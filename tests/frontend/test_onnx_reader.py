"""Files that are not what they claim, and what the reader keeps of those that are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwq.errors import InputError, Problems
from hwq.frontend.execute import execute
from hwq.frontend.lower import lower
from hwq.frontend.onnx_reader import read_onnx
from hwq.frontend.options import ReadOptions
from tests.frontend.onnx_models import Graph


def dense(**changes: object) -> Graph:
    graph = Graph(shape=(1, 4), **changes)  # type: ignore[arg-type]
    graph.matmul(graph.bipolar("x"), np.ones((4, 2)), name="fc")
    return graph


def code_of(error: InputError) -> set[str]:
    return {e.code for e in error.entries()}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "FILE-EMPTY"),
        (b"not a model, just text\n" * 9, "FILE-NOT-ONNX"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "FILE-NOT-ONNX"),
        (b"PK\x03\x04" + bytes(200), "FILE-NOT-ONNX"),
        (b"\x80\x02}q\x00.", "FILE-NOT-ONNX"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "FILE-NOT-ONNX"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_onnx(path)
    assert caught.value.code == code
    assert str(path) in str(caught.value)


def test_every_truncation_is_refused(shared_models: Path) -> None:
    data = (shared_models / "TFC_1W1A.onnx").read_bytes()
    for cut in np.linspace(1, len(data) - 1, 150).astype(int):
        with pytest.raises(InputError):
            lower(read_onnx(data[:cut]))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"no/such\.onnx"):
        read_onnx("no/such.onnx")


def test_an_old_opset_is_refused() -> None:
    with pytest.raises(InputError, match="opset 8"):
        read_onnx(dense(opset=8).model("t1"))


def test_an_unknown_opset_is_remarked_on(caplog: pytest.LogCaptureFixture) -> None:
    model = onnx.load_from_string(dense().model("t1"))
    model.opset_import[0].version = 99
    with caplog.at_level("WARNING", "hwq"):
        read_onnx(model.SerializeToString())
    assert "opset 99" in caplog.text


def external(folder: Path, location: str, **entries: str) -> Path:
    graph = dense()
    model = onnx.load_from_string(graph.model("t1"))
    weights = next(t for t in model.graph.initializer if list(t.dims) == [4, 2])
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        weights.external_data.add(key=key, value=value)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


class TestExternalData:
    def test_data_beside_the_model_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "w.bin").write_bytes(np.full((5, 2), 0.5, np.float32).tobytes())
        graph = read_onnx(external(tmp_path, "w.bin", offset="8"))
        assert any(c.shape == (4, 2) and (c == 0.5).all() for c in graph.constants.values())

    @pytest.mark.parametrize(
        "location", ["../secret.bin", "/etc/passwd", "link.bin", "folder/../../secret.bin", "", "missing.bin", ".", "a\0b"]
    )
    def test_data_outside_the_folder_is_refused(self, tmp_path: Path, location: str) -> None:
        inside = tmp_path / "inside"
        inside.mkdir()
        (tmp_path / "secret.bin").write_bytes(bytes(1000))
        os.symlink(tmp_path / "secret.bin", inside / "link.bin")
        with pytest.raises(InputError, match="no file inside the model's folder"):
            read_onnx(external(inside, location))

    def test_short_data_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "w.bin").write_bytes(bytes(31))
        with pytest.raises(InputError, match="31 of 32 bytes"):
            read_onnx(external(tmp_path, "w.bin"))

    def test_a_model_in_memory_has_none(self, tmp_path: Path) -> None:
        (tmp_path / "w.bin").write_bytes(bytes(32))
        with pytest.raises(InputError, match="model in memory"):
            read_onnx(external(tmp_path, "w.bin").read_bytes())


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(poison: float) -> None:
    graph = Graph(shape=(1, 4))
    weights = np.ones((4, 2))
    weights[1, 1] = poison
    y = graph.matmul(graph.bipolar("x"), weights, name="fc")
    with pytest.raises(InputError, match="c1: the tensor of 'fc' holds NaN or infinity"):
        read_onnx(graph.model(y))


def test_a_dynamic_batch_is_one_and_other_dynamic_axes_are_refused() -> None:
    graph = dense()
    graph.shape = ("N", 4)
    assert read_onnx(graph.model("t1")).inputs[0].shape == (1, 4)
    graph.shape = ("N", "features")
    with pytest.raises(InputError, match="axis 1 of the input has the dynamic size 'features'"):
        read_onnx(graph.model("t1"))


def test_a_fixed_batch_becomes_one_frame() -> None:
    graph = Graph(shape=(8, 2, 3))
    q = graph.bipolar(graph.add("Reshape", "x", graph.constant([8, 6], np.int64)))
    y = graph.matmul(graph.add("Reshape", q, graph.constant([8, -1], np.int64)), np.ones((6, 2)))
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    source = read_onnx(graph.model(y))
    assert source.inputs[0].shape == (1, 2, 3)
    np.testing.assert_array_equal(lower(source).run({"x": x})[y], execute(source, {"x": x})[y])


@pytest.mark.parametrize("shape", [(), (4,)])
def test_an_input_without_a_batch_axis_is_refused(shape: tuple[int, ...]) -> None:
    graph = Graph(shape=shape)
    if shape == (4,):
        graph.shape = (4, 0)  # an empty axis is no size either
    with pytest.raises(InputError, match=r"shape|dynamic"):
        lower(read_onnx(graph.model(graph.bipolar("x"))))


def test_control_flow_is_refused() -> None:
    branch = helper.make_graph([], "b", [], [helper.make_tensor_value_info("t1", TensorProto.FLOAT, None)])
    graph = dense()
    graph.nodes.append(helper.make_node("If", ["x"], ["z"], name="choice", then_branch=branch, else_branch=branch))
    with pytest.raises(InputError, match=r"choice: control flow \(If\)"):
        read_onnx(graph.model("t1"))


def test_initializers_are_no_inputs() -> None:
    model = onnx.load_from_string(dense().model("t1"))
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    assert [i.name for i in read_onnx(model.SerializeToString()).inputs] == ["x"]


@pytest.mark.parametrize(
    ("op", "operands", "attributes"),
    [
        ("ConstantOfShape", [([1 << 20, 1 << 20], np.int64)], {}),
        ("Expand", [([[1.0]], np.float32), ([1 << 20, 1 << 20], np.int64)], {}),
        ("Tile", [([[1.0]], np.float32), ([1 << 20, 1 << 20], np.int64)], {}),
        ("Range", [(0, np.int64), (1 << 60, np.int64), (1, np.int64)], {}),
        ("Pad", [([1.0], np.float32), ([0, 1 << 50], np.int64)], {}),
        ("MatMul", [(np.ones((20000, 1)), np.float32), (np.ones((1, 20000)), np.float32)], {}),
        ("Add", [(np.ones((20000, 1)), np.float32), (np.ones((1, 20000)), np.float32)], {}),
        ("ConstantOfShape", [([1 << 62, 1 << 62, -1], np.int64)], {}),
    ],
)
def test_a_small_file_cannot_ask_for_all_memory(op: str, operands: list[tuple[object, type]], attributes: dict[str, object]) -> None:
    graph = Graph(shape=(1, 4))
    bomb = graph.add(op, *(graph.constant(v, t) for v, t in operands), name="bomb", **attributes)
    y = graph.add("MatMul", graph.bipolar("x"), bomb)
    with pytest.raises(InputError, match="bomb: the operator"):
        lower(read_onnx(graph.model(y)))


def test_a_tensor_larger_than_its_data_is_refused() -> None:
    model = onnx.load_from_string(dense().model("t1"))
    tensor = next(t for t in model.graph.initializer if list(t.dims) == [4, 2])
    for dims, match in (([4, 3], "does not fit its shape"), ([1 << 40, 1 << 40], "elements are read"), ([-1, 2], "elements are read")):
        del tensor.dims[:]
        tensor.dims.extend(dims)
        with pytest.raises(InputError, match=match):
            read_onnx(model.SerializeToString())


def test_four_bit_integers_are_read() -> None:
    graph = Graph(shape=(1, 6), opset=21)
    scale, zero = graph.constant(0.5), helper.make_tensor("zp", TensorProto.INT4, [], [1])
    q = graph.add("QuantizeLinear", "x", scale, "zp")
    weights = helper.make_tensor("w4", TensorProto.INT4, [6, 3], np.tile([-8, 7, 3], 6))
    y = graph.add("MatMul", graph.add("DequantizeLinear", q, scale, "zp"), graph.add("DequantizeLinear", "w4", scale))
    model = onnx.load_from_string(graph.model(y))
    model.graph.initializer.extend([zero, weights])
    lowered = lower(read_onnx(model.SerializeToString()))
    np.testing.assert_array_equal(np.sort(np.unique(lowered.network.nodes[0].op.weights)), [-8, 3, 7])
    assert (lowered.network.inputs[0].encoding.lo, lowered.network.inputs[0].encoding.hi) == (-15, 15)  # -9..6 needs five bits
    integers = lowered.encode({"x": np.array([[-100, -1, 0, 0.26, 1, 100]], np.float32)})["x"].reshape(-1)
    np.testing.assert_array_equal(integers, [-9, -2, 0, 1, 2, 6])


def test_provenance_names_producer_opset_and_hash(shared_models: Path) -> None:
    import hashlib

    path = shared_models / "TFC_1W1A.onnx"
    provenance = lower(read_onnx(path)).provenance
    assert provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (provenance["format"], provenance["opset"]) == ("onnx", 9)
    assert "pytorch" in provenance["producer"]


@pytest.mark.parametrize("annotation", ["FLOAT32", None])
def test_a_float_annotation_says_nothing(annotation: str | None) -> None:
    assert read_onnx(dense().model("t1", annotation=annotation)).inputs[0].encoding is None


def test_the_source_graph_survives_its_document() -> None:
    graph = Graph(shape=(1, 4))
    w = graph.add(
        "Add",
        graph.add("ConstantOfShape", graph.constant([4, 2], np.int64), value=helper.make_tensor("v", 1, [1], [0.5])),
        graph.constant(0.0),
    )
    y = graph.add("MatMul", graph.bipolar("x"), w)
    source = read_onnx(graph.model(y))
    again = type(source).from_document(*source.document())
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(lower(again).run({"x": x})[y], lower(source).run({"x": x})[y])


HOSTILE = ['a"b', "x" * 300, "größe/层", "../../etc/passwd", "module", "a b\n$display", "<script>", "", "'; rm -rf /"]


def test_hostile_names_survive_untouched_and_unique() -> None:
    graph = Graph(shape=(1, 3))
    x = "x"
    for name in HOSTILE + HOSTILE:
        x = graph.matmul(graph.bipolar(x), np.ones((3, 3)), name=name)
    names = [n.name for n in lower(read_onnx(graph.model(x))).network.nodes]
    assert len(set(names)) == len(names)
    for name in HOSTILE:
        assert not name or {name, f"{name}@1"} <= set(names)


def stem(g: Graph) -> str:
    """A first layer with real-valued scores behind it."""
    return g.matmul(g.bipolar("x"), np.ones((4, 4)))


def unquantized(g: Graph) -> str:
    return g.matmul(g.bipolar("x"), np.random.default_rng(0).normal(size=(4, 3)), name="fc")


def unquantized_activation(g: Graph) -> str:
    x = g.add("Relu", g.add("Add", stem(g), g.constant(0.3)), name="act")
    return g.matmul(x, np.ones((4, 3)), name="fc")


def two_activations(g: Graph) -> str:
    return g.add("MatMul", g.bipolar("x"), g.bipolar("x"), name="attention")


def dynamic_scale(g: Graph) -> str:
    return g.add("Quant", "x", g.add("Abs", "x"), g.constant(0.0), g.constant(4.0), name="q", domain="qonnx.custom_op.general")


def incommensurable(g: Graph) -> str:
    return g.matmul(g.quant("x", scale=[0.1, 0.2003, 0.35, 0.4711]), np.ones((4, 2)), name="fc")


def mixed_batch(g: Graph) -> str:
    view = g.add("Reshape", g.bipolar("x"), g.constant([4, 1], np.int64), name="view")
    return g.matmul(view, np.ones((1, 2)))


def training_norm(g: Graph) -> str:
    return g.add("BatchNormalization", stem(g), *(g.constant(np.ones(4)) for _ in range(4)), name="bn", training_mode=1)


def softmax_inside(g: Graph) -> str:
    return g.matmul(g.add("Softmax", stem(g), name="s"), np.ones((4, 2)), name="fc")


def negative_variance(g: Graph) -> str:
    return g.batch_norm(stem(g), np.ones(4), np.ones(4), np.ones(4), -np.ones(4), name="bn")


REFUSALS: list[tuple[Callable[[Graph], str], str, str]] = [
    (unquantized, "fc", "unquantized layer"),
    (unquantized_activation, "fc", "'act'"),
    (lambda g: g.add("Conv", "x", g.constant(np.ones((1, 1, 1))), name="conv1"), "conv1", "a tensor of shape (1, 4)"),
    (lambda g: g.add("Frobnicate", "x", name="frob"), "frob", "Frobnicate"),
    (lambda g: g.add("LSTM", stem(g), name="cell"), "cell", "recurrent"),
    (lambda g: g.add("Concat", stem(g), stem(g), axis=0, name="cat"), "cat", "batch"),
    (two_activations, "attention", "two activations"),
    (dynamic_scale, "q", "scale"),
    (lambda g: g.quant("x", bits=2.5, name="q"), "q", "2.5"),
    (lambda g: g.quant("x", mode="SIDEWAYS", name="q"), "q", "SIDEWAYS"),
    (lambda g: g.quant("x", scale=-1.0, name="q"), "q", "positive"),
    (lambda g: g.matmul(g.bipolar("x"), np.ones((5, 2)), name="fc"), "fc", "5 inputs"),
    (incommensurable, "fc", "no common grid"),
    (mixed_batch, "view", "batch"),
    (training_norm, "bn", "training"),
    (softmax_inside, "fc", "host"),
    (lambda g: g.matmul(g.add("Round", "x", name="r"), np.ones((4, 2))), "r", "range"),
    (negative_variance, "bn", "variance"),
]


@pytest.mark.parametrize(("make", "where", "words"), REFUSALS)
def test_what_cannot_be_compiled_is_refused_by_the_layers_name(make: Callable[[Graph], str], where: str, words: str) -> None:
    graph = Graph(shape=(1, 4))
    y = make(graph)
    with pytest.raises(Problems) as caught:
        lower(read_onnx(graph.model(y)))
    (problem,) = caught.value.entries()
    assert problem.where == where
    assert words in problem.message


def test_an_input_with_two_quantizers_is_refused_unless_they_are_built_in() -> None:
    graph = Graph(shape=(1, 4))
    one, other = stem(graph), graph.matmul(graph.quant("x"), np.ones((4, 3)), name="other")
    source = read_onnx(graph.model(one, other))
    with pytest.raises(Problems, match="other: the input 'x' is quantized in two different ways"):
        lower(source)
    model = lower(source, ReadOptions(input_encoding="INT8", input_scale=0.25, input_quantizer="hardware"))
    assert [n.op.kind for n in model.network.nodes] == ["threshold", "conv", "threshold", "conv"]


def test_an_input_without_encoding_names_the_option() -> None:
    graph = Graph(shape=(1, 4))
    y = graph.matmul("x", np.ones((4, 2)), name="fc")
    with pytest.raises(Problems) as caught:
        lower(read_onnx(graph.model(y)))
    assert "--input-encoding UINT8" in str(caught.value)
    assert caught.value.entries()[0].where == "x"


def test_all_problems_come_in_one_run() -> None:
    graph = Graph(shape=(1, 4))
    random = np.random.default_rng(0)
    a = graph.matmul(graph.bipolar("x"), random.normal(size=(4, 4)), name="first")
    b = graph.add("Mystery", a, name="second")
    c = graph.matmul(graph.quant(b, mode="NO", name="third"), random.normal(size=(4, 4)), name="fourth")
    d = graph.matmul(graph.add("Relu", graph.batch_norm(c, *np.ones((4, 4))), name="act"), np.ones((4, 2)), name="fifth")
    y = graph.matmul(graph.quant(d), random.normal(size=(2, 2)), name="sixth")
    with pytest.raises(Problems) as caught:
        lower(read_onnx(graph.model(y)))
    assert [p.where for p in caught.value.entries()] == ["first", "second", "third", "fourth", "fifth", "sixth"]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"input_encoding": "WHAT8"}, None),
        ({"input_encoding": "UINT8", "input_scale": "1/0"}, "--input-scale"),
        ({"input_encoding": "UINT8", "input_scale": "abc"}, "--input-scale"),
        ({"input_encoding": "UINT8", "input_scale": 0}, "--input-scale"),
        ({"input_encoding": "UINT8", "input_offset": "nan"}, "--input-offset"),
        ({"input_quantizer": "cloud"}, "--input-quantizer"),
        ({"input_quantizer": "hardware"}, "x"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], where: str | None) -> None:
    with pytest.raises(InputError) as caught:
        lower(read_onnx(dense().model("t1")), ReadOptions(**options))  # type: ignore[arg-type]
    assert caught.value.entries()[0].where == where


def test_operators_of_foreign_domains_are_refused_together() -> None:
    g = Graph(shape=(1, 4))
    t = g.add("MatMul", g.bipolar("x"), g.constant(np.ones((4, 3))), name="fc", domain="com.microsoft")
    t = g.add("BipolarQuant", t, g.constant(1.0), name="sign", domain="my.ops")
    g.add("Add", t, g.add("Neg", g.constant(np.ones(3)), name="folded", domain="my.ops"), name="bias")
    with pytest.raises(Problems) as caught:
        lower(read_onnx(g.model(f"t{g.count - 1}")))
    assert {(p.code, p.where) for p in caught.value.entries()} == {("OP-UNSUPPORTED", n) for n in ("fc", "sign", "folded")}
    assert "'com.microsoft'" in str(caught.value)


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general"])
def test_quantizers_have_three_domains(domain: str) -> None:
    g = Graph(shape=(1, 4))
    sign = g.add("BipolarQuant", "x", g.constant(1.0), domain=domain)
    assert lower(read_onnx(g.model(g.add("MatMul", sign, g.constant(np.ones((4, 3))), domain="ai.onnx")))).network.nodes


def test_one_frame_of_a_fixed_batch_leaves_reshaped_weights_alone() -> None:
    g = Graph(shape=(2, 4))
    shape = g.constant([2, 2], np.int64)
    weights = g.add("Reshape", g.constant([[1.0], [2.0], [3.0], [-1.0]]), shape, name="weights")
    view = g.add("Reshape", g.quant("x"), g.constant([2, 4], np.int64), name="view")
    wide = g.matmul(view, np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32))
    model = lower(read_onnx(g.model(g.add("MatMul", wide, weights, name="fc"))))
    assert model.inputs[0].shape == (4,)
    np.testing.assert_array_equal(model.network.nodes[-1].op.matrix, [[1, 3], [2, -1]])


def test_the_wrong_scale_of_several_is_named() -> None:
    g = Graph(shape=(1, 3))
    y = g.matmul(g.quant("x", scale=[1.0, 0.0, 3.0], name="q"), np.ones((3, 2)))
    with pytest.raises(Problems, match="holds 0,"):
        lower(read_onnx(g.model(y)))
