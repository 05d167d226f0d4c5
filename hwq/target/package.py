"""Writes the output folder of a design: everything beside first, then in its place; a user's own files stay."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwq.errors import InputError
from hwq.network.file import save_model
from hwq.network.model import Model
from hwq.network.ops import Integers
from hwq.plan.device import Device
from hwq.plan.file import write_plan
from hwq.target.design import Design
from hwq.target.interface import interface_document
from hwq.target.interface_text import interface_text
from hwq.target.primitives import macros_of
from hwq.target.report_file import report_document
from hwq.target.scripts import constraints, instantiation, makefile, vivado_script
from hwq.target.vectors import random_integers, vector_codes, vector_frames, vectors_file
from hwq.target.verilog_bench import bench_text, bench_vectors

__all__ = ["check_output", "write_package"]

log = logging.getLogger("hwq")

MARKER = "hwq-design"
# What runs of the shipped scripts leave behind; not the user's work.
ARTEFACTS = ("sim_build", ".hwq_build", "__pycache__", "verify.json", "synth.json", "report.json", "report.html", "waves.vcd", "waves.fst")
BENCH_FRAMES = 8
BENCH_BEATS = 4096


def write_package(
    design: Design,
    model: Model,
    directory: str | Path,
    device: Device,
    *,
    inputs: Mapping[str, Integers] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Path:
    """Write the folder of ``design`` and return its path.

    Parameters
    ----------
    model
        Saved as ``network.hwq``; its network is the design's.
    inputs
        Integers by input name (N, H, W, C) for ``vectors.npz``; random legal ones by default, 64 frames or fewer in large networks.
    options
        Effective configuration, echoed in ``report.json``.

    Raises
    ------
    InputError
        ``OUTPUT-FOREIGN`` for a folder that holds something else, ``OUTPUT-UNWRITABLE``.
    """
    folder = check_output(directory)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent) as name:
            # A folder inside: what tempfile removes stays its own after the swap.
            fresh = Path(name) / "new"
            fresh.mkdir()
            files = _write_files(fresh, design, model, device, inputs)
            report = report_document(design, model, device, options=options, files=files)
            (fresh / "report.json").write_text(_json(report))
            _swap(folder, fresh, Path(name) / "old")
    except OSError as error:
        raise InputError(
            "OUTPUT-UNWRITABLE",
            f"the output folder cannot be written ({error.strerror or error})",
            where=str(directory),
            hint="Choose another with -o",
        ) from None
    return folder


def check_output(directory: str | Path) -> Path:
    """The output folder as a real path, if it may be written: absent, empty or an earlier output of hwq."""
    folder = Path(directory).expanduser()
    try:
        folder = folder.resolve()
        if folder.is_dir():
            if any(folder.iterdir()) and _manifest(folder) is None:
                raise InputError(
                    "OUTPUT-FOREIGN",
                    "this folder holds files that hwq did not write",
                    where=str(directory),
                    hint="Choose an empty or new folder with -o",
                )
            writable = os.access(folder, os.W_OK) and os.access(folder.parent, os.W_OK)
        elif folder.exists():
            raise InputError("OUTPUT-FOREIGN", "this is a file, a folder was expected", where=str(directory), hint="Choose another with -o")
        else:
            writable = _creatable(folder)
    except OSError as error:
        raise InputError("OUTPUT-UNWRITABLE", f"this path cannot be used ({error.strerror})", where=str(directory)[:200]) from None
    if not writable:
        raise InputError("OUTPUT-UNWRITABLE", "the output folder cannot be written", where=str(directory), hint="Choose another with -o")
    return folder


def _creatable(folder: Path) -> bool:
    existing = next(p for p in folder.parents if p.exists())
    return existing.is_dir() and os.access(existing, os.W_OK)


def _manifest(folder: Path) -> dict[str, str] | None:
    """Names and hashes of the files an earlier run wrote into ``folder``; None where it is not ours."""
    try:
        report = json.loads((folder / "report.json").read_text())
        return dict(report["files"]) if report["format"] == MARKER else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_files(folder: Path, design: Design, model: Model, device: Device, inputs: Mapping[str, Integers] | None) -> dict[str, str]:
    """All files but report.json; their hashes by name."""
    save_model(model, folder / "network.hwq")
    write_plan(design.plan, folder / "plan.toml", design.network)
    for name, content in _contents(design, model, device, inputs).items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def _contents(design: Design, model: Model, device: Device, inputs: Mapping[str, Integers] | None) -> dict[str, str | bytes]:
    top, ports = design.top, (*design.inputs, *design.outputs)
    integers = inputs if inputs is not None else random_integers(design.network, vector_frames(design.network))
    codes = vector_codes(design.network, design.inputs, design.outputs, integers)
    frames = len(next(iter(codes.values())))
    bench_frames = max(1, min(frames, BENCH_FRAMES, BENCH_BEATS // max(p.beats for p in ports)))
    slowest = int(design.prediction.interval + design.prediction.first_latency)
    document = interface_document(design, model)
    contents: dict[str, str | bytes] = {
        f"{top}.v": design.verilog,
        f"{top}_inst.v": instantiation(top, design.ports),
        "interface.json": _json(document),
        "INTERFACE.md": interface_text(document, model, codes, ports, design.verilog),
        "vectors.npz": vectors_file(codes),
        f"test_{top}.py": bench_source(),
        "Makefile": makefile(top),
        f"tb_{top}.v": bench_text(top, ports, design.ports, bench_frames, [f.name for f in design.memories], slowest),
        f"tb_{top}.vh": bench_vectors(ports, codes, bench_frames),
        "vivado.tcl": vivado_script(top, device.part, {f.name: len(f.text) for f in design.memories}, macros_of(design.verilog)),
        f"{top}.xdc": constraints(design.plan.clock_mhz),
    }
    contents |= {f.name: f.text for f in design.memories}
    return contents


def bench_source() -> str:
    """The generic cocotb bench, which is shipped with every design."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_data" / "sim" / "bench_axis.py"
    return (installed if installed.is_file() else package.parent / "sim" / "bench_axis.py").read_text()


def _swap(folder: Path, fresh: Path, old: Path) -> None:
    """Put ``fresh`` in the place of ``folder``, which goes to ``old``; undone when it fails half-way."""
    if not folder.exists():
        os.rename(fresh, folder)
        return
    _keep_foreign(folder, fresh)
    try:
        os.rename(folder, old)
        os.rename(fresh, folder)
    except BaseException:  # Ctrl-C too: what is left in `old` is deleted with the temporary folder
        if not folder.exists():
            os.rename(old, folder)
        raise


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def _keep_foreign(old: Path, fresh: Path) -> None:
    """Take the user's own files of ``old`` along, and his edits of ours as ``<name>.bak``."""
    manifest = _manifest(old) or {}
    for path in sorted(old.iterdir()):
        if path.name in ARTEFACTS:
            continue
        if path.name in manifest and path.is_file():
            if hashlib.sha256(path.read_bytes()).hexdigest() != manifest[path.name]:
                log.warning("%s was edited; the edited file is kept as %s.bak", path.name, path.name)
                shutil.copy2(path, fresh / f"{path.name}.bak")
        elif path.is_dir() and not path.is_symlink():
            shutil.copytree(path, fresh / path.name, symlinks=True, dirs_exist_ok=True)
        elif not (fresh / path.name).exists():
            shutil.copy2(path, fresh / path.name, follow_symlinks=False)
        else:
            shutil.copy2(path, fresh / f"{path.name}.bak", follow_symlinks=False)
