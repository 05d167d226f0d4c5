"""What a command says and where: answers on stdout, progress and errors on stderr, one document with ``--json``."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from hwq.errors import HwqError, Problems
from hwq.report.table import printable

__all__ = ["Console", "Progress"]

Progress = Callable[[str, float | None], None]
SECONDS_BETWEEN = 10  # at least, from one line of progress in a pipe to the next


class Console:
    """The mouth of one command.

    Parameters
    ----------
    as_json
        Print nothing but one JSON document on stdout.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):
            # A layer name outside the terminal's character set must not end the program.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def say(self, text: str = "") -> None:
        """A part of the answer, for people."""
        if not self.as_json:
            print(_lines(text), file=sys.stdout)

    def note(self, text: str) -> None:
        """A remark beside the answer, on stderr."""
        if not self.as_json:
            print(_lines(text), file=sys.stderr)

    def document(self, document: Mapping[str, Any]) -> None:
        """The answer, for programs."""
        if self.as_json:
            print(json.dumps(_plain(document), indent=2, ensure_ascii=True, allow_nan=False), file=sys.stdout)

    def error(self, error: HwqError) -> None:
        """All that ``error`` stands for: one line each on stderr, or a document on stdout."""
        entries = error.entries()
        if not self.as_json:
            for e in entries:
                print(_lines(f"error[{e.code}]: {e}"), file=sys.stderr)
        elif isinstance(error, Problems):
            self.document({"errors": [e.to_json() for e in entries]})
        else:
            self.document({"error": error.to_json()})

    @contextmanager
    def progress(self, *, in_pipes: bool = False) -> Iterator[Progress]:
        """A callback ``(text, fraction or None)`` that shows long work on a terminal; in a pipe nothing, or a line now and then."""
        if self.as_json or not sys.stderr.isatty():
            yield _Lines(self.note) if in_pipes and not self.as_json else _silent
            return
        with _terminal_progress(sys.stderr) as callback:
            yield callback


def _lines(text: str) -> str:
    """``text`` without terminal escapes, its lines kept."""
    return "\n".join(map(printable, text.split("\n")))


class _Lines:
    """Progress where no line can be written over: one that comes soon after another is not shown."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note, self.after = note, 0.0

    def __call__(self, text: str, fraction: float | None = None) -> None:
        now = time.monotonic()
        if now >= self.after:
            self.note(f"{text} ...")
            self.after = now + SECONDS_BETWEEN


def _silent(text: str, fraction: float | None = None) -> None:
    pass


@contextmanager
def _terminal_progress(stream: TextIO) -> Iterator[Progress]:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=RichConsole(file=stream), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(text: str, fraction: float | None = None) -> None:
            total = None if fraction is None else 1.0
            bar.update(task, description=printable(text), total=total, completed=fraction or 0.0)

        yield show


def _plain(value: Any) -> Any:
    """``value`` as JSON can hold it: numpy scalars and arrays become numbers and lists, NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)
