"""The compiled inner loop of retiming; loaded only where it is used."""

from __future__ import annotations

from numba import njit

__all__ = ["sweep"]


@njit(cache=True)
def sweep(stage, order, in_at, in_signal, in_least, out_at, out_signal, at, reader, least, maker, late):  # type: ignore[no-untyped-def]
    """Moves each node in ``order`` to the stage with the fewest flip-flops on its signals (the latest such if ``late``).

    Signals read by node n are ``in_signal[in_at[n]:in_at[n + 1]]``, with ``in_least`` flip-flops at least; those it makes likewise;
    signal s is read by nodes ``reader[at[s]:at[s + 1]]``. ``stage`` changes in place; returns how many nodes moved.
    """
    moved = 0
    for node in order:
        first, last = 0, 1 << 30
        for i in range(in_at[node], in_at[node + 1]):
            first = max(first, stage[maker[in_signal[i]]] + in_least[i])
        for i in range(out_at[node], out_at[node + 1]):
            for j in range(at[out_signal[i]], at[out_signal[i] + 1]):
                last = min(last, stage[reader[j]] - least[j])
        best, cost, least_cost = first, 0, 0
        for to in range(first + 1, last + 1):
            cost -= out_at[node + 1] - out_at[node]
            for i in range(in_at[node], in_at[node + 1]):
                others = 0
                for j in range(at[in_signal[i]], at[in_signal[i] + 1]):
                    if reader[j] != node:
                        others = max(others, stage[reader[j]])
                cost += others < to
            if cost < least_cost or (late and cost == least_cost):
                best, least_cost = to, cost
        moved += stage[node] != best
        stage[node] = best
    return moved
