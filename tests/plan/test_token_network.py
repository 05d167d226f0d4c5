from __future__ import annotations

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.plan.token_network import StallTraces, TokenNetwork, simulate
from tests.plan.dataflows import Builder


def line() -> Builder:
    b = Builder()
    b.sink(b.fifo(b.source(4, 2), 2))
    return b


def test_a_trace_of_no_port_is_named() -> None:
    with pytest.raises(InputError, match=r"a stall trace names 'z', the inputs are in0"):
        simulate(line().dataflow(), 1, StallTraces({"z": [True]}))


def test_a_trace_that_never_allows_a_beat_is_refused() -> None:
    with pytest.raises(InputError, match="out2: this stall trace never allows a beat"):
        simulate(line().dataflow(), 1, StallTraces({}, {"out2": [False, False]}))


def test_traces_repeat_and_gate_starts_and_beats() -> None:
    run = simulate(line().dataflow(), 2, StallTraces({"in0": [False, True]}, {"out2": np.array([True, False, False, False])}))
    np.testing.assert_array_equal(run.input_beats["in0"].reshape(-1), [1, 3, 5, 7])
    np.testing.assert_array_equal(run.output_beats["out2"].reshape(-1), [4, 8, 12, 16])


def test_depths_change_without_touching_the_first() -> None:
    tokens = TokenNetwork(line().dataflow())
    twin = tokens.with_depths({"fifo1": 1})
    assert (tokens.channels[tokens.index["fifo1"]].depth, twin.channels[twin.index["fifo1"]].depth) == (2, 1)
    np.testing.assert_array_equal(np.diff(twin.run(6).output_beats["out2"][:, -1]), [4] * 5)
    np.testing.assert_array_equal(np.diff(tokens.run(6).output_beats["out2"][:, -1]), [2] * 5)


def test_a_pace_holds_the_frames_back() -> None:
    run = TokenNetwork(line().dataflow()).run(3, pace=10)
    np.testing.assert_array_equal(run.input_beats["in0"], [[0, 1], [10, 11], [20, 21]])


def test_a_run_too_short_proves_no_steady_state() -> None:
    tokens = TokenNetwork(line().dataflow())
    (part,) = tokens.parts
    assert (part.inputs, part.outputs) == (("in0",), ("out2",))
    assert tokens.steady(tokens.run(2), part) is None
    steady = tokens.steady(tokens.run(20), part)
    assert steady is not None
    assert (steady.start, steady.period, steady.interval) == (0, 1, 2)
