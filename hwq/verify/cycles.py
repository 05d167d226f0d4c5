"""Cycles of a run against the token simulator: interval, latency, and every beat under the same stalls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.plan import Plan
from hwq.plan.prediction import Prediction
from hwq.plan.token_network import StallTraces, TokenNetwork
from hwq.target.streams import StreamPort
from hwq.verify.run import EngineRun
from hwq.verify.stalls import Traces

__all__ = ["Figures", "beats_equal", "simulated_figures"]

# Frames for which every beat is compared; a token simulation costs microseconds to milliseconds a frame.
COMPARED_FRAMES = 200


@dataclass(frozen=True)
class Figures:
    """Interval and latency seen in a run without stalls; None where it did not reach the steady state."""

    interval: float | None
    latency: int | None


def simulated_figures(run: EngineRun, prediction: Prediction, ports: tuple[StreamPort, ...]) -> Figures:
    """Interval (last beats of consecutive frames) and latency (first beat in, last beat out) at the end of ``run``."""
    k0 = prediction.k0
    whole = all(len(run.cycles[p.port]) >= run.frames * p.beats for p in ports)
    if not whole or k0 is None or run.frames < k0 + 3:
        return Figures(None, None)
    cycles = {p.port: run.cycles[p.port][: run.frames * p.beats].reshape(run.frames, p.beats) for p in ports}
    last = np.max([cycles[p.port][:, -1] for p in ports if not p.is_input], axis=0)
    first = np.min([cycles[p.port][:, 0] for p in ports if p.is_input], axis=0)
    if isinstance(prediction.interval, int):
        interval: float = int(last[-1] - last[-2])
    else:
        interval = float(last[-1] - last[k0]) / (run.frames - 1 - k0)
    return Figures(interval, int((last - first)[k0:].max()))


def beats_equal(run: EngineRun, network: Network, plan: Plan, ports: tuple[StreamPort, ...], traces: Traces) -> bool:
    """Whether every beat, in and out, up to the last one out, came in the cycle of the token simulator under the same ``traces``."""
    frames = min(run.frames, COMPARED_FRAMES)
    if run.hang or not frames:
        return False
    stalls = StallTraces({p.name: traces[p.port] for p in ports if p.is_input}, {p.name: traces[p.port] for p in ports if not p.is_input})
    tokens = TokenNetwork(dataflow_of(network, plan)).run(frames, stalls)
    beats = {p.port: (tokens.input_beats if p.is_input else tokens.output_beats)[p.name].reshape(-1) for p in ports}
    last = max(int(beats[p.port][-1]) for p in ports if not p.is_input)

    def equal(p: StreamPort) -> bool:
        seen, expected = run.cycles[p.port][: frames * p.beats], beats[p.port]
        # A run ends with its outputs: what no window reads may come later.
        due = int((expected <= last).sum()) if p.is_input else len(expected)
        return len(seen) >= due and np.array_equal(seen, expected[: len(seen)])

    return all(equal(p) for p in ports)
