"""What a plan will do: interval and latency in cycles, from the token simulator, and the law of every component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.law import bottleneck, unit_cycles
from hwq.plan.plan import Plan
from hwq.plan.proof import Proof, deadlock_of, proof_of
from hwq.plan.token_network import Part, SteadyState, TokenNetwork, TokenRun
from hwq.plan.token_run import Watch

__all__ = ["Prediction", "predict", "predict_tokens"]

MAX_STEPS = 40_000_000
MAX_FRAMES = 4000
SEVERAL = "several depths"
AMPLE = 64  # words: above every credit round trip
TRIALS = 48  # channels tried before the guilty one is left unnamed


@dataclass(frozen=True)
class Prediction:
    """Cycles with a source that is always valid and a sink that is always ready.

    Parameters
    ----------
    interval
        Cycles between the last output beats of consecutive frames, from frame ``k0`` on; equals ``law`` in every plan of the planner.
    latency
        First accepted beat to last delivered beat of a frame, from frame ``k0`` on: queues in front of the bottleneck are full.
    first_latency
        The same of the first frame, which finds everything empty.
    k0
        First frame of the steady state. None when it lies beyond what was simulated (``interval`` and ``latency`` are then those
        of the last frame simulated), and when parts of the network that share nothing run at different rates.
    law
        Most cycles a frame of any component.
    bottleneck
        The component that has them; where ``interval`` is above ``law``, the channel whose depth costs most
        (``buffer_name`` of a stage for its input buffer).
    cycles
        The law of every component, by name.
    proof
        Why no word is ever stuck: see :class:`hwq.plan.proof.Proof`.
    """

    interval: int | float
    latency: int
    first_latency: int
    k0: int | None
    bottleneck: str
    law: int
    cycles: Mapping[str, int]
    proof: Proof


def predict(network: Network, plan: Plan) -> Prediction:
    """Exact cycles of ``plan``; raises :class:`InputError` (PLAN-DEADLOCK) where its depths deadlock."""
    tokens = TokenNetwork(dataflow_of(network, plan))
    prediction = predict_tokens(tokens)
    if prediction.interval <= prediction.law:
        return prediction
    return replace(prediction, bottleneck=_scarce_depth(tokens, prediction.interval, prediction.law))


def _scarce_depth(tokens: TokenNetwork, interval: int | float, law: int) -> str:
    """The channel whose depth alone costs most cycles when all others have ample ones; ``SEVERAL`` where no single one does."""
    given = {c.name: c.depth for c in tokens.channels if c.latency >= 0}
    ample = {c.name: max(c.depth, AMPLE, 2 * c.minimum) for c in tokens.channels if c.name in given}
    slowest, name = float(law), SEVERAL
    for channel in sorted(given, key=lambda n: given[n] >= ample[n])[:TRIALS]:
        alone = tokens.with_depths({**ample, channel: given[channel]})
        slow = _interval_or_none(alone)
        if slow is not None and slow > slowest:
            slowest, name = slow, channel
        if slowest >= interval:
            break
    return name


def _interval_or_none(tokens: TokenNetwork) -> int | float | None:
    try:
        return predict_tokens(tokens).interval
    except InputError:
        return None


def predict_tokens(tokens: TokenNetwork) -> Prediction:
    """Exact cycles of a token network; its bottleneck is the component of the law, also where depths cost more."""
    run, watches = _run_until_steady(tokens)
    unit, law = bottleneck(tokens.dataflow)
    states = [_settled(run, part, w.steady) for part, w in zip(tokens.parts, watches, strict=True)]
    intervals = [_interval(run, part, state) for part, state in zip(tokens.parts, states, strict=True)]
    latency = max(_latency(run, part, state) for part, state in zip(tokens.parts, states, strict=True))
    first = max(run.latency(0, part) for part in tokens.parts)
    starts = [s.start for s in states if s is not None]
    in_step = len(starts) == len(states) and len(set(intervals)) == 1
    cycles = {u.name: unit_cycles(u, tokens.dataflow) for u in tokens.dataflow.units}
    proof = proof_of(tokens, law, watches)
    return Prediction(max(intervals), latency, first, max(starts) if in_step else None, unit.name, law, cycles, proof)


def _settled(run: TokenRun, part: Part, state: SteadyState | None) -> SteadyState | None:
    """``state`` from the frame on in which the beats at the border of the network have come to it."""
    if state is None:
        return None
    beats = [run.input_beats[n] for n in part.inputs] + [run.output_beats[n] for n in part.outputs]
    start = state.start
    while start and all((b[start - 1 + state.period] - b[start - 1] == state.cycles).all() for b in beats):
        start -= 1
    return replace(state, start=start)


def _interval(run: TokenRun, part: Part, state: SteadyState | None) -> int | float:
    return state.interval if state else max(int(run.output_beats[n][-1, -1] - run.output_beats[n][-2, -1]) for n in part.outputs)


def _latency(run: TokenRun, part: Part, state: SteadyState | None) -> int:
    """Latency at the end of ``run``; where frames alternate, the longest of a period."""
    frames = len(run.input_beats[part.inputs[0]])
    return max(run.latency(f, part) for f in range(frames - (state.period if state else 1), frames))


def _run_until_steady(tokens: TokenNetwork) -> tuple[TokenRun, list[Watch]]:
    machine = tokens.start(MAX_FRAMES)
    watches = [Watch() for _ in tokens.parts]
    while machine.offered < MAX_FRAMES and (machine.steps < MAX_STEPS or machine.offered < 3):
        if not machine.advance():
            raise deadlock_of(tokens, machine)
        for watch, state in zip(watches, machine.states(), strict=True):
            watch.see(state)
        if all(w.steady for w in watches):
            break
    return machine.result(), watches
