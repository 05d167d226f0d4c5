"""Recognises a model file by what is in it, whatever its name, and says plainly what a foreign one is. Runs nothing from it."""

from __future__ import annotations

import enum
import json
import zipfile
import zlib
from pathlib import Path

from hwq.errors import InputError
from hwq.frontend.pickle_scan import PickleScan, scan_pickle
from hwq.frontend.protobuf_scan import looks_like_onnx
from hwq.network.container import check_sizes

__all__ = ["Format", "recognise"]

HEAD_BYTES = 4096
UNPACKED_FREE = 256 << 20
UNPACKED_RATIO = 16
OLD_TORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
WANTED = "A model saved by hwq.save, a .pt2, an ONNX or a .hwq file was expected"

# First bytes -> what the file is. Offset 0 unless given.
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"BM", "a bitmap image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x1f\x8b", "gzip-compressed data"),
    (0, b"BZh", "bzip2-compressed data"),
    (0, b"\xfd7zXZ", "xz-compressed data"),
    (0, b"7z\xbc\xaf", "a 7-zip archive"),
    (0, b"\x7fELF", "a program or library"),
    (0, b"\x93NUMPY", "a numpy array, not a model"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5 perhaps)"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    (0, b"GGUF", "a GGUF file"),
    (4, b"ET12", "an ExecuTorch program"),
    (257, b"ustar", "a tar archive (an old torch file or TensorFlow's perhaps)"),
    (0, b"SQLite format 3", "a database"),
    (0, b"RIFF", "a RIFF file (sound or video)"),
)
EXPORT_HINT = "Load it where it was made and save it with hwq.save, or export it to ONNX"


class Format(enum.Enum):
    """What hwq reads."""

    MODEL_PT = "hwq-model"
    PT2 = "pt2"
    ONNX = "onnx"
    HWQ = "hwq"


def recognise(path: Path) -> Format:
    """Format of the file at ``path``; raises :class:`InputError` with one clear sentence for anything else."""
    head = _head(path)
    where = path.name
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _zip(path)
    if head.startswith(OLD_TORCH):
        raise InputError("FILE-KIND", "this is a torch file of the old kind (before torch 1.6)", where=where, hint=EXPORT_HINT)
    for offset, magic, kind in MAGIC:
        if head[offset : offset + len(magic)] == magic:
            raise InputError("FILE-KIND", f"this is {kind}", where=where, hint=WANTED)
    if _is_safetensors(head):
        raise InputError("FILE-KIND", "this is a safetensors file: weights without their network", where=where, hint=EXPORT_HINT)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise _pickled(scan_pickle(_start(path)), where)
    if _is_text(head):
        raise InputError("FILE-KIND", f"this is {_text_kind(head)}", where=where, hint=WANTED)
    if looks_like_onnx(path):
        return Format.ONNX
    raise InputError("FILE-KIND", "this is no file that hwq knows", where=where, hint=WANTED)


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            inside = (path / "network.hwq").is_file()
            hint = "To compile it again, name its network.hwq" if inside else WANTED
            raise InputError("FILE-DIRECTORY", "this is a folder, a model file was expected", where=str(path), hint=hint)
        if not path.exists():
            raise InputError("FILE-MISSING", "there is no such file", where=str(path))
        if not path.is_file():
            raise InputError("FILE-KIND", "this is no regular file", where=str(path))
        with path.open("rb") as f:
            head = f.read(HEAD_BYTES)
    except (OSError, ValueError) as error:
        raise InputError("FILE-READ", f"the file cannot be read ({error})", where=str(path)) from None
    if not head:
        raise InputError("FILE-EMPTY", "the file is empty", where=path.name)
    return head


def _start(path: Path) -> bytes:
    with path.open("rb") as f:
        return f.read(64 << 20)


def _is_safetensors(head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return len(head) > 9 and head[8:9] == b"{" and 2 <= length < 100 << 20


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # not merely a character cut at the end
            return False
        text = head[: error.start].decode("utf-8")
    return not any(ord(c) < 32 and c not in "\t\n\r\f\x1b" for c in text)


def _text_kind(head: bytes) -> str:
    text = head.lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file itself (run 'git lfs pull')"
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page (a download that went wrong, perhaps)"
    return "a text file"


def _zip(path: Path) -> Format:
    where = path.name
    try:
        with zipfile.ZipFile(path) as z:
            check_sizes(z.infolist(), where)
            kind = _zip_format(z, where)
            if kind is not Format.HWQ:
                _refuse_compressed(z, path)
            return kind
    except InputError:
        raise
    except zipfile.BadZipFile:
        raise InputError(
            "FILE-TRUNCATED", "the file is truncated or damaged (its directory is missing)", where=where, hint="Copy or download it again"
        ) from None
    except (zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError, OSError, KeyError) as error:
        raise InputError("FILE-DAMAGED", f"the file is damaged ({error})", where=where) from None


def _refuse_compressed(z: zipfile.ZipFile, path: Path) -> None:
    """torch stores its members as they are: one that unpacks to many times the file is a trap."""
    claimed, size = sum(m.file_size for m in z.infolist()), path.stat().st_size
    if claimed > max(UNPACKED_FREE, UNPACKED_RATIO * size):
        raise InputError("FILE-BOMB", f"a file of {size} bytes claims to hold {claimed}; it was not unpacked", where=path.name)


def _small(z: zipfile.ZipFile, name: str, where: str) -> bytes:
    """A member that describes the rest, refused before it is unpacked where it is too large for that."""
    size = z.getinfo(name).file_size
    if size > UNPACKED_FREE:
        raise InputError("FILE-BOMB", f"member {name!r} claims {size} bytes; it was not unpacked", where=where)
    return z.read(name)


def _zip_format(z: zipfile.ZipFile, where: str) -> Format:
    names = z.namelist()
    tails = {n.partition("/")[2] if "/" in n else n for n in names}
    if any(n.startswith("models/") and n.endswith(".json") for n in tails | set(names)):
        return Format.PT2
    if "constants.pkl" in tails and any(t.startswith("code/") for t in tails):
        raise InputError("TORCHSCRIPT", "this is a TorchScript archive, whose graph hwq does not read", where=where, hint=EXPORT_HINT)
    pickles = [n for n in names if n == "data.pkl" or n.endswith("/data.pkl")]
    if pickles:
        return _torch_file(scan_pickle(_small(z, pickles[0], where)), where)
    if "model.json" in names and _document_format(z, where) == "hwq-network":
        return Format.HWQ
    if any(n.startswith("serialized_exported_program") for n in names):
        raise InputError(
            "FILE-KIND", "this .pt2 file was written by torch before 2.9", where=where, hint="Save it again with a newer torch"
        )
    if names and all(n.endswith(".npy") for n in names):
        raise InputError("FILE-KIND", "this is a file of numpy arrays, not a model", where=where, hint=WANTED)
    if "model.weights.h5" in names:
        raise InputError("FILE-KIND", "this is a Keras model", where=where, hint="Export it to ONNX")
    raise InputError("FILE-KIND", "this is a zip archive that holds no model", where=where, hint=WANTED)


def _document_format(z: zipfile.ZipFile, where: str) -> object:
    try:
        document = json.loads(_small(z, "model.json", where))
    except (ValueError, RecursionError):
        return None
    return document.get("format") if isinstance(document, dict) else None


def _torch_file(scan: PickleScan, where: str) -> Format:
    if "hwq-model" in scan.strings and not scan.foreign:
        return Format.MODEL_PT
    if "pytorch-lightning_version" in scan.strings:
        raise InputError(
            "LIGHTNING",
            "this is a Lightning checkpoint: weights and training state without the network",
            where=where,
            hint="Load it with load_from_checkpoint, then hwq.save(module.eval(), 'model.pt', example_input)",
        )
    if scan.foreign:
        raise _pickled(scan, where)
    raise InputError(
        "STATE-DICT",
        "this torch file holds tensors (a state dict) without the network they belong to",
        where=where,
        hint="Load it into its module, then hwq.save(module.eval(), 'model.pt', example_input)",
    )


def _pickled(scan: PickleScan, where: str) -> InputError:
    if scan.broken and not scan.foreign:
        return InputError("FILE-TRUNCATED", "the file is a truncated or damaged pickle", where=where)
    what = f" ({scan.foreign[0]})" if scan.foreign else ""
    return InputError(
        "PICKLE",
        f"this is a pickled Python object{what}, which runs code when it is loaded; nothing of it was run",
        where=where,
        hint="Where you trust it, load it with torch and save it with hwq.save(module.eval(), 'model.pt', example_input)",
    )
