"""What does not change with depths: the table of engines, who wakes whom, and the parts that share nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.plan import token_tables as tt
from hwq.plan.token_engines import Channel, Engine

__all__ = ["Layout", "Part", "Wiring"]


@dataclass(frozen=True)
class Part:
    """Channels, graph inputs and graph outputs that are connected; parts of a network share nothing and run at their own rates."""

    channels: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """Numbers of the engines, FIFOs, buffers and sinks of a part that make up its state.

    The writers of buffers and the forks wait for channels only.
    """

    engines: NDArray[np.int64]
    fifos: NDArray[np.int64]
    buffers: NDArray[np.int64]
    sinks: NDArray[np.int64]


class Wiring:
    """Tables of ``engines`` and their parts."""

    def __init__(self, channels: Sequence[Channel], engines: Sequence[Engine]) -> None:
        self.engines = engines
        self.index: Mapping[str, int] = {c.name: k for k, c in enumerate(channels)}
        self.near = _near(engines, len(channels))
        self.template, self.constants = _tables(engines, len(channels))
        labels = _labels(engines, len(channels))
        members = [np.flatnonzero(labels == part) for part in np.unique(labels)]
        self.parts = tuple(self._part(channels, m) for m in members)
        self.layouts = tuple(self._layout(channels, m) for m in members)

    def _part(self, channels: Sequence[Channel], members: NDArray[np.int64]) -> Part:
        inside = set(members.tolist())
        ports = {kind: tuple(e.port for e in self.engines if e.kind == kind and e.ends[0] in inside) for kind in (tt.SOURCE, tt.SINK)}
        return Part(tuple(channels[k].name for k in members), ports[tt.SOURCE], ports[tt.SINK])

    def _layout(self, channels: Sequence[Channel], members: NDArray[np.int64]) -> Layout:
        inside = set(members.tolist())
        own = [(k, e.kind) for k, e in enumerate(self.engines) if e.ends[0] in inside]
        return Layout(
            np.array([k for k, kind in own if kind not in (tt.WRITE, tt.FORK)], np.int64),
            np.array([k for k in members if not channels[k].is_buffer], np.int64),
            np.array([k for k in members if channels[k].is_buffer], np.int64),
            np.array([k for k, kind in own if kind == tt.SINK], np.int64),
        )


def _tables(engines: Sequence[Engine], channels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The engines at their start, and the constants they point to."""
    buffers = channels * tt.CHANNEL_COLUMNS + len(engines) * tt.ENGINE_COLUMNS
    table = np.zeros((len(engines), tt.ENGINE_COLUMNS), np.int64)
    table[:, [tt.LAST, tt.SEEN]] = -1
    constants = [0]
    for row, e in zip(table, engines, strict=True):
        row[[tt.KIND, tt.A, tt.AUX]] = e.kind, e.a, buffers + channels * tt.BUFFER_COLUMNS + len(constants)
        row[[tt.IN, tt.OUT]] = [tt.CHANNEL_COLUMNS * (ends or (0,))[0] for ends in (e.inputs, e.outputs)]
        row[tt.BUF] = buffers + max(e.buffer, 0) * tt.BUFFER_COLUMNS
        constants += _placed(e)
    return table, np.array(constants, np.int64)


def _placed(e: Engine) -> tuple[int, ...]:
    """Constants with channels by the place of their row."""
    if e.kind == tt.JOIN:
        return tuple(c * tt.CHANNEL_COLUMNS for c in e.constants)
    if e.kind in (tt.CONCAT, tt.SPLIT):
        return tuple(n * tt.CHANNEL_COLUMNS if k % 2 == 0 and n >= 0 else n for k, n in enumerate(e.constants))
    return e.constants


def _near(engines: Sequence[Engine], channels: int) -> NDArray[np.int64]:
    """For every engine those that share a channel with it, -1 behind the last."""
    at: list[list[int]] = [[] for _ in range(channels)]
    for k, e in enumerate(engines):
        for c in e.ends:
            at[c].append(k)
    near = [sorted({n for c in e.ends for n in at[c]} - {k}) for k, e in enumerate(engines)]
    table = np.full((len(engines), max(map(len, near)) + 1), -1, np.int64)
    for k, row in enumerate(near):
        table[k, : len(row)] = row
    return table


def _labels(engines: Sequence[Engine], channels: int) -> NDArray[np.int64]:
    """The least channel of its part, for every channel."""
    label = np.arange(channels)
    changed = True
    while changed:
        changed = False
        for e in engines:
            ends = label[list(e.ends)]
            if (ends != ends.min()).any():
                label[np.isin(label, ends)] = ends.min()
                changed = True
    return label
