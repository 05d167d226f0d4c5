"""Data sets on disk: read as they are, and refused in a sentence when they are not."""

from __future__ import annotations

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.zoo import dataset
from hwq.zoo.cifar10 import cifar10
from hwq.zoo.digits_mlp import digits
from hwq.zoo.mnist import mnist
from hwq.zoo.recipes import train

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    """The idx form of an array of bytes, as its specification says."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, count: int = 12, packed: bool = True) -> dict[str, np.ndarray]:
    """The four files, random or (``count`` 0) with scikit-learn's digits enlarged."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, np.ndarray] = {}
    for stem, part in (("train", slice(0, 900)), ("t10k", slice(900, 1200))):
        if count:
            images, labels = RNG.integers(0, 256, (count, 28, 28), np.uint8), RNG.integers(0, 10, count).astype(np.uint8)
        else:
            x, y = digits()
            images = np.pad((x[part].reshape(-1, 8, 8) * 15).repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
            labels = y[part].astype(np.uint8)
        parts |= {f"{stem}-images-idx3-ubyte": images, f"{stem}-labels-idx1-ubyte": labels}
    for name, array in parts.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    return parts


def write_cifar(folder: Path, count: int = 4) -> dict[str, np.ndarray]:
    """The six files with ``count`` random records each."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {}
    for name in (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"):
        records = RNG.integers(0, 256, (count, 3073), np.uint8)
        records[:, 0] %= 10
        (folder / name).write_bytes(records.tobytes())
        parts[name] = records
    return parts


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("inside", ["", "MNIST/raw"])
def test_mnist(packed: bool, inside: str, tmp_path: Path) -> None:
    parts = write_mnist(tmp_path / inside, packed=packed)
    found = mnist(tmp_path)
    np.testing.assert_array_equal(found.train.images[:, 0], parts["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(found.train.labels, parts["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(found.test.images[:, 0], parts["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(found.test.labels, parts["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-bin"])
def test_cifar10(inside: str, tmp_path: Path) -> None:
    parts = write_cifar(tmp_path / inside)
    found = cifar10(tmp_path)
    assert found.train.images.shape == (20, 3, 32, 32)
    second, test = parts["data_batch_2.bin"], parts["test_batch.bin"]
    np.testing.assert_array_equal(found.train.labels[4:8], second[:, 0])
    # A record is the label, then 1024 bytes each of red, green and blue, row by row.
    assert found.train.images[5, 1, 2, 3] == second[1, 1 + 1024 + 2 * 32 + 3]
    np.testing.assert_array_equal(found.test.images.reshape(4, -1), test[:, 1:])


def refused(read: Callable[[Path | None], Any], folder: Path | None) -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder)
    return caught.value


@pytest.mark.parametrize("read", [mnist, cifar10])
def test_folders_that_are_not_there(read: Callable[[Path | None], Any], tmp_path: Path) -> None:
    for folder in (None, tmp_path / "absent", tmp_path):
        error = refused(read, folder)
        assert error.code == "DATA-MISSING"
        assert error.hint is not None
        assert "yann.lecun.com" in error.hint or "--data DIR" in error.hint or "cifar-10-binary" in error.hint


def test_missing_files_are_named(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST/raw")
    (tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte.gz").unlink()
    assert refused(mnist, tmp_path).message == "not there: t10k-labels-idx1-ubyte"


TRAIN_IMAGES = "train-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "DATA-FORMAT"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "DATA-FORMAT"),
        (idx(np.zeros((12, 28), np.uint8)), "DATA-FORMAT"),
        (idx(np.zeros((12, 32, 32), np.uint8)), "DATA-FORMAT"),
        (idx(np.zeros((11, 28, 28), np.uint8)), "DATA-FORMAT"),
        (idx(np.zeros((0, 28, 28), np.uint8)), "DATA-FORMAT"),
        (idx(np.zeros((12, 28, 28), np.uint8))[:-1], "DATA-DAMAGED"),
        (idx(np.zeros((12, 28, 28), np.uint8)) + b"\0", "DATA-DAMAGED"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "DATA-DAMAGED"),
        (gzip.compress(idx(np.zeros((12, 28, 28), np.uint8)))[:-9], "DATA-DAMAGED"),
        (b"\x1f\x8b" + bytes(20), "DATA-DAMAGED"),
    ],
    ids=["empty", "png", "no image", "wrong size", "too few", "none", "cut", "longer", "header alone", "gzip cut", "gzip of nothing"],
)
def test_damaged_or_foreign_idx_files(content: bytes, code: str, tmp_path: Path) -> None:
    write_mnist(tmp_path, packed=False)
    (tmp_path / TRAIN_IMAGES).write_bytes(content)
    error = refused(mnist, tmp_path)
    assert error.code == code
    assert error.where == TRAIN_IMAGES


def test_labels_that_are_no_digits(tmp_path: Path) -> None:
    write_mnist(tmp_path, packed=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.full(12, 10, np.uint8)))
    assert "a label is 10" in refused(mnist, tmp_path).message


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """What a file unpacks to is bounded before it is in memory."""
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(InputError, match="more than 1000 bytes"):
        dataset.read_bytes(tmp_path / "bomb.gz", 1000)


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes([10]) + bytes(3072)])
def test_damaged_cifar_batches(content: bytes, tmp_path: Path) -> None:
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").write_bytes(content)
    error = refused(cifar10, tmp_path)
    assert error.code in ("DATA-DAMAGED", "DATA-FORMAT")
    assert error.where == "data_batch_3.bin"


class Explosion:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py"])
def test_pickled_cifar_is_never_opened(inside: str, tmp_path: Path) -> None:
    (tmp_path / inside).mkdir(exist_ok=True)
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        (tmp_path / inside / name).write_bytes(pickle.dumps(Explosion()))
    error = refused(cifar10, tmp_path)
    assert error.code == "DATA-PICKLE"
    assert "cifar-10-binary.tar.gz" in str(error)


def test_a_recipe_learns_from_files(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn brings the digits")
    write_mnist(tmp_path / "data", count=0)
    said: list[str] = []
    result = train("mnist-tfc", tmp_path / "m.pt", progress=lambda text, _: said.append(text), data=tmp_path / "data", epochs=5)
    assert result.accuracy > 0.7
    assert result.frames == 300
    assert said[-1].startswith("epoch 5 of 5")
    held_out = np.load(result.test_data)["x"]
    np.testing.assert_array_equal(held_out * 255, np.round(held_out * 255))


def test_convolutional_recipes_run_on_files(tmp_path: Path) -> None:
    write_cifar(tmp_path / "cifar", count=5)
    write_mnist(tmp_path / "mnist")
    for recipe, data in (("cifar-cnv", "cifar"), ("mnist-cnv", "mnist")):
        result = train(recipe, tmp_path / "m.pt", data=tmp_path / data, epochs=1)
        assert result.frames in (5, 12)
    assert np.load(tmp_path / "m.test.npz")["x"].shape == (12, 1, 32, 32)


def test_options_a_recipe_does_not_take(tmp_path: Path) -> None:
    for option in ({"data": tmp_path}, {"epochs": 3}):
        with pytest.raises(InputError, match="takes no") as caught:
            train("digits-mlp", tmp_path / "m.pt", **option)
        assert (caught.value.code, caught.value.where) == ("RECIPE-OPTION", f"--{next(iter(option))}")
    with pytest.raises(InputError, match="--data DIR") as caught:
        train("mnist-tfc", tmp_path / "m.pt")
    assert caught.value.code == "DATA-MISSING"


def test_augmented_frames_are_shifted_and_mirrored() -> None:
    torch = pytest.importorskip("torch")
    from hwq.zoo.disk_recipes import shifted_and_flipped

    x = torch.arange(1.0, 3 * 8 * 8 + 1).reshape(1, 3, 8, 8).repeat(64, 1, 1, 1)
    for seed in range(5):
        y = shifted_and_flipped(x, torch.Generator().manual_seed(seed))
        padded = torch.nn.functional.pad(x[:1], (4, 4, 4, 4))
        views = [padded[:, :, r : r + 8, c : c + 8] for r in range(9) for c in range(9)]
        which = [[k for k, view in enumerate(views) if torch.equal(f[None], view) or torch.equal(f[None].flip(3), view)] for f in y]
        assert all(len(set(k)) == 1 for k in which)
        assert len({k[0] for k in which}) == 1
        mirrored = sum(not torch.equal(f[None], views[which[0][0]]) for f in y)
        assert 16 < mirrored < 48
