"""CIFAR-10 in its binary version. The Python version is pickles, which run code when they are opened, and is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hwq.errors import InputError
from hwq.zoo.dataset import DataSet, Part, find_files, folder_of, read_bytes

__all__ = ["cifar10"]

IMAGE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # label, then red, green, blue planes
MAX_RECORDS = 100_000  # a file; the real ones have 10 000
TRAIN = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST = "test_batch.bin"
SOURCE = "The binary version, cifar-10-binary.tar.gz from www.cs.toronto.edu/~kriz/cifar.html, unpacked"


def cifar10(data: Path | None) -> DataSet:
    """50 000 training and 10 000 test images of 3 x 32 x 32 bytes, from ``data`` or ``cifar-10-batches-bin`` in it.

    Raises :class:`InputError` for files that are missing or damaged, and where only the pickled version is there.
    """
    folder = folder_of(data, "CIFAR-10", "data_batch_1.bin ... data_batch_5.bin and test_batch.bin")
    try:
        files = find_files(folder, ("cifar-10-batches-bin",), [[name] for name in (*TRAIN, TEST)], SOURCE)
    except InputError:
        _refuse_pickles(folder)
        raise
    return DataSet(_part(files[:-1]), _part(files[-1:]))


def _refuse_pickles(folder: Path) -> None:
    for place in (folder, folder / "cifar-10-batches-py"):
        if (place / "data_batch_1").is_file():
            message = "these are the Python batches, pickles, which can run code when they are opened; hwq does not open them"
            raise InputError("DATA-PICKLE", message, where=str(place), hint=SOURCE)


def _part(files: Sequence[Path]) -> Part:
    records = np.concatenate([_records(path) for path in files])
    return Part(records[:, 1:].reshape(-1, *IMAGE), records[:, 0].astype(np.int64))


def _records(path: Path) -> np.ndarray:
    content = read_bytes(path, RECORD * MAX_RECORDS)
    if not content or len(content) % RECORD:
        message = f"it has {len(content)} bytes, a whole number of records of {RECORD} was expected"
        raise InputError("DATA-DAMAGED", message, where=path.name, hint=SOURCE)
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    if int(records[:, 0].max()) > 9:
        raise InputError("DATA-FORMAT", f"a label is {int(records[:, 0].max())}, CIFAR-10 has 0..9", where=path.name, hint=SOURCE)
    return records
