"""Synthesis of a compiled design: real cells instead of estimates."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

__all__ = ["synthesize"]

Progress = Callable[[str, float | None], None]


def synthesize(directory: str | os.PathLike[str], *, progress: Progress | None = None) -> dict[str, Any]:
    """Cells of the design in ``directory`` by Yosys, in all and layer by layer, the estimates beside them; what ``synth.json`` holds.

    Nothing is written. Raises :class:`hwq.errors.InputError` where the folder is none of hwq's, is altered, or no Yosys is found.
    """
    from hwq.report.synthesis import synthesis_document
    from hwq.target.folder import load_folder
    from hwq.target.stage_synthesis import synthesize_folder

    folder = load_folder(os.fspath(directory))
    return synthesis_document(folder, synthesize_folder(folder, progress or (lambda text, share: None)))
