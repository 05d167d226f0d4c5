"""Reads an output folder back, and refuses one whose files are not those that were written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwq.errors import HwqError, InputError, Problems
from hwq.network.file import check_version, load_model, network_hash
from hwq.network.graph import Network
from hwq.network.model import Model
from hwq.plan.file import read_plan
from hwq.plan.plan import Plan
from hwq.target import interface, report_file
from hwq.target.design import plan_hash
from hwq.target.streams import StreamPort, stream_ports

__all__ = ["Folder", "load_folder"]

# Files that decide what is verified; the others may be edited freely.
CHECKED_SUFFIXES = (".v", ".vh", ".mem", ".hwq", ".toml", ".npz", ".py", "interface.json")


@dataclass(frozen=True, eq=False)
class Folder:
    """An output folder with its documents, model and plan."""

    path: Path
    top: str
    model: Model
    plan: Plan
    interface: dict[str, Any]
    report: dict[str, Any]

    @property
    def network(self) -> Network:
        """The Network that the design computes."""
        return self.model.network

    @property
    def inputs(self) -> tuple[StreamPort, ...]:
        """AXI4-Stream ports of the graph inputs."""
        return stream_ports(self.network, self.plan)[0]

    @property
    def outputs(self) -> tuple[StreamPort, ...]:
        """AXI4-Stream ports of the graph outputs."""
        return stream_ports(self.network, self.plan)[1]

    @property
    def ports(self) -> tuple[StreamPort, ...]:
        """All AXI4-Stream ports, inputs first."""
        return (*self.inputs, *self.outputs)

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of all ports of the top."""
        return tuple(p["name"] for p in self.interface["ports"])

    @property
    def memories(self) -> tuple[str, ...]:
        """Names of the memory files."""
        return tuple(self.interface["memories"])

    @property
    def hashes(self) -> dict[str, str]:
        """sha256 of model, network, plan and Verilog."""
        files = self.report["files"]
        return {"model": files["network.hwq"], **self.report["hashes"], "verilog": files[f"{self.top}.v"]}


def load_folder(directory: str | Path) -> Folder:
    """Read an output folder of ``hwq compile``.

    Raises :class:`InputError` where it is none or newer than this hwq, :class:`Problems` naming every file that is
    missing or was altered.
    """
    path = Path(directory)
    report = _document(path, "report.json", "hwq-design", report_file.FORMAT_VERSION)
    _check_files(path, report)
    description = _document(path, "interface.json", "hwq-interface", interface.FORMAT_VERSION)
    model = load_model(path / "network.hwq")
    plan = read_plan(path / "plan.toml", model.network)
    for kind, found in (("network", network_hash(model.network)), ("plan", plan_hash(plan))):
        if found != report["hashes"].get(kind):
            raise InputError(
                "FOLDER-ALTERED", f"the {kind} is not the one this design was built from", where=str(directory), hint="Compile again"
            )
    return Folder(path, report["name"], model, plan, description, report)


def _document(path: Path, name: str, form: str, version: int) -> dict[str, Any]:
    where = str(path / name)
    try:
        document = json.loads((path / name).read_text())
    except FileNotFoundError:
        hint = "Give the folder that hwq compile wrote"
        raise InputError("FOLDER-FORMAT", f"there is no {name}: this is no output folder of hwq", where=str(path), hint=hint) from None
    except (OSError, ValueError) as error:
        raise InputError("FOLDER-DAMAGED", f"this file is damaged ({error})", where=where) from None
    if not isinstance(document, dict) or document.get("format") != form:
        raise InputError("FOLDER-FORMAT", "this file was not written by hwq", where=where)
    check_version(document.get("format_version"), version, where)
    return document


def _check_files(path: Path, report: dict[str, Any]) -> None:
    files = report.get("files")
    if not isinstance(files, dict):
        raise InputError("FOLDER-DAMAGED", "report.json lists no files", where=str(path))
    problems: list[HwqError] = []
    for name, digest in files.items():
        file = path / Path(name).name
        if not name.endswith(CHECKED_SUFFIXES):
            continue
        if not file.is_file():
            problems.append(InputError("FILE-MISSING", "the file is missing", where=str(file), hint="Compile again"))
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            problems.append(InputError("FILE-ALTERED", "the file was altered after it was written", where=str(file), hint="Compile again"))
    if problems:
        raise Problems(problems)
