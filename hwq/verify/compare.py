"""Compares streams with the golden ones: the first difference as layer, frame, element, expected, got, cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.graph import Network
from hwq.target.streams import StreamPort
from hwq.verify.certificate import Failure
from hwq.verify.run import EngineRun

__all__ = ["first_difference", "judge"]

Codes = NDArray[Any]


def judge(run: EngineRun, network: Network, outputs: Sequence[StreamPort], expected: Mapping[str, Codes]) -> Failure | None:
    """The first thing wrong in ``run``, None when it is bit-exact; ``expected`` holds the golden codes by port."""
    found = [f for p in outputs if (f := _difference(run, network, p, expected[p.port]))]
    if found:
        return min(found, key=lambda f: (f.frame if f.frame is not None else 0, f.cycle if f.cycle is not None else 0))
    if run.hang is not None:
        least = min(outputs, key=lambda p: len(run.codes[p.port]))
        return Failure("hang", run.hang, layer_of(network, least.name), len(run.codes[least.port]))
    if run.problems:
        p = run.problems[0]
        return Failure("protocol", f"{p.port}: {p.text}", frame=p.frame, cycle=p.cycle)
    return None


def layer_of(network: Network, tensor: str) -> str:
    """Name of the layer that writes ``tensor``; of the tensor itself for a graph input."""
    producer = network.tensors[tensor].producer
    return producer.name if producer else tensor


def _difference(run: EngineRun, network: Network, p: StreamPort, expected: Codes) -> Failure | None:
    got = run.codes[p.port]
    where = first_difference(expected[: len(got)], got)
    if where is None:
        return None
    frame, element = where
    beat = frame * p.beats + element // p.elements_per_beat
    wanted, found = (int(p.encoding.decode(c[frame].reshape(-1)[element])) for c in (expected, got))
    row, column, channel = (int(n) for n in np.unravel_index(element, p.shape))
    cycle = int(run.cycles[p.port][beat])
    return Failure(
        "mismatch", f"output {p.name!r}", layer_of(network, p.name), frame, element, wanted, found, cycle, (row, column, channel)
    )


def first_difference(expected: Codes, got: Codes) -> tuple[int, int] | None:
    """Frame and element, in stream order, of the first difference; None where both are equal."""
    differs = np.flatnonzero(expected.reshape(-1) != got.reshape(-1))
    if not differs.size:
        return None
    frame, element = divmod(int(differs[0]), int(np.prod(expected.shape[1:])))
    return frame, element
