"""Reads an output folder back, and refuses one whose files are not those that were written."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hwq.errors import HwqError, InputError, Problems
from hwq.network.file import check_version, load_model, network_hash
from hwq.network.graph import Network
from hwq.network.model import Model
from hwq.plan.file import read_plan
from hwq.plan.plan import Plan, plan_hash
from hwq.target import interface, report_file
from hwq.target.streams import StreamPort, stream_ports

__all__ = ["Folder", "check_no_file", "load_folder"]

MODELS = (".pt", ".pt2", ".onnx", ".hwq")
# Files that decide what is verified; the others may be edited freely.
CHECKED_SUFFIXES = (".v", ".vh", ".mem", ".hwq", ".toml", ".npz", ".py", "interface.json")
# What a design cannot do without, beside <top>.v, its bench and its memories.
NEEDED = ("network.hwq", "plan.toml", "interface.json", "vectors.npz")

# The fields that hwq reads of its own documents, and their kinds.
REPORT = {"name": str, "target": str, "part": str, "bottleneck": str, "clock_mhz": float, "cycles_per_frame": float}
REPORT |= {"latency_cycles": float, "fps": float, "resources": dict, "layers": list, "modules": dict, "hashes": dict, "files": dict}
LAYER = {"name": str, "op": str, "pe": float, "cycles": float, "resources": dict}
MOST_LATENCY = 1 << 12  # cycles of the circuit of an unrolled layer; real ones take tens
INTERFACE = {"top": str, "inputs": list, "outputs": list, "ports": list, "memories": dict, "files": dict}


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
    path = check_no_file(directory)
    report = _document(path, "report.json", "hwq-design", report_file.FORMAT_VERSION)
    _check_report(report, str(path / "report.json"))
    _check_files(path, report)
    description = _document(path, "interface.json", "hwq-interface", interface.FORMAT_VERSION)
    _check_interface(path, report, description)
    model = load_model(path / "network.hwq")
    plan = read_plan(path / "plan.toml", model.network)
    for kind, found in (("network", network_hash(model.network)), ("plan", plan_hash(plan))):
        if found != report["hashes"].get(kind):
            message = f"the {kind} is not the one this design was built from"
            raise InputError("FOLDER-ALTERED", message, where=str(directory), hint=_compile_again(path, report))
    return Folder(path, report["name"], model, replace(plan, circuits=_circuits(report)), description, report)


def check_no_file(directory: str | Path) -> Path:
    """``directory`` as a path; raises :class:`InputError` where it is a file, such as the model that was compiled."""
    path = Path(directory)
    if path.is_file():
        kind = "a model" if path.suffix in MODELS else "a file"
        raise InputError("FOLDER-FORMAT", f"this is {kind}; give the folder hwq compile wrote", where=str(directory))
    return path


def _document(path: Path, name: str, form: str, version: int) -> dict[str, Any]:
    where = str(path / name)
    try:
        document = json.loads((path / name).read_text())
    except FileNotFoundError:
        hint = "Give the folder that hwq compile wrote"
        raise InputError("FOLDER-FORMAT", f"there is no {name}: this is no output folder of hwq", where=str(path), hint=hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(f"this file is damaged ({error})", where) from None
    if not isinstance(document, dict) or document.get("format") != form:
        raise InputError("FOLDER-FORMAT", "this file was not written by hwq", where=where)
    check_version(document.get("format_version"), version, where)
    return document


def _damaged(message: str, where: str) -> InputError:
    return InputError("FOLDER-DAMAGED", message, where=where, hint="Compile again")


def _check_kinds(document: Any, kinds: Mapping[str, type], where: str, what: str = "") -> None:
    """Raise unless ``document`` is a table that has every field of ``kinds`` in that kind; float: a finite number, zero or more."""
    if not isinstance(document, dict):
        raise _damaged(f"this file is damaged: {what or 'it'} is no table", where)
    for name, kind in kinds.items():
        value = document.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
        if not (is_number if kind is float else isinstance(value, kind)):
            raise _damaged(f"this file is damaged: {what}{name} is missing or of the wrong kind", where)


def _check_report(report: dict[str, Any], where: str) -> None:
    _check_kinds(report, REPORT, where)
    for n, layer in enumerate(report["layers"]):
        _check_kinds(layer, LAYER, where, f"layer {n}: ")
        if "circuit" in layer:
            _check_circuit(layer["circuit"], where, f"layer {n}: circuit: ")
    for table, names in (("hashes", ("network", "plan")), ("files", report["files"]), ("modules", report["modules"])):
        _check_kinds(report[table], dict.fromkeys(names, str), where, f"{table}: ")
    amounts = [report["resources"], report.get("utilisation") or {}, *(layer["resources"] for layer in report["layers"])]
    for amount in amounts:
        _check_kinds(amount, dict.fromkeys(amount, float), where, "resources: ")
    if not report["clock_mhz"] or not re.fullmatch(r"[A-Za-z]\w*", report["name"], re.ASCII):
        raise _damaged("this file is damaged: clock_mhz or name is none", where)


def _check_circuit(circuit: Any, where: str, what: str) -> None:
    _check_kinds(circuit, {"latency": int}, where, what)
    if not 0 <= circuit["latency"] <= MOST_LATENCY:
        raise _damaged(f"this file is damaged: {what}latency is {circuit['latency']}, expected 0 to {MOST_LATENCY}", where)


def _circuits(report: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Cycles of the circuits of unrolled layers as they were built: to make them again only to know would take minutes."""
    return tuple((layer["name"], layer["circuit"]["latency"]) for layer in report["layers"] if "circuit" in layer)


def _check_interface(path: Path, report: dict[str, Any], description: dict[str, Any]) -> None:
    where = str(path / "interface.json")
    _check_kinds(description, INTERFACE, where)
    for port in description["ports"]:
        _check_kinds(port, {"name": str}, where, "ports: ")
    if description["top"] != report["name"]:
        raise _damaged(f"this file is of another design, {description['top']!r}", where)
    # Every memory is a file of the list, and so compared with its hash.
    missing = [m for m in sorted({*description["memories"], *_memories(path / f"{report['name']}.v")}) if m not in report["files"]]
    if missing:
        raise _damaged(f"report.json does not list the memory file {missing[0]!r}", str(path))


def _memories(verilog: Path) -> Iterator[str]:
    """Names of the files that ``verilog`` reads."""
    return (m[1] for m in re.finditer(r'\$readmem[hb]\s*\(\s*"([^"]*)"', verilog.read_text(errors="replace")))


def _check_files(path: Path, report: dict[str, Any]) -> None:
    files, top = report["files"], report["name"]
    for name in (f"{top}.v", f"test_{top}.py", *NEEDED):
        if name not in files:
            raise _damaged(f"report.json does not list {name}", str(path))
    problems: list[HwqError] = []
    for name, digest in files.items():
        if Path(name).name != name:
            raise _damaged(f"report.json lists {name!r}, which lies elsewhere", str(path))
        file = path / name
        if not name.endswith(CHECKED_SUFFIXES):
            continue
        if not file.is_file():
            problems.append(InputError("FILE-MISSING", "the file is missing", where=str(file), hint="Compile again"))
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            problems.append(_altered(path, name, report))
    if problems:
        raise Problems(problems)


def _altered(path: Path, name: str, report: Mapping[str, Any]) -> InputError:
    hint = "Compile the model again" if name == "network.hwq" else _compile_again(path, report)
    edited, altered = "the plan was edited, the design here is that of the old one", "the file was altered after it was written"
    what = edited if name == "plan.toml" else altered
    return InputError("FILE-ALTERED", what, where=str(path / name), hint=hint)


def _compile_again(path: Path, report: Mapping[str, Any]) -> str:
    """The command that makes the folder anew from its own network and plan."""
    form = (report.get("options") or {}).get("primitives", "portable")
    words = ["hwq", "compile", str(path / "network.hwq"), "--plan", str(path / "plan.toml"), "-o", str(path)]
    return f"Compile again: {shlex.join(words + (['--primitives', str(form)] if form != 'portable' else []))}"
