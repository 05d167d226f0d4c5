"""The rules a plan must keep, and every breach of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.plan.dataflow import ceil_div, pitch_of
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.stages import stages_of
from hwq.plan.summary import StageSummary, summary_of

__all__ = ["BUSES", "MEMORIES", "STYLES", "breaches"]

BUSES = (8, 16, 32, 64, 128, 256, 512, 1024)
STYLES = ("folded", "constant")
MEMORIES = ("logic", "lutram", "block")
# Words of a FIFO or a buffer. The planner needs a few dozen at most; what is far deeper costs memory and minutes for nothing.
MAX_DEPTH = 4096
DEPTH_WHY = "leave it out to have it chosen"


def breaches(network: Network, draft: PlanDraft) -> list[InputError]:
    """Every rule that the given fields of ``draft`` break, in the order of the network."""
    found = list(_stream_breaches(network, draft))
    summaries = {s.name: summary_of(network, s) for s in stages_of(network)}
    found += _unknown("stage", draft.stages, tuple(summaries))
    for name, summary in summaries.items():
        if name in draft.stages:
            found += _stage_breaches(summary, draft.stages[name])
    for name, depth in draft.fifos.items():
        found += _range(f"fifo {name}", "depth", depth, 1, MAX_DEPTH, DEPTH_WHY)
    return found


def _unknown(kind: str, given: Iterable[str], known: tuple[str, ...]) -> Iterator[InputError]:
    spelled = {k.lower(): k for k in known}
    for name in given:
        if name not in known:
            near = get_close_matches(name.lower(), spelled, 1)
            hint = f"Nearest is {spelled[near[0]]!r}" if near else f"The {kind}s are {', '.join(known)}"
            yield InputError("PLAN-NAME", f"the network has no {kind} of this name", where=f"{kind} {name}", hint=hint)


def _stream_breaches(network: Network, draft: PlanDraft) -> Iterator[InputError]:
    ports = tuple(dict.fromkeys([i.name for i in network.inputs] + list(network.outputs)))
    yield from _unknown("stream", draft.streams, ports)
    for name in ports:
        bus = draft.streams.get(name)
        if bus is None:
            continue
        pitch = pitch_of(network.tensors[name].encoding.bits)
        if bus not in BUSES:
            yield InputError("PLAN-BUS", f"bus_bits is {bus}, expected a power of two, 8..1024", where=f"stream {name}")
        elif bus < pitch:
            yield InputError("PLAN-BUS", f"bus_bits is {bus}, an element takes {pitch}", where=f"stream {name}")


def _range(where: str, field: str, value: int | None, low: int, high: int, why: str = "") -> Iterator[InputError]:
    if value is not None and not low <= value <= high:
        reason = f" ({why})" if why else ""
        yield InputError("PLAN-RANGE", f"{field} is {value}, expected {low}..{high}{reason}", where=where)


def _choice(where: str, field: str, value: str | None, choices: tuple[str, ...]) -> Iterator[InputError]:
    if value is not None and value not in choices:
        yield InputError("PLAN-VALUE", f"{field} is {value!r}, expected one of {', '.join(choices)}", where=where)


def _stage_breaches(s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    where = f"stage {s.name}"
    yield from _range(where, "pe", d.pe, 1, s.mh, f"the stage has {s.mh} output channels" if s.kind == "mvu" else f"{s.mh} channels")
    top = s.mw if s.kind == "mvu" else 1
    yield from _range(where, "simd", d.simd, 1, top, f"a dot product has {s.mw} terms" if s.kind == "mvu" else "only layers have simd")
    yield from _range(where, "pixels", d.pixels, 1, 1, "several pixels a cycle are for convolutions")
    yield from _choice(where, "style", d.style, STYLES)
    yield from _choice(where, "memory", d.memory, MEMORIES)
    yield from _range(where, "depth", d.depth, 1, MAX_DEPTH, DEPTH_WHY)
    if s.kind == "mvu":
        yield from _constant_breaches(where, s, d)
        yield from _mvu_breaches(where, s, d)


def _constant_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    constant = "style is 'constant'" if d.style == "constant" else "memory is 'logic'" if d.memory == "logic" else None
    if constant is None:
        return
    folds = ceil_div(s.mw, d.simd or s.mw) * ceil_div(s.mh, d.pe or s.mh)
    if folds > 1:
        hint = f"Weights are constants only in one fold: pe={s.mh}, simd={s.mw}"
        yield InputError("PLAN-STYLE", f"{constant}, but pe and simd leave {folds} folds", where=where, hint=hint)
    elif s.chunk % s.mw:
        yield InputError("PLAN-STYLE", f"{constant}, but the accumulator saturates every {s.chunk} of {s.mw} products", where=where)
    if (d.style or "constant", d.memory or "logic") != ("constant", "logic"):
        yield InputError("PLAN-STYLE", f"style {d.style!r} does not go with memory {d.memory!r}", where=where, hint=PAIRS_HINT)


def _mvu_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    if d.simd is None or not 1 <= d.simd <= s.mw:
        yield from _range(where, "buffer", d.buffer, 1, max(MAX_DEPTH, 2 * s.mw), DEPTH_WHY)
        return
    if s.chunk and s.chunk % d.simd:
        yield InputError(
            "PLAN-CHUNK", f"simd is {d.simd}; the accumulator saturates every {s.chunk} products", where=where, hint=CHUNK_HINT
        )
    sf = ceil_div(s.mw, d.simd)
    yield from _range(where, "buffer", d.buffer, sf, max(MAX_DEPTH, 2 * sf), f"a vector is {sf} words of simd={d.simd}")


CHUNK_HINT = "simd must divide that number"
PAIRS_HINT = "constant goes with logic, folded with lutram or block"
