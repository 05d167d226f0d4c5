""".hwq files: equal after a round trip, byte-identical, and refused plainly when damaged or hostile."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.network.container import check_sizes
from hwq.network.file import load_model, network_hash, save_model
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.host import HostStep
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.op_document import op_document, read_op
from hwq.network.ops import (
    Add,
    ArgMax,
    BorderAffine,
    Concat,
    Conv,
    Flatten,
    Lookup,
    Mul,
    Pad,
    Pool,
    Requantize,
    Saturating,
    Split,
    TopK,
    Upsample,
    Window,
)
from hwq.numerics.encoding import Integer
from hwq.numerics.rounding import Rounding
from tests.network.networks import BIPOLAR, TERNARY, dense_network


def model_of(network: Network) -> Model:
    (i,), (o,) = network.inputs, network.outputs
    head = (HostStep("reshape", attributes={"shape": [1, 1, i.shape[2]]}), HostStep("sub", np.float64(0.5)), HostStep("bipolar"))
    return Model(
        network,
        (ModelInput(i.name, (i.shape[2],), "float32", head),),
        (ModelOutput("y", o, network.tensors[o].shape[2:], "float32", (HostStep("mul", np.array([0.1])),)),),
        {"format": "test"},
        ({"nodes": []}, {"c0": np.arange(3.0)}),
    )


def everything() -> Network:
    """Every op and field that a file must carry."""
    base = dense_network((12, 7, 5), w=TERNARY, accumulation=Saturating(5, 4))
    requantize = Requantize(np.array([3]), np.array([1]), 2, Rounding.HALF_EVEN, -4, 7, Integer(4, True))
    tail = (Node("rq", requantize, base.outputs, ("r",)), Node("argmax", ArgMax(), ("r",), ("index",)))
    return Network("everything", base.inputs, base.nodes + tail, ("index",))


def every_image_op() -> Network:
    """Two inputs, two outputs, and every op on images with fields that are no defaults."""
    ones = np.ones((2, 1), np.int64)
    window = Window((3, 2), (2, 1), (1, 0, 1, 1), (1, 2))
    weights = np.random.default_rng(3).integers(-8, 8, (6, 3, 2, 2))
    border = BorderAffine(np.array([0, 1, 0]), np.array([0, 0, 1, 1, 1]), np.array([[1, 2], [3, 4]]), np.arange(4).reshape(2, 2, 1))
    nodes = (
        Node("pad", Pad((1, 0, 1, 2)), ("a",), ("padded",)),
        Node("conv", Conv(weights, Integer(4, True), (2, 1), (1, 0, 1, 1), (1, 2), 2), ("padded",), ("acc",)),
        Node("border", border, ("acc",), ("levelled",)),
        Node("split", Split((4, 2)), ("levelled",), ("four", "")),
        Node("pool", Pool("max", window), ("b",), ("pooled",)),
        Node("up", Upsample((1, 5)), ("pooled",), ("up",)),
        Node("add", Add(ones * 3), ("four", "up"), ("sum",)),
        Node("mul", Mul(), ("sum", "up"), ("product",)),
        Node("concat", Concat(), ("sum", "product"), ("both",)),
        Node("topk", TopK(3), ("both",), ("best",)),
        Node("table", Lookup(np.arange(10, dtype=np.int64).reshape(1, 10) % 7, 0, 1, Integer(3, False)), ("best",), ("mapped",)),
        Node("flatten", Flatten(), ("sum",), ("flat",)),
    )
    inputs = (NetworkInput("a", (3, 4, 4), Integer(4, True)), NetworkInput("b", (5, 2, 4), Integer(2, False)))
    return Network("images", inputs, nodes, ("mapped", "flat"))


def test_every_op_comes_back_equal() -> None:
    network = every_image_op()
    arrays: dict[str, np.ndarray] = {}
    rng = np.random.default_rng(0)
    x = {"a": rng.integers(-8, 8, (5, 3, 4, 4)), "b": rng.integers(0, 4, (5, 5, 2, 4))}
    back = Network(
        network.name,
        network.inputs,
        tuple(replace(n, op=read_op(json.loads(json.dumps(op_document(n.op, n.name, arrays))), arrays)) for n in network.nodes),
        network.outputs,
    )
    for name, y in network.run(x).items():
        np.testing.assert_array_equal(back.run(x)[name], y)
    assert network_hash(back) == network_hash(network)


def test_a_model_comes_back_equal(tmp_path: Path) -> None:
    model = model_of(everything())
    save_model(model, tmp_path / "m.hwq")
    back = load_model(tmp_path / "m.hwq")
    assert network_hash(back.network) == network_hash(model.network)
    x = np.random.default_rng(1).random((50, 12), np.float32)
    np.testing.assert_array_equal(back.run({"x": x})["y"], model.run({"x": x})["y"])
    assert back.source is not None
    np.testing.assert_array_equal(back.source[1]["c0"], np.arange(3.0))


def test_the_file_is_byte_identical_from_one_writing_to_the_next(tmp_path: Path) -> None:
    for name in ("a.hwq", "b.hwq"):
        save_model(model_of(everything()), tmp_path / name)
    assert (tmp_path / "a.hwq").read_bytes() == (tmp_path / "b.hwq").read_bytes()


def test_the_hash_names_the_computation() -> None:
    assert network_hash(dense_network(seed=1)) == network_hash(dense_network(seed=1))
    assert network_hash(dense_network(seed=1)) != network_hash(dense_network(seed=2))
    assert network_hash(dense_network()) != network_hash(dense_network(accumulation=Saturating(6, 4)))


def damaged(path: Path, change: str) -> Path:
    save_model(model_of(dense_network()), path)
    data = path.read_bytes()
    if change == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif change == "empty":
        path.write_bytes(b"")
    elif change == "text":
        path.write_text("hello")
    elif change in {"newer", "nonsense", "foreign", "field"}:
        edit_document(path, change)
    return path


def edit_document(path: Path, change: str) -> None:
    with zipfile.ZipFile(path) as z:
        members = {n: z.read(n) for n in z.namelist()}
    document = json.loads(members["model.json"])
    if change == "newer":
        document["format_version"] = 99
    elif change == "nonsense":
        document["format_version"] = "1"
    elif change == "foreign":
        document["format"] = "other"
    else:
        del document["network"]["nodes"][0]["op"]["weights"]
    members["model.json"] = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            z.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("truncated", "FILE-DAMAGED"),
        ("empty", "FILE-DAMAGED"),
        ("text", "FILE-DAMAGED"),
        ("newer", "FILE-NEWER"),
        ("nonsense", "FILE-VERSION"),
        ("foreign", "FILE-FORMAT"),
        ("field", "FILE-DAMAGED"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path: Path, change: str, code: str) -> None:
    with pytest.raises(InputError) as error:
        load_model(damaged(tmp_path / "m.hwq", change))
    assert error.value.code == code
    assert error.value.where == "m.hwq"


def test_a_few_bytes_that_ask_for_a_terabyte_are_refused_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "m.hwq"
    network = Network("n", (NetworkInput("x", (4, 4, 2), BIPOLAR),), (Node("up", Upsample((2, 2)), ("x",), ("y",)),), ("y",))
    save_model(model_of(network), path)
    with zipfile.ZipFile(path) as z:
        members = {n: z.read(n) for n in z.namelist()}
    document = json.loads(members["model.json"])
    document["network"]["nodes"][0]["op"]["factor"] = [100_000, 100_000]
    with zipfile.ZipFile(path, "w") as z:
        for name, data in {**members, "model.json": json.dumps(document)}.items():
            z.writestr(name, data)
    with pytest.raises(InputError, match=r"^up: its shape is \(400000, 400000, 2\), expected at most") as error:
        load_model(path)
    assert error.value.code == "NETWORK-SIZE"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.hwq"
    save_model(model_of(dense_network()), path)
    # Some zip writers store a lie about the size; a real bomb compresses 1:100000 by nesting, which a bare
    # deflate stream cannot, so the claimed size in the directory is what must be looked at.
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (0xF0000000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        load_model(path)
    assert error.value.code == "FILE-BOMB"


@pytest.mark.parametrize(
    ("members", "unpacked", "packed", "refused"), [(1, 1 << 30, 1 << 20, True), (9, 64 << 20, 1 << 16, True), (1, 1 << 30, 1 << 25, False)]
)
def test_a_bomb_that_deflate_itself_can_make_is_refused_too(members: int, unpacked: int, packed: int, refused: bool) -> None:
    found = [zipfile.ZipInfo(f"arrays/{k}.npy") for k in range(members)]
    for info in found:
        info.file_size, info.compress_size = unpacked, packed
    if not refused:
        check_sizes(found, "m.hwq")
        return
    with pytest.raises(InputError) as error:
        check_sizes(found, "m.hwq")
    assert error.value.code == "FILE-BOMB"


def test_the_hash_is_that_of_the_layers_whatever_the_network_is_called() -> None:
    network = dense_network()
    assert network_hash(replace(network, name="other")) == network_hash(network)
    renamed = replace(network.nodes[0], name="other")
    assert network_hash(replace(network, nodes=(renamed, *network.nodes[1:]))) != network_hash(network)


class Marker:
    """Unpickling this would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.path, "code ran")


def test_a_pickled_array_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "m.hwq", tmp_path / "marker"
    save_model(model_of(dense_network()), path)
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    buffer.write(pickle.dumps(Marker(marker)))
    with zipfile.ZipFile(path, "a") as z:
        z.writestr("arrays/evil.npy", buffer.getvalue())
    with pytest.raises(InputError):
        load_model(path)
    assert not marker.exists()


def test_a_failed_write_leaves_the_earlier_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.hwq"
    save_model(model_of(dense_network()), path)
    before = path.read_bytes()

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(model_of(dense_network(seed=3)), path)
    assert path.read_bytes() == before


def test_network_input_survives_as_named() -> None:
    assert isinstance(dense_network().inputs[0], NetworkInput)
    assert dense_network().inputs[0].encoding == BIPOLAR


def test_a_scalar_constant_stays_a_scalar(tmp_path: Path) -> None:
    source = ({"nodes": []}, {"c0": np.array(3.0), "c1": np.arange(6).reshape(2, 3).T})
    model = replace(model_of(everything()), source=source)
    save_model(model, tmp_path / "m.hwq")
    back = load_model(tmp_path / "m.hwq")
    assert back.source is not None
    assert back.source[1]["c0"].shape == ()
    np.testing.assert_array_equal(back.source[1]["c1"], np.arange(6).reshape(2, 3).T)


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same file with another document."""
    with zipfile.ZipFile(path) as z:
        members = {i.filename: z.read(i) for i in z.infolist()}
    document = json.loads(members["model.json"])
    change(document)
    members["model.json"] = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            z.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["network"]["nodes"][0]["op"]["accumulation"].update(chunk=0),
        lambda d: d["network"]["nodes"][0]["op"]["accumulation"].update(bits=10**30),
        lambda d: d["outputs"][0].update(shape=[7]),
        lambda d: d["outputs"][0].update(shape=[-1, 0]),
        lambda d: d["outputs"][0].update(tensor="nowhere"),
        lambda d: d["outputs"][0].update(dtype="float33"),
        lambda d: d["inputs"][0].update(shape=[10**12]),
        lambda d: d["inputs"][0].update(shape=[13]),
        lambda d: d["inputs"][0].update(name="other"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_when_it_is_read(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    save_model(model_of(everything()), tmp_path / "m.hwq")
    with pytest.raises(InputError, match=r"m\.hwq"):
        load_model(edited(tmp_path / "m.hwq", change))


def test_an_absurd_version_is_not_echoed_whole(tmp_path: Path) -> None:
    save_model(model_of(everything()), tmp_path / "m.hwq")
    with pytest.raises(InputError) as caught:
        load_model(edited(tmp_path / "m.hwq", lambda d: d.update(format_version=10**400)))
    assert len(str(caught.value)) < 200


def test_an_array_that_claims_more_than_it_holds_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "m.hwq"
    save_model(model_of(everything()), path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(path, "a") as z:
        z.writestr("arrays/liar.npy", header.getvalue())
    with pytest.raises(InputError, match="claims") as caught:
        load_model(path)
    assert caught.value.code == "FILE-DAMAGED"
