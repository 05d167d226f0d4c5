"""What a plan will do: interval and latency in cycles, from the token simulator, and the law of every component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.law import bottleneck, unit_cycles
from hwq.plan.plan import Plan
from hwq.plan.token_network import SteadyState, TokenNetwork, TokenRun

__all__ = ["Prediction", "predict", "predict_tokens"]

MAX_STEPS = 20_000_000


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
        First frame of the steady state; None when it lies beyond what was simulated (then ``interval`` and ``latency`` are
        those of the last frame simulated).
    bottleneck, law
        The component with the most cycles a frame, and those cycles.
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
    return predict_tokens(TokenNetwork(dataflow_of(network, plan)))


def predict_tokens(tokens: TokenNetwork) -> Prediction:
    """Exact cycles of a token network."""
    run, steady = _run_until_steady(tokens)
    unit, law = bottleneck(tokens.dataflow)
    frames = len(next(iter(run.input_beats.values())))
    last = [b[:, -1] for b in run.output_beats.values()]
    interval = steady.interval if steady else max(int(b[-1] - b[-2]) for b in last)
    # In frames that alternate, the longest latency of a period counts.
    span = steady.period if steady else 1
    latency = max(run.latency(f) for f in range(frames - span, frames))
    cycles = {u.name: unit_cycles(u, tokens.dataflow) for u in tokens.dataflow.units}
    return Prediction(interval, latency, run.latency(0), steady.start if steady else None, unit.name, law, cycles)


def _run_until_steady(tokens: TokenNetwork) -> tuple[TokenRun, SteadyState | None]:
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
        steady = tokens.steady(run)
        if steady or run.steps * 2 > MAX_STEPS:
            return run, steady
        frames *= 2
