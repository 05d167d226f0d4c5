"""Stall traces: at which cycles a source may start a beat and a sink is ready. The same trace drives every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.target.streams import StreamPort

__all__ = ["PROFILES", "Traces", "stall_traces"]

Traces = Mapping[str, NDArray[np.bool_]]

# Which sides a profile stalls.
PROFILES: Mapping[str, tuple[bool, bool]] = {"none": (False, False), "source": (True, False), "sink": (False, True), "both": (True, True)}
LENGTH = 4093  # prime: the pattern does not lock to the frame length
GO_SHARE = 0.6
LONGEST_BURST = 6


def stall_traces(profile: str, seed: int, ports: Sequence[StreamPort]) -> Traces:
    """One bool array a port, by port name: True where, at cycle t modulo its length, the side outside goes along.

    A source presents its next beat at the first True cycle after the last accept and then holds it; a sink is ready
    exactly in the True cycles. Bursts of 1..5 equal cycles; ``seed`` makes the pattern.
    """
    if profile not in PROFILES:
        raise InputError("STALL-PROFILE", f"{profile!r} is no stall profile", hint=f"Use one of {', '.join(PROFILES)}")
    source, sink = PROFILES[profile]
    return {p.port: _bursts(seed, n) if (source if p.is_input else sink) else np.ones(1, bool) for n, p in enumerate(ports)}


def _bursts(seed: int, stream: int) -> NDArray[np.bool_]:
    rng = np.random.default_rng([seed, stream])
    go = np.repeat(rng.random(LENGTH) < GO_SHARE, rng.integers(1, LONGEST_BURST, LENGTH))[:LENGTH]
    go[0] = True
    return go
