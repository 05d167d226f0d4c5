"""MNIST and its relatives in idx files. Source: the format's description at yann.lecun.com/exdb/mnist."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.zoo.dataset import DataSet, Part, find_files, folder_of, read_bytes

__all__ = ["mnist"]

SIDE = 28
MAX_IMAGES = 1_000_000
STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
FILES = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz"
SOURCE = "The four files of MNIST, packed (.gz) or not, as yann.lecun.com/exdb/mnist or torchvision's MNIST/raw has them"
UNSIGNED_BYTES = 8


def mnist(data: Path | None) -> DataSet:
    """60 000 training and 10 000 test images of 28 x 28 bytes, from ``data`` or torchvision's ``MNIST/raw`` in it.

    Raises :class:`InputError` for files that are missing, damaged, or of another data set.
    """
    folder = folder_of(data, "MNIST", FILES)
    parts = find_files(folder, ("MNIST/raw", "raw", "mnist"), [_spellings(stem) for stem in STEMS], SOURCE)
    return DataSet(_part(*parts[:2]), _part(*parts[2:]))


def _spellings(stem: str) -> list[str]:
    kind = "idx3-ubyte" if stem.endswith("images") else "idx1-ubyte"
    return [f"{stem}{dot}{kind}{packed}" for dot in "-." for packed in ("", ".gz")]


def _part(images: Path, labels: Path) -> Part:
    x, y = _idx(images, 3), _idx(labels, 1)
    if x.shape[1:] != (SIDE, SIDE):
        raise InputError("DATA-FORMAT", f"images of {x.shape[1]} x {x.shape[2]} pixels, 28 x 28 were expected", where=images.name)
    if len(x) != len(y) or len(x) == 0:
        raise InputError("DATA-FORMAT", f"{len(x)} images, but {len(y)} labels in {labels.name}", where=images.name)
    if int(y.max()) > 9:
        raise InputError("DATA-FORMAT", f"a label is {int(y.max())}, digits have 0..9", where=labels.name)
    return Part(x.reshape(-1, 1, SIDE, SIDE), y.astype(np.int64))


def _idx(path: Path, rank: int) -> NDArray[np.uint8]:
    """An idx file of bytes: two zeros, type 8, rank, big-endian sizes, the elements."""
    header = 4 + 4 * rank
    content = read_bytes(path, header + MAX_IMAGES * (SIDE * SIDE if rank == 3 else 1))
    if len(content) < header or content[:4] != bytes([0, 0, UNSIGNED_BYTES, rank]):
        raise InputError("DATA-FORMAT", f"this is no idx file of bytes with {rank} axes", where=path.name, hint=SOURCE)
    shape = struct.unpack(f">{rank}I", content[4:header])
    elements = 1
    for n in shape:
        elements *= n
    if len(content) != header + elements:
        message = f"{' x '.join(map(str, shape))} elements are announced, {len(content) - header} are there"
        raise InputError("DATA-DAMAGED", message, where=path.name, hint="Download it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
