"""Files are recognised by content; foreign ones get one clear sentence, and nothing of them runs."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hwq.errors import InputError
from hwq.frontend.model_pt import save_model_pt
from hwq.frontend.recognise import Format, recognise
from hwq.network.container import write_container
from hwq.quant import Bipolar, Linear
from tests.frontend.test_model_pt import Marker
from tests.frontend.test_pt2 import write_pt2

ODD_NAMES = ["model.pt", "model.onnx", "model.pt2", "model.hwq", "model.png", "model"]


def onnx_bytes() -> bytes:
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    data: bytes = helper.make_model(graph, producer_name="test").SerializeToString()
    return data


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, bytes]:
    folder = tmp_path_factory.mktemp("good")
    save_model_pt(nn.Sequential(Linear(4, 2, weight=Bipolar())).eval(), folder / "a", torch.rand(2, 4))
    write_pt2(nn.Linear(4, 2), folder / "b.pt2", torch.rand(2, 4))
    write_container(folder / "c", {"format": "hwq-network", "format_version": 1}, {"w": np.arange(3)})
    return {
        Format.MODEL_PT: (folder / "a").read_bytes(),
        Format.PT2: (folder / "b.pt2").read_bytes(),
        Format.HWQ: (folder / "c").read_bytes(),
        Format.ONNX: onnx_bytes(),
    }


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("kind", list(Format))
def test_content_decides_not_the_name(good: dict[Format, bytes], tmp_path: Path, kind: Format, name: str) -> None:
    (tmp_path / name).write_bytes(good[kind])
    assert recognise(tmp_path / name) is kind


@pytest.mark.parametrize("kind", list(Format))
def test_truncated_models_are_errors_that_say_so(good: dict[Format, bytes], tmp_path: Path, kind: Format) -> None:
    data = good[kind]
    for size in (len(data) // 3, len(data) // 2, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:size])
        error = refused(tmp_path / "cut")
        assert error.code == "FILE-TRUNCATED"
        assert error.where == "cut"


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        recognise(path)
    return caught.value


def torch_bytes(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def zip_bytes(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(3))
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    return buffer.getvalue()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as t:
        t.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return buffer.getvalue()


def torchscript() -> bytes:
    # As torch.jit.save lays it out; made by hand, since making one is deprecated.
    pickles = {"m/data.pkl": pickle.dumps({}), "m/constants.pkl": pickle.dumps(())}
    return zip_bytes({**pickles, "m/code/__torch__.py": b"class M: ...", "m/version": b"3"})


def lightning() -> bytes:
    state = nn.Linear(2, 2).state_dict()
    return torch_bytes({"epoch": 3, "pytorch-lightning_version": "2.4.0", "state_dict": state, "callbacks": {}})


SAFETENSORS_HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
FOREIGN: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "empty": (lambda: b"", "FILE-EMPTY", "the file is empty"),
    "text": (lambda: b"hello, this is a model\n" * 400, "FILE-KIND", "a text file"),
    "text, not ASCII": (lambda: "größer als je zuvor €\n".encode() * 400, "FILE-KIND", "a text file"),
    "git lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "FILE-KIND", "Git LFS pointer"),
    "html": (lambda: b"<!DOCTYPE html><html></html>", "FILE-KIND", "a web page"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "FILE-KIND", "a PNG image"),
    "jpeg": (lambda: b"\xff\xd8\xff\xe0" + bytes(100), "FILE-KIND", "a JPEG image"),
    "pdf": (lambda: b"%PDF-1.7\n\x00", "FILE-KIND", "a PDF"),
    "gzip": (lambda: gzip.compress(b"x"), "FILE-KIND", "gzip"),
    "noise": (lambda: np.random.default_rng(0).bytes(5000), "FILE-KIND", "no file that hwq knows"),
    "zeros": (lambda: bytes(5000), "FILE-KIND", "no file that hwq knows"),
    "npy": (npy, "FILE-KIND", "a numpy array"),
    "npz": (npz, "FILE-KIND", "numpy arrays"),
    "hdf5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(50), "FILE-KIND", "HDF5"),
    "keras": (lambda: zip_bytes({"config.json": b"{}", "model.weights.h5": b""}), "FILE-KIND", "Keras"),
    "tflite": (lambda: b"\x1c\x00\x00\x00TFL3" + bytes(50), "FILE-KIND", "TensorFlow Lite"),
    "safetensors": (lambda: len(SAFETENSORS_HEADER).to_bytes(8, "little") + SAFETENSORS_HEADER + bytes(4), "FILE-KIND", "safetensors"),
    "tar": (tar, "FILE-KIND", "tar archive"),
    "elf": (lambda: b"\x7fELF" + bytes(50), "FILE-KIND", "a program"),
    "other zip": (lambda: zip_bytes({"word/document.xml": b"<x/>"}), "FILE-KIND", "zip archive that holds no model"),
    "empty zip": (lambda: zip_bytes({}), "FILE-KIND", "zip archive that holds no model"),
    "json in a zip": (lambda: zip_bytes({"model.json": b'{"format": "else"}'}), "FILE-KIND", "zip archive that holds no model"),
    "torchscript": (torchscript, "TORCHSCRIPT", "TorchScript"),
    "lightning": (lightning, "LIGHTNING", "Lightning"),
    "state dict": (lambda: torch_bytes(nn.Linear(2, 2).state_dict()), "STATE-DICT", "state dict"),
    "checkpoint": (lambda: torch_bytes({"model": nn.Linear(2, 2).state_dict(), "epoch": 3}), "STATE-DICT", "state dict"),
    "tensor": (lambda: torch_bytes(torch.rand(3)), "STATE-DICT", "without the network"),
    "parameter": (lambda: torch_bytes(nn.Parameter(torch.rand(3))), "STATE-DICT", "without the network"),
    "whole module": (lambda: torch_bytes(nn.Linear(2, 2)), "PICKLE", "torch.nn.modules.linear.Linear"),
    "old torch": (lambda: torch_bytes({"a": 1}, _use_new_zipfile_serialization=False), "FILE-KIND", "old kind"),
    "pickle": (lambda: pickle.dumps({"a": np.arange(3)}), "PICKLE", "pickled Python object"),
    "cut pickle": (lambda: pickle.dumps({"a": list(range(100))})[:50], "FILE-TRUNCATED", "truncated"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_told_for_what_they_are(tmp_path: Path, name: str) -> None:
    make, code, words = FOREIGN[name]
    path = tmp_path / "model.pt"
    path.write_bytes(make())
    error = refused(path)
    assert (error.code, words in error.message) == (code, True), str(error)
    assert error.where == "model.pt"


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("wrap", ["plain", "torch", "torch claiming to be ours"])
def test_pickles_that_would_run_code_do_not(tmp_path: Path, protocol: int, wrap: str) -> None:
    marker, path = tmp_path / "ran", tmp_path / "model.pt"
    bomb: Any = {"format": "hwq-model", "format_version": 1, "x": Marker(marker)} if "ours" in wrap else Marker(marker)
    path.write_bytes(pickle.dumps(bomb, protocol) if wrap == "plain" else torch_bytes(bomb, pickle_protocol=protocol))
    error = refused(path)
    assert error.code == "PICKLE"
    assert "nothing of it was run" in error.message
    assert not marker.exists()
    if wrap == "plain":
        pickle.loads(path.read_bytes())
        assert marker.exists()  # the file was armed


@pytest.mark.parametrize("member", ["m/data.pkl", "m/data/0", "m/models/model.json", "model.json"])
def test_zip_bombs_are_refused_before_they_unpack(tmp_path: Path, member: str) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        if member == "m/data/0":
            z.writestr("m/data.pkl", pickle.dumps({"format": "hwq-model"}, 2))
        with z.open(member, "w") as f:
            for _ in range(257):
                f.write(bytes(1 << 20))
    assert path.stat().st_size < 2 << 20
    assert refused(path).code == "FILE-BOMB"


def test_directories_that_claim_gigabytes_are_refused(tmp_path: Path) -> None:
    data = zip_bytes({"m/data.pkl": bytes(1_000_003)}, zipfile.ZIP_DEFLATED)
    size = (1_000_003).to_bytes(4, "little")
    (tmp_path / "model.pt").write_bytes(data.replace(size, (3_500_000_000).to_bytes(4, "little")))
    assert refused(tmp_path / "model.pt").code == "FILE-BOMB"


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent.pt").code == "FILE-MISSING"
    assert refused(tmp_path).code == "FILE-DIRECTORY"
    (tmp_path / "network.hwq").write_bytes(b"x")
    assert "name its network.hwq" in str(refused(tmp_path))
    assert refused(Path("a\x00b")).code in ("FILE-READ", "FILE-MISSING")
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe").code == "FILE-KIND"
    assert refused(Path("/dev/null")).code == "FILE-KIND"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(b"x")
    (tmp_path / "m.pt").chmod(0)
    assert refused(tmp_path / "m.pt").code == "FILE-READ"


def test_onnx_without_a_graph(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08\x12\x02hi")
    assert refused(tmp_path / "m.onnx").code == "FILE-TRUNCATED"
