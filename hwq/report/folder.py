"""The output folder: its default name, and reading back what ``hwq compile`` wrote."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from hwq.errors import InputError
from hwq.network.file import check_version

__all__ = ["FORMAT_VERSION", "folder_name", "read_report"]

FORMAT_VERSION = 1
LONGEST = 60


def folder_name(name: str) -> str:
    """A folder's name for a model's: itself where that is harmless on every system, else sanitised with a short hash.

    >>> folder_name("digits-mlp"), folder_name("../net")
    ('digits-mlp', 'net-6cbf1f51')
    """
    safe = re.sub(r"[^0-9A-Za-z._-]+", "-", name)[:LONGEST].strip("-.")
    if safe == name:
        return name
    return f"{safe or 'model'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def read_report(folder: Path) -> dict[str, Any]:
    """``report.json`` of a folder that ``hwq compile`` wrote; raises :class:`InputError` when it is no such folder."""
    path = folder / "report.json"
    where = str(folder)
    if not folder.is_dir():
        raise InputError("DIR-MISSING", "there is no such folder", where=where, hint="hwq compile writes it")
    if not path.is_file():
        raise InputError("DIR-FOREIGN", "this folder was not written by hwq compile (no report.json)", where=where)
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError("FILE-DAMAGED", f"report.json is damaged ({error})", where=where, hint="Compile the model again") from None
    if not isinstance(report, dict):
        raise InputError("FILE-DAMAGED", "report.json holds no object", where=where, hint="Compile the model again")
    check_version(report.get("format_version", FORMAT_VERSION), FORMAT_VERSION, str(path))
    return report
