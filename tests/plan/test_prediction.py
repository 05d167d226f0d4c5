from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from hwq.errors import InputError
from hwq.numerics.encoding import Integer
from hwq.plan.dataflow import Dataflow
from hwq.plan.goal import Goal
from hwq.plan.planner import plan_network
from hwq.plan.prediction import predict, predict_tokens
from hwq.plan.token_network import TokenNetwork, buffer_name
from hwq.plan.units import AxiIn
from hwq.target.boards import load_device
from tests.plan.cycle_model import step_through
from tests.plan.dataflows import Builder, dataflows
from tests.plan.networks import dense


@given(dataflows())
@settings(max_examples=25, deadline=None)
def test_the_steady_state_is_what_the_stepped_model_does_much_later(dataflow: Dataflow) -> None:
    tokens = TokenNetwork(dataflow)
    if not step_through(dataflow, 3).finished:
        with pytest.raises(InputError, match="deadlock"):
            predict_tokens(tokens)
        return
    prediction = predict_tokens(tokens)
    if prediction.k0 is None:
        assert len(tokens.parts) == 2
        return
    frames = prediction.k0 + 40
    beats = step_through(dataflow, frames)
    ends = {n: np.array(b).reshape(frames, -1)[:, -1] for n, b in beats.outputs.items()}
    words = {u.tensor: dataflow.edges[u.outputs[0]].words for u in dataflow.units if isinstance(u, AxiIn)}
    starts = np.min([np.array(b)[:: words[n]][:frames] for n, b in beats.inputs.items()], axis=0)
    latency = np.max(list(ends.values()), axis=0) - starts
    if len(tokens.parts) == 1:
        assert latency[0] == prediction.first_latency
        assert latency[prediction.k0 :].max() == prediction.latency
    for e in ends.values():
        steady = e[prediction.k0 :]
        # Frames may alternate: over some period the interval is the mean, from every frame on.
        assert any(np.all(steady[p:] - steady[:-p] == p * prediction.interval) for p in range(1, 21))
    assert prediction.interval >= prediction.law


def test_frames_that_alternate_have_an_interval_between() -> None:
    b = Builder()
    # One credit and a round trip of 5 cycles for a word every cycle, with two words a frame and one of depth 3.
    b.sink(b.elementwise(b.source(1, 1), 2, 3))
    prediction = predict_tokens(TokenNetwork(b.dataflow()))
    assert prediction.interval == 2.5
    assert prediction.law == 1


def test_a_deadlock_is_an_error_that_names_the_units() -> None:
    b = Builder()
    b.sink(b.mvu(b.source(9, 2), 4, 2, -1, 2, 5))
    with pytest.raises(InputError, match="deadlock") as caught:
        predict_tokens(TokenNetwork(b.dataflow()))
    assert "mvu1" in str(caught.value.where)


def test_a_depth_that_costs_cycles_is_the_bottleneck() -> None:
    network = dense([64, 64, 64], Integer(2, True))
    plan = plan_network(network, load_device("vu9p"), Goal(fps=300e6 / 70))
    good = predict(network, plan)
    assert good.interval == good.law
    name = plan.stages[1].name
    for field, value, expected in (("buffer", "sf", buffer_name(name)), ("depth", 1, name)):
        stage = plan.stages[1]
        least = -(-64 // stage.simd) if value == "sf" else value
        scarce = replace(plan, stages=(plan.stages[0], replace(stage, **{field: least})))
        found = predict(network, scarce)
        if found.interval > found.law:
            assert found.bottleneck == expected
            return
    pytest.fail("no depth of this plan costs anything")
