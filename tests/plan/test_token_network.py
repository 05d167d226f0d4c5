from __future__ import annotations

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.plan.token_network import StallTraces, TokenNetwork, simulate
from hwq.plan.token_run import Watch
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


def test_a_deep_fifo_leaves_lut_ram_and_comes_back() -> None:
    tokens = TokenNetwork(line().dataflow())
    deep = tokens.with_depths({"fifo1": 65, "in0": 3})
    assert deep.channels[deep.index["fifo1"]].is_buffer
    assert deep.channels[deep.index["in0"]].depth == 3
    # Written at 1, readable from 2; two cycles of memory and one of the Egress: valid at 5.
    assert deep.run(1).output_beats["out2"][0, 0] == 6
    back = deep.with_depths({"fifo1": 64})
    assert not back.channels[back.index["fifo1"]].is_buffer
    assert back.run(1).output_beats["out2"][0, 0] == 3


def test_a_memory_chosen_by_hand_stays() -> None:
    b = Builder()
    b.sink(b.fifo(b.source(4, 2), 2, "block"))
    tokens = TokenNetwork(b.dataflow()).with_depths({"fifo1": 9})
    assert tokens.channels[tokens.index["fifo1"]].is_buffer


def test_a_pace_holds_the_frames_back() -> None:
    run = TokenNetwork(line().dataflow()).run(3, pace=10)
    np.testing.assert_array_equal(run.input_beats["in0"], [[0, 1], [10, 11], [20, 21]])


def test_frame_by_frame_gives_the_beats_of_one_run() -> None:
    tokens = TokenNetwork(line().dataflow())
    machine = tokens.start(5, is_whole=True)
    assert all(machine.advance() for _ in range(5))
    np.testing.assert_array_equal(machine.result().output_beats["out2"], tokens.run(5).output_beats["out2"])
    ends = tokens.start(5)
    ends.advance(5)
    np.testing.assert_array_equal(ends.result().output_beats["out2"], tokens.run(5).output_beats["out2"][:, [0, -1]])


def test_a_state_that_recurs_is_the_steady_state() -> None:
    tokens = TokenNetwork(line().dataflow())
    (part,) = tokens.parts
    assert (part.inputs, part.outputs) == (("in0",), ("out2",))
    machine, watch = tokens.start(9), Watch()
    while watch.steady is None:
        assert machine.advance()
        (state,) = machine.states()
        watch.see(state)
    assert (watch.steady.period, watch.steady.interval) == (1, 2)
    assert machine.offered <= 4


def test_parts_that_share_nothing() -> None:
    b = Builder()
    b.sink(b.fifo(b.source(4, 2), 2))
    b.sink(b.elementwise(b.source(3, 1), 2, 2))
    assert [p.inputs for p in TokenNetwork(b.dataflow()).parts] == [("in0",), ("in3",)]
