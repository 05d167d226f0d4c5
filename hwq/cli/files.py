"""Files that commands write because an option named them."""

from __future__ import annotations

import os
from pathlib import Path

from hwq.errors import InputError

__all__ = ["write_text"]


def write_text(path: Path, text: str, option: str) -> None:
    """Write ``text`` to ``path``, whole or not at all; raises :class:`InputError` naming ``option`` where that cannot be."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError("OUTPUT-UNWRITABLE", f"{path} cannot be written ({reason})", where=option, hint="Choose another file") from None
