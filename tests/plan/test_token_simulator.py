from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwq.plan.dataflow import Dataflow
from hwq.plan.moving_units import PadUnit
from hwq.plan.token_network import StallTraces, TokenRun, simulate
from hwq.plan.units import AxiIn, AxiOut, WindowUnit
from tests.plan.cycle_model import Beats, step_through
from tests.plan.dataflows import Builder, dataflows, traces


def ports(dataflow: Dataflow) -> tuple[list[str], list[str]]:
    ins = [u.tensor for u in dataflow.units if isinstance(u, AxiIn)]
    return ins, [u.tensor for u in dataflow.units if isinstance(u, AxiOut)]


def assert_same(run: TokenRun, beats: Beats) -> None:
    assert run.deadlock != beats.finished
    for got, expected in ((run.input_beats, beats.inputs), (run.output_beats, beats.outputs)):
        assert got.keys() == expected.keys()
        for name, cycles in expected.items():
            # The cycle model stops with the last output: a branch that is ahead may not have taken all its input by then.
            beat = got[name].reshape(-1)
            np.testing.assert_array_equal(beat[: len(cycles)], cycles, name)
            if beats.finished:
                assert len(cycles) == beat.size or name in beats.inputs
            else:
                assert (beat[len(cycles) :] == -1).all()


@given(dataflows(), st.integers(1, 4), st.data())
@settings(max_examples=80, deadline=None)
def test_every_beat_comes_in_the_cycle_of_the_stepped_model(dataflow: Dataflow, frames: int, data: st.DataObject) -> None:
    ins, outs = ports(dataflow)
    sources, sinks = data.draw(traces(ins)), data.draw(traces(outs))
    run = simulate(dataflow, frames, StallTraces(sources, sinks))
    beats = step_through(dataflow, frames, sources, sinks)
    assert_same(run, beats)


@given(dataflows(), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_high_water_marks_are_those_of_the_stepped_model(dataflow: Dataflow, frames: int) -> None:
    run, beats = simulate(dataflow, frames), step_through(dataflow, frames)
    # The stepped model runs ahead into the padding of a frame that never comes, and stops with the last output: words that no
    # window reads may still be on their way.
    padded = any(isinstance(u, PadUnit) or (isinstance(u, WindowUnit) and u.geometry.window.is_padded) for u in dataflow.units)
    strided = any(isinstance(u, WindowUnit) and u.geometry.window.stride != (1, 1) for u in dataflow.units)
    assume(beats.finished and not padded and not strided)
    names = [u.name for u in dataflow.units if u.name in beats.high and u.name in run.high_water]
    assert [run.high_water[n] for n in names] == [beats.high[n] for n in names]


@pytest.mark.slow
@given(dataflows(), st.integers(1, 8), st.data())
@settings(max_examples=3000, deadline=None)
def test_every_beat_comes_in_the_cycle_of_the_stepped_model_often(dataflow: Dataflow, frames: int, data: st.DataObject) -> None:
    test_every_beat_comes_in_the_cycle_of_the_stepped_model.hypothesis.inner_test(dataflow, frames, data)  # type: ignore[attr-defined]


@pytest.mark.parametrize("missing", [1, 2])
def test_a_buffer_shorter_than_a_vector_deadlocks_here_and_there(missing: int) -> None:
    b = Builder()
    e = b.mvu(b.source(9, 2), 4, 2, -missing, 2, 5)
    b.sink(e)
    run, beats = simulate(b.dataflow(), 3), step_through(b.dataflow(), 3)
    assert run.deadlock
    assert "mvu1" in run.stuck
    assert not beats.finished
    np.testing.assert_array_equal(run.input_beats["in0"].reshape(-1)[: len(beats.inputs["in0"])], beats.inputs["in0"])
    assert (run.output_beats["out2"] == -1).all()


def test_law_of_a_single_unit_by_hand() -> None:
    b = Builder()
    b.sink(b.mvu(b.source(6, 2), 4, 2, 3, 3, 5))
    run = simulate(b.dataflow(), 3)
    # Beats at 0, 1, 2; in the buffer from 2, 3, 4 (ingress 1, write 1); passes end at 4 and 7; L = 5: written 9 and 12,
    # valid at 10 and 13, through the egress FIFO one cycle later.
    np.testing.assert_array_equal(run.input_beats["in0"][0], [0, 1, 2])
    np.testing.assert_array_equal(run.output_beats["out2"][0], [11, 14])
    np.testing.assert_array_equal(np.diff(run.output_beats["out2"][:, -1]), [6, 6])
