"""Why a design cannot deadlock: one completed periodic schedule of a determinate network; and what to say where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from hwq.errors import InputError
from hwq.plan import token_tables as tt
from hwq.plan.dataflow import Dataflow
from hwq.plan.token_network import TokenNetwork
from hwq.plan.token_run import Machine, Watch
from hwq.plan.waiting import reader_of, stage_before

__all__ = ["OBLIGATIONS", "Proof", "deadlock_of", "proof_of"]

#: What every component of the gateware satisfies: with these the streams that a network carries do not depend on timing, and a
#: schedule that goes on for ever in one timing does so in all.
OBLIGATIONS = (
    "reads and writes block",
    "rates do not depend on data",
    "the last frame drains without new input",
    "no valid depends on a ready, no ready on its own valid",
    "a ready once raised stays until it is used",
    "a word is written exactly L cycles after its credit was spent",
)
FRAMES = 200  # offered at most, one after the other
NAMED = 4  # units that a message lists
DOUBLINGS = 16  # of a depth that starves the network


@dataclass(frozen=True)
class Proof:
    """A periodic schedule in which all words of every frame came through.

    Parameters
    ----------
    frames
        Frames simulated until the state of every part recurred at a frame border.
    period, cycles
        Frames and cycles after which it does so for ever; those of the slowest part.
    pace
        Cycles between the frames offered; 0: as soon as they were taken.
    channels, words
        Channels of the network, words they hold: all the state there is.
    digest
        SHA-256 of the state that recurs, cycles relative to the last output beat.
    obligations
        What the components satisfy, so that one schedule stands for all.
    """

    frames: int
    period: int
    cycles: int
    pace: int
    channels: int
    words: int
    digest: str
    obligations: tuple[str, ...] = OBLIGATIONS


def proof_of(tokens: TokenNetwork, law: int, watches: Sequence[Watch]) -> Proof:
    """The proof that ``watches`` have found in an unbroken stream of frames; else one with frames offered every ``law`` cycles.

    Raises :class:`InputError` (PLAN-DEADLOCK, PLAN-PERIOD) where there is none.
    """
    pace = 0
    while not all(w.steady for w in watches):
        # Queues that fill for thousands of frames are empty when frames come no faster than they go.
        pace = 2 * pace or law
        if pace > law << 8:
            raise InputError("PLAN-PERIOD", "no schedule of this plan was found to recur", hint="Leave the depths to be chosen")
        watches = _watched(tokens, pace)
    steady = [w.steady for w in watches if w.steady]
    slowest = max(steady, key=lambda s: s.cycles / s.period)
    digest = sha256("".join(w.digest for w in watches).encode()).hexdigest()
    words = sum(c.depth for c in tokens.channels if c.latency >= 0)
    frames = max(w.frames for w in watches)
    return Proof(frames, slowest.period, slowest.cycles, pace, len(tokens.channels), words, digest)


def _watched(tokens: TokenNetwork, pace: int) -> list[Watch]:
    machine, watches = tokens.start(FRAMES, pace=pace), [Watch() for _ in tokens.parts]
    while machine.offered < FRAMES and not all(w.steady for w in watches):
        if not machine.advance():
            raise deadlock_of(tokens, machine)
        for watch, state in zip(watches, machine.states(), strict=True):
            watch.see(state)
    return watches


def deadlock_of(tokens: TokenNetwork, machine: Machine) -> InputError:
    """What starves ``machine``, which came to a halt: one channel, what waits behind it, and the least depth that would set it going."""
    full = [c.name for c in (tokens.channels[k] for k in _full(machine)) if c.latency >= 0]
    found = _enough(tokens, full, machine.offered)
    if found is None:
        text, hint = (
            "the depths in this plan deadlock: no word moves any more",
            "Leave out buffer and depth of these stages to have them chosen",
        )
        return InputError("PLAN-DEADLOCK", text, where=_some(machine.stuck), hint=hint)
    name, depth = next(iter(found.items()))
    given = tokens.channels[tokens.index[name]].depth
    text = f"its depth of {given} words deadlocks the design: it is full, and {_waits(tokens.dataflow, name)}"
    if len(found) == 1:
        return InputError("PLAN-DEADLOCK", text, where=name, hint=f"{depth} words work, or leave its depth out to have it chosen")
    several = ", ".join(f"{n} of {d} words" for n, d in found.items())
    hint = f"Together these work: {several}; or leave the depths out to have them chosen"
    return InputError(
        "PLAN-DEADLOCK", text, where=name, hint=f"Together these work: {several}; or leave the depths out to have them chosen"
    )


def _waits(dataflow: Dataflow, channel: str) -> str:
    """What the reader of a FIFO waits for; less where ``channel`` is the buffer of a stage."""
    unit = next((u for u in dataflow.units if u.name == channel and len(u.outputs) == 1), None)
    if unit is None:
        return "no word moves any more"
    reader, inner = reader_of(dataflow, unit)
    others = [stage_before(dataflow, e) for e in reader.inputs if e not in inner.outputs]
    return f"{reader.name}, which reads it, waits for {' and '.join(others)}" if others else f"{reader.name}, which reads it, waits as well"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _full(machine: Machine) -> list[int]:
    """Channels whose writers wait for room."""
    found = []
    for k, c in enumerate(machine.channels):
        if c.is_buffer:
            if machine.S[k, tt.LIMIT] <= machine.S[k, tt.WRITTEN] < machine.offered * c.words:
                found.append(k)
        elif machine.C[k, tt.TAKEN] - machine.C[k, tt.POPPED] >= c.depth:
            found.append(k)
    return found


def _enough(tokens: TokenNetwork, full: Sequence[str], frames: int) -> dict[str, int] | None:
    """Depths of one channel, or where none alone suffices of several, that do not deadlock."""
    for name in full:
        if depths := _grown(tokens, [name], frames):
            return {name: _least(tokens, name, depths[name], frames)}
    return _grown(tokens, full, frames)


def _grown(tokens: TokenNetwork, names: Sequence[str], frames: int) -> dict[str, int] | None:
    depths = {n: tokens.channels[tokens.index[n]].depth for n in names}
    for _ in range(DOUBLINGS):
        depths = {n: max(2 * d, tokens.channels[tokens.index[n]].minimum) for n, d in depths.items()}
        if _flows(tokens, depths, frames):
            return depths
        if all(d > 4 * frames * tokens.channels[tokens.index[n]].words for n, d in depths.items()):
            return None
    return None


def _least(tokens: TokenNetwork, name: str, enough: int, frames: int) -> int:
    low, high = tokens.channels[tokens.index[name]].depth + 1, enough
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _flows(tokens, {name: middle}, frames) else (middle + 1, high)
    return high


def _flows(tokens: TokenNetwork, depths: Mapping[str, int], frames: int) -> bool:
    return tokens.with_depths(depths).start(frames + 1).advance(frames + 1)
