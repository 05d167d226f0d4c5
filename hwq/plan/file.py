"""plan.toml: the file form of a Plan, to be read, edited and given back with ``--plan``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeGuard

from hwq.errors import HwqError, InputError, Problems
from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.draft import SILENT, FifoDraft, PlanDraft, StageDraft
from hwq.plan.geometry import ceil_div
from hwq.plan.plan import Plan, StagePlan
from hwq.plan.rules import breaches
from hwq.plan.stages import stages_of
from hwq.plan.summary import StageSummary, summary_of
from hwq.plan.units import Converter, Fifo, Fork

__all__ = ["FORMAT_VERSION", "plan_text", "read_draft", "read_plan", "write_plan"]

FORMAT_VERSION = 3  # 2: buffer_memory, constants, memory of FIFOs; 3: style unrolled, multiplier, accumulator; all read
MAX_FILE = 1 << 24
TOML_HINT = "A plan is the plan.toml of an output folder, or lines of it"

HEADER = """\
# How the network is computed: lanes, memories, FIFO depths. Nothing here changes an output bit.
# Edit it and give it back with --plan. Any line of a stage but its name may be left out, whole tables too:
# what is not said is chosen anew. Stages whose pe or simd you change want buffer and depth left out.
"""
NOTES = """\
# [[stage]]: pe rows and simd columns a cycle (they need not divide the layer), pixels windows side by side a cycle,
#   style folded | constant (all rows or all columns at once) | unrolled (weights are wiring: a window a cycle, pe all rows, simd
#   the channels of an input word) | auto (the cheapest; where left out too, but of small circuits only),
#   memory lutram | block for folded, logic for the others,
#   buffer input words of pixels x simd elements (pe without columns), depth output words of pixels x pe elements,
#   buffer_memory auto | lutram | block | ultra, constants (thresholds, multipliers) auto | logic | lutram | block,
#   multiplier auto | lut | dsp | inferred (wide products left to synthesis), accumulator auto | lut | dsp (auto where left out).
# [[fifo]]: depth words, memory as buffer_memory.
"""

_TOP = ("format_version", "network", "target", "clock_mhz", "stream", "stage", "fifo")
_TEXTS = ("name", "style", "memory", "buffer_memory", "constants", "multiplier", "accumulator")
_TABLES: Mapping[str, tuple[str, ...]] = {
    "stream": ("name", "bus_bits"),
    "stage": tuple(f.name for f in fields(StageDraft)),
    "fifo": tuple(f.name for f in fields(FifoDraft)),
}


def write_plan(plan: Plan, path: Path, network: Network | None = None) -> None:
    """Write ``plan`` as TOML; with ``network`` every stage is commented with its size and folds, every FIFO with its place."""
    path.write_text(plan_text(plan, network), encoding="utf-8", newline="\n")


def plan_text(plan: Plan, network: Network | None = None) -> str:
    """The text of ``plan.toml``, the same for equal plans."""
    lines = [HEADER, f"format_version = {FORMAT_VERSION}"]
    lines += [f"network = {_quoted(plan.network)}  # sha256", f"target = {_quoted(plan.target)}", f"clock_mhz = {float(plan.clock_mhz)!r}"]
    for stream in plan.streams:
        lines += _table("stream", vars(stream))
    lines += ["", NOTES.rstrip()]
    summaries = {s.name: summary_of(network, s) for s in stages_of(network)} if network else {}
    for stage in plan.stages:
        said = {k: v for k, v in vars(stage).items() if v != "auto" or k not in SILENT}
        lines += _table("stage", said, _folds(summaries[stage.name], stage) if network else "")
    ways = _ways(network, plan) if network and plan.fifos else {}
    for fifo in plan.fifos:
        lines += _table("fifo", vars(fifo), ways.get(fifo.name, ""))
    return "\n".join(lines) + "\n"


def _folds(s: StageSummary, stage: StagePlan) -> str:
    image = f", {s.out_shape[0]}x{s.out_shape[1]} pixels" if s.out_shape[:2] != (1, 1) else ""
    size = f"{s.mw} x {s.mh}" if s.groups == 1 else f"{s.groups} groups of {s.mw} x {s.mh // s.groups}"
    if stage.style == "unrolled":
        words = s.slide(stage.simd).words
        return f"{size}, unrolled{f', {words} words a pixel' if words > 1 else ''}{image}"
    if s.kind == "mvu":
        g = s.geometry(stage.pe, stage.simd, stage.pixels)
        return f"{size}, {g.sf} x {g.passes * g.blocks} folds{image}"
    return f"{s.kind}, {ceil_div(s.rows, stage.pe)} words"


def _ways(network: Network, plan: Plan) -> dict[str, str]:
    """Where every FIFO and converter stands, and how wide the words are that it stores."""
    dataflow = dataflow_of(network, plan)
    writer = {e: u for u in dataflow.units for e in u.outputs}
    reader = {e: u for u in dataflow.units for e in u.inputs}
    found = {}
    for unit in dataflow.units:
        if isinstance(unit, Fifo | Converter):
            before, behind = writer[unit.inputs[0]], reader[unit.outputs[0]]
            while isinstance(before, Fifo | Converter | Fork):
                before = writer[before.inputs[0]]
            while isinstance(behind, Fifo | Converter):
                behind = reader[behind.outputs[0]]
            bits = dataflow.edges[unit.outputs[0]].word_bits
            found[unit.name] = f"from {_comment(before.name)} to {_comment(behind.name)}, words of {bits} bits"
    return found


def _comment(name: str) -> str:
    """A name that cannot end the comment it stands in."""
    return name if name.isprintable() else _quoted(name)


def _table(kind: str, values: Mapping[str, Any], comment: str = "") -> list[str]:
    head = f"[[{kind}]]" + (f"  # {comment}" if comment else "")
    return ["", head, *(f"{k} = {_quoted(v) if isinstance(v, str) else v}" for k, v in values.items())]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", escaped) + '"'


def read_plan(path: Path, network: Network) -> Plan:
    """The complete plan of ``network`` in a file; raises :class:`Problems` with every mistake and every gap."""
    draft = read_draft(path, network)
    problems = list(_gaps(draft, network))
    if problems:
        raise Problems(problems)
    return draft.complete()


def read_draft(path: Path, network: Network | None = None) -> PlanDraft:
    """What a plan file fixes, the rest open; raises :class:`Problems` with every mistake, each named by stage and field.

    Without ``network`` only the form is checked; the planner checks the rest. A file without ``format_version`` counts as
    one of version 1: a plan may be two lines by hand.
    """
    document = _load(path)
    problems = list(_document_problems(document, path.name))
    if network is None:
        if problems:
            raise Problems(problems)
        return _draft(document)
    draft = _draft(_well_formed(document) if problems else document)
    if draft.network is not None and draft.network != network_hash(network):
        hint = f"It was made for a network whose sha256 begins with {draft.network[:12]}; plan anew without --plan"
        raise Problems([*problems, InputError("PLAN-NETWORK", "this is the plan of another network", where=path.name, hint=hint)])
    problems += breaches(network, draft)
    if problems:
        raise Problems(problems)
    return draft


def _well_formed(document: Mapping[str, Any]) -> dict[str, Any]:
    """What can be read of a file with mistakes of form, for the mistakes of content in the rest to be told with them."""
    kept: dict[str, Any] = {k: document[k] for k in ("network", "target") if isinstance(document.get(k), str)}
    for kind, known in _TABLES.items():
        tables = document.get(kind, [])
        tables = [t for t in tables if isinstance(t, dict) and isinstance(t.get("name"), str)] if isinstance(tables, list) else []
        kept[kind] = [{k: v for k, v in t.items() if k in known and (isinstance(v, str) if k in _TEXTS else _whole(v))} for t in tables]
    kept["stream"] = [t for t in kept["stream"] if "bus_bits" in t]
    return kept


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE:
            raise InputError("PLAN-FILE", f"{path.stat().st_size} bytes are too many for a plan", where=path.name)
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("PLAN-FILE", "there is no such plan file", where=str(path)) from None
    except OSError as error:
        raise InputError("PLAN-FILE", f"this plan cannot be read ({(error.strerror or str(error)).lower()})", where=str(path)) from None
    except (UnicodeDecodeError, RecursionError):
        raise InputError("PLAN-FILE", "this plan cannot be read: it is no TOML text", where=path.name, hint=TOML_HINT) from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line \d+", str(error))
        what = f"{place[0]} is" if place else "it is"
        raise InputError("PLAN-FILE", f"this plan cannot be read: {what} no TOML", where=path.name, hint=TOML_HINT) from None


def _draft(document: Mapping[str, Any]) -> PlanDraft:
    clock = document.get("clock_mhz")
    return PlanDraft(
        document.get("network"),
        document.get("target"),
        None if clock is None else float(clock),
        {t["name"]: t["bus_bits"] for t in document.get("stream", [])},
        {t["name"]: StageDraft(**t) for t in document.get("stage", [])},
        {t["name"]: FifoDraft(**t) for t in document.get("fifo", [])},
    )


def _document_problems(document: Mapping[str, Any], where: str) -> Iterator[HwqError]:
    version = document.get("format_version", 1)
    if not _whole(version) or version < 1:
        yield InputError("FILE-VERSION", f"format_version is {version!r}, expected 1..{FORMAT_VERSION}", where=where)
    elif version > FORMAT_VERSION:
        message = f"format_version {version} is newer than this hwq reads ({FORMAT_VERSION})"
        yield InputError("FILE-NEWER", message, where=where, hint="Upgrade hwq")
    for key in document:
        if key not in _TOP:
            yield InputError("PLAN-FIELD", f"{key!r} is no field of a plan", where=where, hint=_nearest(key, _TOP))
    for key in ("network", "target"):
        if key in document and not isinstance(document[key], str):
            yield InputError("PLAN-VALUE", f"{key} is {document[key]!r}, expected a text", where=where)
    clock = document.get("clock_mhz", 1)
    if isinstance(clock, bool) or not isinstance(clock, int | float) or not 0 < clock < 2000:
        yield InputError("PLAN-VALUE", f"clock_mhz is {clock!r}, expected megahertz, 0..2000", where=where)
    for kind in _TABLES:
        yield from _tables_problems(kind, document.get(kind, []), where)


def _tables_problems(kind: str, tables: object, where: str) -> Iterator[HwqError]:
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        yield InputError("PLAN-VALUE", f"{kind} is no list of tables, expected [[{kind}]]", where=where)
        return
    seen: set[str] = set()
    for number, table in enumerate(tables, 1):
        name = table.get("name")
        label = f"{kind} {name}" if isinstance(name, str) else f"{kind} number {number}"
        if not isinstance(name, str):
            yield InputError("PLAN-FIELD", "the name is missing or no text", where=label)
        elif name in seen:
            yield InputError("PLAN-NAME", f"there are two {kind}s of this name", where=label)
        seen.add(str(name))
        yield from _table_problems(kind, table, label)


def _table_problems(kind: str, table: Mapping[str, Any], label: str) -> Iterator[HwqError]:
    known = _TABLES[kind]
    for key, value in table.items():
        if key not in known:
            yield InputError("PLAN-FIELD", f"{key!r} is no field of a {kind}", where=label, hint=_nearest(key, known))
        elif key in _TEXTS and not isinstance(value, str):
            yield InputError("PLAN-VALUE", f"{key} is {value!r}, expected a text", where=label)
        elif key not in _TEXTS and not _whole(value):
            yield InputError("PLAN-VALUE", f"{key} is {value!r}, expected a whole number", where=label)
    if kind != "stage" and known[1] not in table:
        yield InputError("PLAN-FIELD", f"{known[1]} is missing", where=label)


def _nearest(key: str, known: Sequence[str]) -> str:
    near = get_close_matches(key.lower(), known, 1)
    return (f"Nearest is {near[0]}; the" if near else "The") + f" fields are {', '.join(known)}"


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _gaps(draft: PlanDraft, network: Network) -> Iterator[HwqError]:
    for key in ("network", "target", "clock_mhz"):
        if getattr(draft, key) is None:
            yield InputError("PLAN-FIELD", f"{key} is missing")
    for stage in stages_of(network):
        if stage.name not in draft.stages:
            yield InputError("PLAN-FIELD", "this stage has no table", where=f"stage {stage.name}")
            continue
        open_fields = draft.stages[stage.name].open_fields
        if open_fields:
            yield InputError("PLAN-FIELD", f"{', '.join(open_fields)} missing", where=f"stage {stage.name}")
    for port in dict.fromkeys([i.name for i in network.inputs] + list(network.outputs)):
        if port not in draft.streams:
            yield InputError("PLAN-FIELD", "this stream has no table", where=f"stream {port}")
