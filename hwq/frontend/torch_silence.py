"""What torch says beside its errors, held back: the error alone reaches the user."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

__all__ = ["silence"]


@contextmanager
def silence() -> Iterator[None]:
    """No warnings, and nothing of what torch logs and prints to stderr where an export fails: the error says it."""
    log = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    level = log.level
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)
