"""Arrays from the user's files: .npy and .npz without pickles, checked against what the model takes and gives."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError, Problems
from hwq.network.container import check_sizes
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import Integers

__all__ = ["load_arrays", "load_codes", "load_inputs", "load_labels", "load_reference"]

Array = NDArray[Any]
SINGLE = ""  # the key of a .npy's only array
INPUT_KEYS = ("x", "inputs", "images")
LABEL_KEYS = ("labels", "y")
REFERENCE_KEYS = ("reference", "scores")


def load_arrays(path: Path) -> dict[str, Array]:
    """Arrays of a ``.npz`` by name, or of a ``.npy`` under ``""``; object arrays, pickles and zip bombs are refused."""
    if not path.exists():
        raise InputError("FILE-MISSING", "there is no such file", where=str(path))
    if not path.is_file():
        raise InputError("FILE-KIND", "this is no file; a .npy or .npz was expected", where=str(path))
    with path.open("rb") as f:
        magic = f.read(6)
    try:
        if magic == b"\x93NUMPY":
            # Mapped, because the size a header claims is then checked against the file before memory is taken.
            return {SINGLE: np.array(np.lib.format.open_memmap(path, mode="r"))}
        if magic[:2] == b"PK":
            return _read_npz(path)
    except (ValueError, EOFError, OverflowError, SyntaxError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError) as error:
        raise _damaged(path, error) from None
    raise InputError("FILE-FORMAT", "this is neither a .npy nor a .npz file", where=str(path), hint="Save the array with numpy.save")


def _read_npz(path: Path) -> dict[str, Array]:
    with zipfile.ZipFile(path) as z:
        check_sizes(z.infolist(), str(path))
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name, array in arrays.items():
        # numpy hands out the bytes of a member that is no .npy.
        if not isinstance(array, np.ndarray):
            raise InputError("FILE-DAMAGED", f"{name!r} in this file is no array", where=str(path), hint="Save it with numpy.savez")
    return arrays


def _damaged(path: Path, error: Exception) -> InputError:
    if "object" in str(error).lower():
        hint = "Convert it to numbers first, for example numpy.stack(list(array))"
        return InputError("FILE-OBJECTS", "the array holds Python objects, numbers were expected", where=str(path), hint=hint)
    return InputError("FILE-DAMAGED", f"the file is truncated or damaged ({type(error).__name__})", where=str(path))


def _choose(arrays: Mapping[str, Array], keys: Sequence[str], path: Path) -> Array:
    """The array under the first of ``keys`` that is there, or the only array."""
    for key in keys:
        if key in arrays:
            return arrays[key]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    names = ", ".join(map(repr, arrays)) or "nothing"
    wanted = ", ".join(map(repr, dict.fromkeys(keys)))
    raise InputError("INPUT-KEY", f"the file holds {names}; one of {wanted} was expected", where=str(path))


def _by_input(model: Model, path: Path) -> dict[str, Array]:
    arrays = load_arrays(path)
    names = [i.name for i in model.inputs]
    if len(names) == 1:
        return {names[0]: _choose(arrays, (*names, *INPUT_KEYS), path)}
    missing = [n for n in names if n not in arrays]
    if missing:
        found = ", ".join(map(repr, filter(None, arrays))) or "one array without a name"
        hint = "Save them with numpy.savez, one key an input"
        raise InputError(
            "INPUT-MISSING", f"the model wants inputs {', '.join(map(repr, names))}; the file holds {found}", where=str(path), hint=hint
        )
    return {n: arrays[n] for n in names}


def load_inputs(model: Model, path: Path) -> tuple[dict[str, Array], list[str]]:
    """Frames (N, ...) as the model takes them, in its dtype, and remarks on what had to be changed for that."""
    given = _by_input(model, path)
    remarks: list[str] = []
    problems: list[InputError] = []
    frames: dict[str, Array] = {}
    for i in model.inputs:
        try:
            frames[i.name] = _as_input(i, given[i.name], remarks)
        except InputError as error:
            problems.append(error)
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    _check_frames(frames)
    return frames, remarks


def _as_input(i: ModelInput, x: Array, remarks: list[str]) -> Array:
    if x.dtype.kind not in "biuf":
        raise InputError("INPUT-DTYPE", f"the array holds {x.dtype}, {i.dtype} was expected", where=i.name)
    if x.shape == i.shape:
        x = x[None]
        remarks.append(f"{i.name}: one frame without a batch axis; added it")
    if x.ndim == 0 or x.shape[1:] != i.shape:
        expected = ", ".join(map(str, ("N", *i.shape)))
        raise InputError("INPUT-SHAPE", f"the array has shape {x.shape}, expected ({expected})", where=i.name)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        frame = int(np.argwhere(~np.isfinite(x))[0][0])
        raise InputError("INPUT-NAN", f"frame {frame} holds NaN or infinity", where=i.name, hint="Clean the data first")
    return _cast(i, x, remarks)


def _cast(i: ModelInput, x: Array, remarks: list[str]) -> Array:
    dtype = np.dtype(i.dtype)
    if x.dtype == dtype:
        return x
    with np.errstate(over="ignore"):
        y = x.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(y, x):
        raise InputError("INPUT-DTYPE", f"the array holds {x.dtype} with values that {dtype} cannot hold", where=i.name)
    if not np.isfinite(y).all():
        raise InputError("INPUT-RANGE", f"the array holds values that {dtype} cannot hold", where=i.name)
    remarks.append(f"{i.name}: {x.dtype} cast to {dtype}, as the model takes it")
    return y


def _check_frames(frames: Mapping[str, Array]) -> None:
    counts = {name: len(x) for name, x in frames.items()}
    if len(set(counts.values())) > 1:
        raise InputError("INPUT-FRAMES", f"the inputs hold different numbers of frames: {counts}")
    if 0 in counts.values():
        raise InputError("INPUT-EMPTY", "the file holds no frame")


def load_codes(model: Model, path: Path) -> dict[str, Integers]:
    """Integers (N, H, W, C) of the Network's inputs, strictly of their encoding; (N, C) where the image is 1x1."""
    arrays = _by_input(model, path)
    codes: dict[str, Integers] = {}
    for i in model.network.inputs:
        x = arrays[i.name]
        if x.dtype.kind not in "biu":
            raise InputError("INPUT-DTYPE", f"the array holds {x.dtype}; --codes takes integers", where=i.name)
        if i.shape[:2] == (1, 1) and x.ndim == 2:
            x = x[:, None, None, :]
        if x.shape[1:] != i.shape:
            expected = ", ".join(map(str, ("N", *i.shape)))
            raise InputError(
                "INPUT-SHAPE", f"the array has shape {x.shape}; codes have the shape of the stream, ({expected})", where=i.name
            )
        inside = i.encoding.contains(x)
        if not inside.all():
            frame = int(np.argwhere(~inside)[0][0])
            what = f"frame {frame}: {x[~inside].flat[0]} is not one of the integers of {i.encoding.name}"
            raise InputError("CODE-RANGE", f"{what} ({i.encoding.lo}..{i.encoding.hi}, step {i.encoding.step})", where=i.name)
        codes[i.name] = x.astype(np.int64)
    _check_frames(codes)
    return codes


def load_labels(path: Path, frames: int, classes: int | None) -> NDArray[np.int64]:
    """Class indices (N,), one a frame, 0..classes - 1."""
    labels = _choose(load_arrays(path), LABEL_KEYS, path)
    where = str(path)
    if labels.dtype.kind not in "iu":
        raise InputError("LABELS-DTYPE", f"the labels hold {labels.dtype}, integers were expected", where=where)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InputError(
            "LABELS-SHAPE", f"the labels have shape {labels.shape}, expected (N,)", where=where, hint="One class index a frame"
        )
    if len(labels) != frames:
        raise InputError("LABELS-LENGTH", f"{len(labels)} labels for {frames} frames", where=where)
    high = classes if classes is not None else np.inf
    wrong = (labels < 0) | (labels >= high)
    if wrong.any():
        raise InputError("LABELS-RANGE", f"label {labels[wrong][0]} is outside 0..{high - 1}", where=where)
    return labels.astype(np.int64)


def load_reference(path: Path, output: ModelOutput, frames: int) -> Array:
    """Scores (N, ...) that the source model gave elsewhere for the same frames."""
    scores = _choose(load_arrays(path), (*REFERENCE_KEYS, output.name, "y"), path)
    where = str(path)
    if scores.dtype.kind not in "biuf":
        raise InputError("REFERENCE-DTYPE", f"the scores hold {scores.dtype}, numbers were expected", where=where)
    if scores.shape != (frames, *output.shape):
        raise InputError("REFERENCE-SHAPE", f"the scores have shape {scores.shape}, expected {(frames, *output.shape)}", where=where)
    if scores.dtype.kind == "f" and np.isnan(scores).any():
        raise InputError("REFERENCE-NAN", "the scores hold NaN", where=where)
    return scores
