"""`hwq run`: the golden model on the user's arrays, and every way to give it wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwq.network.file import save_model
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.host import HostStep
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import Requantize
from hwq.numerics.encoding import Integer
from hwq.numerics.rounding import Rounding

Run = Callable[..., tuple[int, str, str]]
RunJson = Callable[..., tuple[int, dict]]
Saved = Callable[..., str]


def test_gives_what_the_model_gives(model: Model, model_file: Path, images: np.ndarray, saved: Saved, hwq: Run, tmp_path: Path) -> None:
    code, out, err = hwq("run", model_file, saved(images), "-o", tmp_path / "y.npy")
    assert (code, err) == (0, "")
    assert f"wrote {tmp_path / 'y.npy'}" in out
    scores = np.load(tmp_path / "y.npy")
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, model.run({"x": images})["y"])


def test_accuracy(model: Model, model_file: Path, images: np.ndarray, saved: Saved, hwq: Run, hwq_json: RunJson) -> None:
    classes = model.run({"x": images})["y"].argmax(1)
    labels = classes.copy()
    labels[:5] = (labels[:5] + 1) % 5
    words = ("run", model_file, saved(images), "--labels", saved(labels))
    assert "accuracy 75.00 % (15 of 20)" in hwq(*words)[1]
    code, document = hwq_json(*words)
    assert code == 0
    assert document["accuracy"] == {"correct": 15, "frames": 20, "accuracy": 0.75}


def test_the_same_archive_gives_inputs_and_labels(model_file: Path, images: np.ndarray, saved: Saved, hwq: Run) -> None:
    archive = saved(x=images, labels=np.zeros(20, np.uint8), scores=np.zeros((20, 5)))
    assert hwq("run", model_file, archive, "--labels", archive)[0] == 0


def test_codes_in_codes_out(model: Model, model_file: Path, images: np.ndarray, saved: Saved, hwq: Run, tmp_path: Path) -> None:
    codes = model.encode({"x": images})
    for given in (codes["x"], codes["x"].reshape(20, 12).astype(np.int8)):
        assert hwq("run", model_file, saved(given), "--codes", "-o", tmp_path / "y.npy")[0] == 0
        np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.network.run(codes)[model.network.outputs[0]])


def test_a_single_frame_gets_its_batch_axis_and_is_told_so(model_file: Path, images: np.ndarray, saved: Saved, hwq: Run) -> None:
    code, out, err = hwq("run", model_file, saved(images[0]))
    assert code == 0
    assert err == "note: x: one frame without a batch axis; added it\n"
    assert "1 frames" in out


def test_other_dtypes_are_cast_as_the_model_takes_them(model_file: Path, images: np.ndarray, saved: Saved, hwq: Run) -> None:
    code, _, err = hwq("run", model_file, saved(images.astype(np.float64)))
    assert code == 0
    assert err == "note: x: float64 cast to float32, as the model takes it\n"


def test_without_an_output_file_the_answer_is_shown(
    model_file: Path, images: np.ndarray, saved: Saved, hwq: Run, hwq_json: RunJson
) -> None:
    path = saved(images)
    assert "... 10 more; -o OUT.npy writes all" in hwq("run", model_file, path)[1]
    assert np.shape(hwq_json("run", model_file, path)[1]["outputs"]["y"]) == (20, 5)


def wrong(images: np.ndarray, **change: object) -> np.ndarray:
    spoiled = images.copy()
    spoiled[2, 1, 1] = change["value"]
    return spoiled


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("INPUT-SHAPE", lambda x: x.reshape(20, 12)),
        ("INPUT-SHAPE", lambda x: x[:, None]),
        ("INPUT-SHAPE", lambda x: np.float32(1.0)),
        ("INPUT-NAN", lambda x: wrong(x, value=np.nan)),
        ("INPUT-NAN", lambda x: wrong(x, value=-np.inf)),
        ("INPUT-DTYPE", lambda x: x.astype(np.complex64)),
        ("INPUT-DTYPE", lambda x: x.astype("U8")),
        ("INPUT-RANGE", lambda x: x.astype(np.float64) * 1e300),
        ("INPUT-EMPTY", lambda x: x[:0]),
        ("FILE-OBJECTS", lambda x: x.astype(object)),
    ],
)
def test_wrong_arrays_are_refused(
    code: str, spoil: Callable, model_file: Path, images: np.ndarray, saved: Saved, hwq_json: RunJson, tmp_path: Path
) -> None:
    exit_code, document = hwq_json("run", model_file, saved(spoil(images)), "-o", tmp_path / "y.npy")
    assert (exit_code, document["error"]["code"]) == (2, code)
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize(
    ("code", "codes"),
    [
        ("CODE-RANGE", np.zeros((2, 1, 1, 12), np.int8)),
        ("CODE-RANGE", np.full((2, 12), 3)),
        ("INPUT-DTYPE", np.ones((2, 1, 1, 12), np.float32)),
        ("INPUT-SHAPE", np.ones((2, 3, 4), np.int8)),
    ],
)
def test_codes_outside_the_encoding_are_refused(code: str, codes: np.ndarray, model_file: Path, saved: Saved, hwq_json: RunJson) -> None:
    exit_code, document = hwq_json("run", model_file, saved(codes), "--codes")
    assert (exit_code, document["error"]["code"]) == (2, code)


@pytest.mark.parametrize(
    ("code", "labels"),
    [
        ("LABELS-LENGTH", np.zeros(19, np.int64)),
        ("LABELS-LENGTH", np.zeros(21, np.int64)),
        ("LABELS-DTYPE", np.zeros(20)),
        ("LABELS-SHAPE", np.zeros((20, 5), np.int64)),
        ("LABELS-RANGE", np.full(20, 5)),
        ("LABELS-RANGE", np.full(20, -1)),
    ],
)
def test_wrong_labels_are_refused(
    code: str, labels: np.ndarray, model_file: Path, images: np.ndarray, saved: Saved, hwq_json: RunJson
) -> None:
    exit_code, document = hwq_json("run", model_file, saved(images), "--labels", saved(labels))
    assert (exit_code, document["error"]["code"]) == (2, code)


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("FILE-FORMAT", b""),
        ("FILE-FORMAT", b"0.1,0.2\n"),
        ("FILE-FORMAT", b"\x89PNG\r\n\x1a\n"),
        ("FILE-DAMAGED", b"\x93NUMPY\x01\x00"),
        ("FILE-DAMAGED", b"PK\x03\x04 no archive"),
    ],
)
def test_files_that_are_no_arrays_are_refused(code: str, content: bytes, model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    exit_code, document = hwq_json("run", model_file, tmp_path / "x.npy")
    assert (exit_code, document["error"]["code"]) == (2, code)


def test_a_truncated_array_is_refused(model_file: Path, images: np.ndarray, saved: Saved, hwq_json: RunJson) -> None:
    path = Path(saved(images))
    path.write_bytes(path.read_bytes()[:-5])
    assert hwq_json("run", model_file, path)[1]["error"]["code"] == "FILE-DAMAGED"


def test_a_header_that_claims_more_than_the_file_holds_takes_no_memory(model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as f:
        np.lib.format.write_array_header_1_0(f, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50, 3, 4)})
    assert hwq_json("run", model_file, tmp_path / "x.npy")[1]["error"]["code"] == "FILE-DAMAGED"


def test_a_missing_file_and_a_folder(model_file: Path, hwq_json: RunJson, tmp_path: Path) -> None:
    assert hwq_json("run", model_file, tmp_path / "no.npy")[1]["error"]["code"] == "FILE-MISSING"
    assert hwq_json("run", model_file, tmp_path)[1]["error"]["code"] == "FILE-KIND"


def test_an_archive_must_say_which_array_is_the_input(model_file: Path, images: np.ndarray, saved: Saved, hwq_json: RunJson) -> None:
    code, document = hwq_json("run", model_file, saved(a=images, b=images))
    assert (code, document["error"]["code"]) == (2, "INPUT-KEY")
    assert "'a', 'b'" in document["error"]["message"]


def test_an_unwritable_output_is_refused(model_file: Path, images: np.ndarray, saved: Saved, hwq_json: RunJson, tmp_path: Path) -> None:
    code, document = hwq_json("run", model_file, saved(images), "-o", tmp_path / "no" / "y.npy")
    assert (code, document["error"]["code"]) == (2, "OUTPUT-WRITE")


def test_several_inputs_and_outputs_go_by_name(saved: Saved, hwq: Run, hwq_json: RunJson, tmp_path: Path) -> None:
    from tests.network.networks import BIPOLAR, dense_network

    one = dense_network((6, 4), seed=1)
    node = one.nodes[0]
    second = type(node)("other", node.op, ("b",), ("acc_b",))
    network = Network("two", (*one.inputs, NetworkInput("b", (1, 1, 6), BIPOLAR)), (node, second), ("acc0", "acc_b"))
    inputs = tuple(ModelInput(n, (1, 1, 6), "int64", ()) for n in ("x", "b"))
    model = Model(network, inputs, tuple(ModelOutput(o, o, (1, 1, 4), "int64", ()) for o in network.outputs))
    save_model(model, tmp_path / "two.hwq")
    x = np.ones((3, 1, 1, 6), np.int64)
    assert hwq("run", tmp_path / "two.hwq", saved(x=x, b=-x), "-o", tmp_path / "y.npz")[0] == 0
    with np.load(tmp_path / "y.npz") as y:
        np.testing.assert_array_equal(y["acc0"], -y["acc_b"])
    assert hwq_json("run", tmp_path / "two.hwq", saved(x))[1]["error"]["code"] == "INPUT-MISSING"
    assert hwq_json("run", tmp_path / "two.hwq", saved(x=x, b=-x[:2]))[1]["error"]["code"] == "INPUT-FRAMES"
    assert hwq_json("run", tmp_path / "two.hwq", saved(x=x, b=-x), "-o", tmp_path / "y.npy")[1]["error"]["code"] == "OPTION-OUTPUT"


def clipped_model(low: float, high: float, shape: tuple[int, ...] = (1,)) -> Model:
    """Twelve values times 4, clipped and rounded; the output has ``shape``."""
    steps = (HostStep("mul", np.float64(4.0)), HostStep("clip", attributes={"low": low, "high": high}))
    head = (*steps, HostStep("round", attributes={"mode": "half_even"}), HostStep("reshape", attributes={"shape": [1, 1, 12]}))
    op = Requantize(np.ones(1, np.int64), np.zeros(1, np.int64), 0, Rounding.FLOOR, -8, 7, Integer(4, True))
    network = Network("clipped", (NetworkInput("x", (1, 1, 12), Integer(4, True)),), (Node("same", op, ("x",), ("y",)),), ("y",))
    return Model(network, (ModelInput("x", (3, 4), "float32", head),), (ModelOutput("y", "y", shape, "float32", ()),))


def test_data_of_another_scale_are_noticed(saved: Saved, hwq: Run, tmp_path: Path) -> None:
    save_model(clipped_model(-8.0, 7.0, (12,)), tmp_path / "m.hwq")
    frames = np.full((2, 3, 4), 200, np.float32)
    frames[0] = 0.5
    _, _, err = hwq("run", tmp_path / "m.hwq", saved(frames))
    assert err == "note: x: 12 of 24 values lie outside the encoding and were saturated\n"
    _, _, err = hwq("run", tmp_path / "m.hwq", saved(frames[1:]))
    assert (
        "12 of 12 values lie outside the encoding and were saturated; expected are values -2..1.75, scaled as the model was trained" in err
    )
    assert hwq("run", tmp_path / "m.hwq", saved(frames[:1]))[2] == ""


def test_a_map_has_no_classes_to_score(saved: Saved, hwq: Run, tmp_path: Path) -> None:
    save_model(clipped_model(-8.0, 7.0, (3, 2, 2)), tmp_path / "m.hwq")
    frames = saved(np.zeros((2, 3, 4), np.float32))
    code, _, err = hwq("run", tmp_path / "m.hwq", frames, "--labels", saved(np.zeros(2, np.int64)))
    assert code == 2
    assert "LABELS-OUTPUT" in err
    assert "a map of 3x2x2 for every frame" in err
