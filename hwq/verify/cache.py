"""Where compiled simulators live: a folder of this user's own, keyed by all that went into them.

Never in the folder of a design: that may come from elsewhere, and a program planted there must not run.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

__all__ = ["build_cache", "content_key", "locked", "tidy"]

KEPT = 200  # builds; a MiB or so each


def build_cache() -> Path:
    """``$HWQ_CACHE``, or ``hwq`` in ``$XDG_CACHE_HOME`` or ``~/.cache``; a temporary folder where that is not this user's alone."""
    wanted = os.environ.get("HWQ_CACHE")
    if wanted:
        base = Path(wanted)
    else:
        xdg = os.environ.get("XDG_CACHE_HOME", "")
        # The standard says: a relative path is invalid and ignored.
        base = (Path(xdg) if os.path.isabs(xdg) else Path("~/.cache").expanduser()) / "hwq"
    folder = base / "builds"
    return folder.resolve() if _is_private(folder) else _temporary()


def _is_private(folder: Path) -> bool:
    """Make ``folder``; whether it can be written and belongs to this user, and to nobody else to write in."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (OSError, RuntimeError):
        return False


@cache
def _temporary() -> Path:
    """A folder for this process."""
    return Path(tempfile.mkdtemp(prefix="hwq-build-"))


def content_key(parts: Sequence[bytes | str]) -> str:
    """A name for what is made of ``parts``, all of which count, and their borders too."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:24]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others out of ``path`` (a folder in the cache) meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def tidy(folder: Path) -> None:
    """Remove all but the latest :data:`KEPT` builds of ``folder``."""
    builds = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime)
    for stale in builds[:-KEPT]:
        shutil.rmtree(stale, ignore_errors=True)
        (folder / f"{stale.name}.lock").unlink(missing_ok=True)
