"""The rules a plan must keep, and every breach of them at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from math import gcd, prod

from hwq.errors import InputError
from hwq.fabric.lane_form import MULTIPLIERS
from hwq.network.graph import Network
from hwq.plan.arithmetic import arithmetic_breaches, unrolled_arithmetic_breaches
from hwq.plan.device import Device
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.geometry import ceil_div
from hwq.plan.stages import Stage, stages_of
from hwq.plan.summary import CONTRACTIONS, WINDOWED, StageSummary, summary_of
from hwq.plan.units import pitch_of

__all__ = ["BUSES", "CONSTANTS", "MEMORIES", "RAMS", "STYLES", "breaches", "device_breaches", "stage_breaches", "unrolled_breaches"]

BUSES = (8, 16, 32, 64, 128, 256, 512, 1024)
STYLES = ("auto", "folded", "constant", "unrolled")
ARITHMETIC = ("auto", "lut", "dsp")
MEMORIES = ("logic", "lutram", "block")
RAMS = ("auto", "lutram", "block", "ultra")
CONSTANTS = ("auto", "logic", "lutram", "block")
# Words of an Egress or of the buffer of a single pixel. The planner needs a few dozen at most; what is far deeper costs memory and
# minutes for nothing. A FIFO beside a branch may hold images, of which more than a few are never in flight.
MAX_DEPTH = 4096
MAX_FIFO, FIFO_FRAMES = 1 << 20, 8
DEPTH_WHY = "leave it out to have it chosen"
BRANCH = re.compile(r"(.+)\.branch\d+\.fifo~*", re.DOTALL)


def breaches(network: Network, draft: PlanDraft) -> list[InputError]:
    """Every rule that the given fields of ``draft`` break, in the order of the network."""
    found = list(_stream_breaches(network, draft))
    stages = stages_of(network)
    found += _unknown("stage", draft.stages, tuple(s.name for s in stages))
    for stage in stages:
        if stage.name in draft.stages:
            summary, said = summary_of(network, stage), draft.stages[stage.name]
            found += stage_breaches(summary, said)
            found += arithmetic_breaches(network, stage, summary, said)
    words = _frame_words(network, stages, draft)
    for name, fifo in draft.fifos.items():
        found += _fifo_breaches(name, fifo.depth, words)
        found += _choice(f"fifo {name}", "memory", fifo.memory, RAMS)
    return found


def _frame_words(network: Network, stages: Iterable[Stage], draft: PlanDraft) -> dict[str, int]:
    """Words of a frame of every tensor as its writer makes them; of one lane where the draft leaves that open."""
    lanes = {i.name: max(1, draft.streams.get(i.name, 1) // pitch_of(i.encoding.bits)) for i in network.inputs}
    for stage in stages:
        d = draft.stage(stage.name)
        lanes |= dict.fromkeys(stage.targets, max(1, d.pe or 1) * max(1, d.pixels or 1))
    return {name: ceil_div(prod(t.shape), min(lanes.get(name, 1), prod(t.shape))) for name, t in network.tensors.items()}


def _fifo_breaches(name: str, depth: int | None, words: Mapping[str, int]) -> Iterator[InputError]:
    """A FIFO on a branch holds a few frames of its tensor; one behind a converter or a flatten as many of the largest."""
    branch = BRANCH.fullmatch(name)
    frame = words.get(branch[1], 0) if branch else max(words.values())
    why = f"a frame is {frame} words; {DEPTH_WHY}" if branch and frame else DEPTH_WHY
    yield from _range(f"fifo {name}", "depth", depth, 1, min(MAX_FIFO, max(MAX_DEPTH, FIFO_FRAMES * frame)), why)


def device_breaches(draft: PlanDraft, device: Device) -> Iterator[InputError]:
    """What ``draft`` asks for and ``device`` does not have."""
    if not device.has_wide_slices:
        yield from _slice_breaches(draft, device)
    if device.uram:
        return
    hint = f"{device.part} has no UltraRAM: take block or auto"
    for name, stage in draft.stages.items():
        if stage.buffer_memory == "ultra":
            yield InputError("PLAN-DEVICE", "buffer_memory is 'ultra'", where=f"stage {name}", hint=hint)
    for name, fifo in draft.fifos.items():
        if fifo.memory == "ultra":
            yield InputError("PLAN-DEVICE", "memory is 'ultra'", where=f"fifo {name}", hint=hint)


def _slice_breaches(draft: PlanDraft, device: Device) -> Iterator[InputError]:
    for name, stage in draft.stages.items():
        for field, else_ in (("multiplier", "inferred (synthesis places the products), lut or auto"), ("accumulator", "lut or auto")):
            if getattr(stage, field) == "dsp":
                message = f"{field} is 'dsp', made of DSP48E2 slices, and {device.part} is of the family {device.family}, which has none"
                yield InputError("PLAN-DEVICE", message, where=f"stage {name}", hint=f"Take {else_}")


def _unknown(kind: str, given: Iterable[str], known: tuple[str, ...]) -> Iterator[InputError]:
    spelled = {k.lower(): k for k in known}
    for name in given:
        if name not in known:
            near = get_close_matches(name.lower(), spelled, 1)
            hint = f"Nearest is {spelled[near[0]]!r}" if near else f"The {kind}s are {', '.join(known)}"
            yield InputError("PLAN-NAME", f"the network has no {kind} of this name", where=f"{kind} {name}", hint=hint)


def _stream_breaches(network: Network, draft: PlanDraft) -> Iterator[InputError]:
    for name in (i.name for i in network.inputs if i.name in network.outputs):
        yield InputError("NETWORK-OUTPUT", "this input is also an output, which no layer computes", where=name, hint=THROUGH_HINT)
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


def stage_breaches(s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    """Every rule of a stage that the given fields of ``d`` break."""
    where = f"stage {s.name}"
    yield from _choice(where, "style", d.style, STYLES)
    known = d.style is None or d.style in STYLES  # what another one wants of the lanes nobody knows
    if known and d.style != "unrolled":
        yield from _lanes_breaches(where, s, d)
    yield from _choice(where, "memory", d.memory, MEMORIES)
    yield from _choice(where, "buffer_memory", d.buffer_memory, RAMS)
    yield from _choice(where, "constants", d.constants, CONSTANTS)
    yield from _choice(where, "multiplier", d.multiplier, MULTIPLIERS)
    yield from _choice(where, "accumulator", d.accumulator, ARITHMETIC)
    yield from _range(where, "depth", d.depth, 1, MAX_DEPTH, DEPTH_WHY)
    if not known:
        return
    if d.style == "unrolled":
        yield from unrolled_breaches(where, s, d)
        return
    if s.kind in CONTRACTIONS:
        yield from _constant_breaches(where, s, d)
    if s.kind == "mvu":
        yield from _chunk_breaches(where, s, d)
    yield from _buffer_breaches(where, s, d)


def _lanes_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    yield from _range(where, "pe", d.pe, 1, s.rows, _rows_why(s))
    top = f"a dot product has {s.columns} terms" if s.taps == 1 else f"a tap has {s.columns} channels"
    yield from _range(where, "simd", d.simd, 1, s.columns, top if s.kind == "mvu" else "only layers have simd")
    yield from _pixel_breaches(where, s, d)
    yield from _whole_breaches(where, s, d)


def unrolled_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    """Why a stage cannot be unrolled, and what an unrolled stage cannot have."""
    if s.kind not in CONTRACTIONS:
        yield InputError("PLAN-STYLE", f"style is 'unrolled', but a stage of kind {s.kind} has no weights", where=where)
        return
    if s.chunk:
        message = f"style is 'unrolled', but the accumulator saturates every {s.chunk} products, one after the other"
        yield InputError("PLAN-STYLE", message, where=where, hint="Take folded or constant for this stage")
        return
    if not s.slides:
        message = f"style is 'unrolled', but a padding of {s.window.padding} is so wide that windows lie side by side in it"
        yield InputError("PLAN-STYLE", message, where=where, hint="Take folded or constant for this stage")
        return
    channels = s.shape[2] if s.kind == "mvu" else 1
    yield from _range(where, "pe", d.pe, s.mh, s.mh, "an unrolled stage computes all output channels at once")
    yield from _range(where, "simd", d.simd, 1, channels, f"a word holds at most the {channels} channels of a pixel")
    yield from _range(where, "pixels", d.pixels, 1, 1, "an unrolled stage computes one window at a time")
    if d.memory not in (None, "logic"):
        yield InputError("PLAN-STYLE", f"style {d.style!r} does not go with memory {d.memory!r}", where=where, hint=PAIRS_HINT)
    yield from unrolled_arithmetic_breaches(s, d)
    g = s.slide(d.simd if d.simd and d.simd <= channels else channels)
    if not g.is_gathered:
        what = f"a column of the window spans {g.least_buffer} words"
        yield from _range(where, "buffer", d.buffer, g.least_buffer if d.simd else 1, max(MAX_DEPTH, 2 * (g.least_buffer + g.frame)), what)


def _rows_why(s: StageSummary) -> str:
    if s.kind != "mvu":
        return f"{s.rows} channels"
    return f"the stage has {s.rows} output channels" if s.groups == 1 else f"a group has {s.rows} output channels"


def _pixel_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    most = gcd(*s.widths)
    if d.pixels is None:
        return
    if max(s.widths) == 1:
        yield from _range(
            where,
            "pixels",
            d.pixels,
            1,
            1,
            "several pixels a cycle are for images" if s.shape[1] == 1 else f"stages of kind {s.kind} take one",
        )
    elif d.pixels < 1 or most % d.pixels:
        widths = " and ".join(str(w) for w in dict.fromkeys(s.widths))
        yield InputError("PLAN-RANGE", f"pixels is {d.pixels}, expected a divisor of {most} (images {widths} pixels wide)", where=where)


def _whole_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    """Lanes that must divide something, or be a multiple of it."""
    if s.kind == "mvu" and s.groups > 1:
        for field, value, whole in (("simd", d.simd, s.columns), ("pe", d.pe, s.rows)):
            if value and value <= whole and whole % value:
                yield InputError("PLAN-LANES", f"{field} is {value}, expected a divisor of the {whole} channels of a group", where=where)
    if s.kind == "depthwise" and d.pe and d.pe <= s.rows and d.pe % s.multiplier:
        yield InputError("PLAN-LANES", f"pe is {d.pe}, expected a multiple of the {s.multiplier} outputs of a channel", where=where)
    if s.kind in ("concat", "split") and d.pe and d.pe < s.rows and any(n % d.pe for n in s.sizes):
        parts = ", ".join(map(str, s.sizes))
        yield InputError("PLAN-LANES", f"pe is {d.pe}, expected a divisor of {parts}, or all {s.rows} channels", where=where)


def _constant_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    constant = "style is 'constant'" if d.style == "constant" else "memory is 'logic'" if d.memory == "logic" else None
    if constant is None:
        return
    # What the draft leaves open can still become whole.
    across = s.taps * ceil_div(s.columns, d.simd or s.columns)
    groups = s.groups if s.kind == "mvu" else 1
    down = groups * ceil_div(s.rows, d.pe or s.rows)
    if across > 1 and down > 1:
        one = f"pe={s.rows} or simd={s.columns}" if s.taps * groups == 1 else f"pe={s.rows}"
        hint = f"Constant weights want all rows or all columns at once: {one}" if groups == 1 else "Take folded for a grouped convolution"
        message = f"{constant}, but pe and simd leave {across} x {down} folds"
        yield InputError("PLAN-STYLE", message, where=where, hint=hint)
    if d.style not in (None, "auto", "constant") or d.memory not in (None, "logic"):
        yield InputError("PLAN-STYLE", f"style {d.style!r} does not go with memory {d.memory!r}", where=where, hint=PAIRS_HINT)


def _chunk_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    if not s.chunk or d.simd is None or not 1 <= d.simd <= s.columns:
        return
    if s.chunk % d.simd:
        yield InputError(
            "PLAN-CHUNK", f"simd is {d.simd}; the accumulator saturates every {s.chunk} products", where=where, hint=CHUNK_HINT
        )
    elif s.taps > 1 and s.columns % d.simd:
        message = f"simd is {d.simd}; the accumulator saturates, and a tap has {s.columns} channels"
        yield InputError("PLAN-CHUNK", message, where=where, hint=CHUNK_HINT)


def _buffer_breaches(where: str, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    if s.kind == "upsample":
        least = s.shape[1] * ceil_div(s.rows, d.pe or s.rows) if s.factor[0] > 1 else 1
        yield from _range(where, "buffer", d.buffer, least, max(MAX_DEPTH, 4 * s.shape[1] * s.rows), "a row is read over")
    if s.kind not in WINDOWED:
        return
    if not _fits(d.simd, s.columns) or not _fits(d.pe, s.rows) or (d.pe or s.multiplier) % s.multiplier:
        yield from _range(where, "buffer", d.buffer, 1, max(MAX_DEPTH, 2 * s.mw), DEPTH_WHY)
        return
    g = s.geometry(d.pe or s.rows, d.simd or s.columns, d.pixels if d.pixels and gcd(*s.widths) % d.pixels == 0 else 1)
    least = g.least_buffer
    what = f"a vector is {g.sf} words of simd={d.simd}" if s.taps * s.groups == 1 else f"a window spans {least} words"
    if s.kind == "mvu" and d.simd is None:
        least = 1
    yield from _range(where, "buffer", d.buffer, least, max(MAX_DEPTH, 2 * (least + g.frame)), what)


def _fits(value: int | None, top: int) -> bool:
    return value is None or 1 <= value <= top


THROUGH_HINT = "What comes in need not go through the hardware: take it on the host"
CHUNK_HINT = "simd must divide that number"
PAIRS_HINT = "constant and unrolled go with logic, folded with lutram or block"
