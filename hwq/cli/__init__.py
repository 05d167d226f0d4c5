"""The ``hwq`` command: a thin face over :mod:`hwq.api`. Exit codes: 0 good, 1 the answer is no, 2 bad input, 3 a bug in hwq.

Commands import what they need when they run: ``hwq --help`` loads neither numpy nor torch.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hwq.cli.console import Console
from hwq.cli.parser import parse
from hwq.errors import HwqError, InputError

__all__ = ["main"]

EXIT_BUG, EXIT_INTERRUPTED, EXIT_PIPE = 3, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    >>> main(["run", "missing.pt", "x.npy", "--json"])  # doctest: +ELLIPSIS
    {
      "error": {
        "code": "FILE-MISSING",
    ...
    2
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(words, Console(as_json="--json" in words), debug="--debug" in words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader has gone; keep the interpreter from complaining about it when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE


def _run(words: list[str], console: Console, debug: bool) -> int:
    try:
        args = parse(words)
        with _quiet(console, debug):
            code: int = args.run(args, console)
        return code
    except SystemExit as stop:  # argparse, after --help and --version
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        console.note("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _failed(error, console)


def _failed(error: Exception, console: Console) -> int:
    known = error if isinstance(error, HwqError) else _of_the_system(error)
    if known:
        console.error(known)
        return known.exit_code
    console.error(
        HwqError(
            "INTERNAL",
            f"this is a bug in hwq ({type(error).__name__}: {error})",
            hint="Please report it with the output of the same command under --debug",
        )
    )
    return EXIT_BUG


def _of_the_system(error: Exception) -> InputError | None:
    if isinstance(error, OSError) and (error.filename is not None or error.errno is not None):
        return InputError("FILE-ACCESS", (error.strerror or str(error)).lower(), where=error.filename and str(error.filename))
    if isinstance(error, MemoryError):
        return InputError("OUT-OF-MEMORY", "this machine has not enough memory for that", hint="Give fewer frames at a time")
    return None


@contextmanager
def _quiet(console: Console, debug: bool) -> Iterator[None]:
    """Warnings of libraries are not for the user; those of hwq itself are remarks."""
    logger = logging.getLogger("hwq")
    handler = logging.Handler(logging.DEBUG if debug else logging.WARNING)
    handler.emit = lambda record: console.note(record.getMessage())  # type: ignore[method-assign]
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(handler.level)
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
