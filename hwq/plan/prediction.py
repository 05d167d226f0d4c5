"""What a plan will do: interval and latency in cycles, from the token simulator, and the law of every component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.law import bottleneck, unit_cycles
from hwq.plan.plan import Plan
from hwq.plan.token_network import Part, SteadyState, TokenNetwork, TokenRun

__all__ = ["Prediction", "predict", "predict_tokens"]

MAX_STEPS = 4_000_000
SEVERAL = "several depths"
AMPLE = 64  # words: above every credit round trip


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
    """

    interval: int | float
    latency: int
    first_latency: int
    k0: int | None
    bottleneck: str
    law: int
    cycles: Mapping[str, int]


def predict(network: Network, plan: Plan) -> Prediction:
    """Exact cycles of ``plan``; raises :class:`InputError` where its depths deadlock."""
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
    for channel, depth in given.items():
        alone = predict_tokens(tokens.with_depths({**ample, channel: depth})).interval
        if alone > slowest:
            slowest, name = alone, channel
        if slowest >= interval:
            break
    return name


def predict_tokens(tokens: TokenNetwork) -> Prediction:
    """Exact cycles of a token network; its bottleneck is the component of the law, also where depths cost more."""
    run, states = _run_until_steady(tokens)
    unit, law = bottleneck(tokens.dataflow)
    intervals = [_interval(run, part, state) for part, state in zip(tokens.parts, states, strict=True)]
    latency = max(_latency(run, part, state) for part, state in zip(tokens.parts, states, strict=True))
    first = max(run.latency(0, part) for part in tokens.parts)
    starts = [s.start for s in states if s is not None]
    in_step = len(starts) == len(states) and len(set(intervals)) == 1
    cycles = {u.name: unit_cycles(u, tokens.dataflow) for u in tokens.dataflow.units}
    return Prediction(max(intervals), latency, first, max(starts) if in_step else None, unit.name, law, cycles)


def _interval(run: TokenRun, part: Part, state: SteadyState | None) -> int | float:
    return state.interval if state else max(int(run.output_beats[n][-1, -1] - run.output_beats[n][-2, -1]) for n in part.outputs)


def _latency(run: TokenRun, part: Part, state: SteadyState | None) -> int:
    """Latency at the end of ``run``; where frames alternate, the longest of a period."""
    frames = len(run.input_beats[part.inputs[0]])
    return max(run.latency(f, part) for f in range(frames - (state.period if state else 1), frames))


def _run_until_steady(tokens: TokenNetwork) -> tuple[TokenRun, list[SteadyState | None]]:
    frames = 4 + 2 * tokens.memory
    while True:
        run = tokens.run(frames)
        if run.deadlock:
            raise InputError(
                "PLAN-DEADLOCK",
                "the depths in this plan deadlock: no word moves any more",
                where=", ".join(run.stuck),
                hint="Leave out buffer and depth of these stages in the plan file to have them chosen",
            )
        states = [tokens.steady(run, part) for part in tokens.parts]
        if None not in states or run.steps * 2 > MAX_STEPS:
            return run, states
        frames *= 2
