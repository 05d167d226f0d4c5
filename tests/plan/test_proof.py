from __future__ import annotations

import pytest

from hwq.errors import InputError
from hwq.network.ops import Window
from hwq.plan.dataflow import Dataflow
from hwq.plan.prediction import predict_tokens
from hwq.plan.token_network import TokenNetwork
from tests.plan.cycle_model import step_through
from tests.plan.dataflows import Builder


def residual(skip: int) -> Dataflow:
    b = Builder()
    x, y = b.fork(b.source(4, 4, height=6, width=6), 2)
    x = b.mvu(x, 4, 4, 9, 2, 5, Window((3, 3), (1, 1), (1, 1, 1, 1)))
    b.sink(b.join([x, b.fifo(y, skip)], 2, 1))
    return b.dataflow()


def test_a_schedule_that_recurs_is_the_proof() -> None:
    proof = predict_tokens(TokenNetwork(residual(20))).proof
    assert (proof.period, proof.cycles, proof.pace) == (1, 324, 0)
    assert proof.frames <= 4
    assert len(proof.digest) == 64
    assert len(proof.obligations) == 6
    assert proof == predict_tokens(TokenNetwork(residual(20))).proof


def test_a_skip_too_short_is_named_with_the_depth_that_does() -> None:
    with pytest.raises(InputError, match="fifo3: its depth of 5 words deadlocks the design: it is full, and join4") as caught:
        predict_tokens(TokenNetwork(residual(5)))
    assert caught.value.code == "PLAN-DEADLOCK"
    assert caught.value.message.endswith("join4, which reads it, waits for mvu2")
    depth = int(str(caught.value.hint).split(" words work")[0])
    for skip, flows in ((depth, True), (depth - 1, False)):
        assert step_through(residual(skip), 3).finished is flows


def test_queues_that_fill_for_ever_are_proven_at_a_pace() -> None:
    b = Builder()
    # 2000 words of slack at one cycle a frame less than the source could send.
    e = b.fifo(b.source(99, 1), 60_000)
    b.sink(b.mvu(e, 5, 1, 99, 3, 4))
    assert predict_tokens(TokenNetwork(b.dataflow())).proof.cycles == 495


def test_several_short_fifos_are_named_together() -> None:
    b = Builder()
    window = Window((3, 3), (1, 1), (1, 1, 1, 1))
    x, y, z = b.fork(b.source(4, 4, height=6, width=6), 3)
    x = b.mvu(x, 4, 4, 9, 2, 5, window)
    b.sink(b.join([x, b.fifo(y, 3), b.fifo(z, 3)], 2, 1))
    with pytest.raises(InputError) as caught:
        predict_tokens(TokenNetwork(b.dataflow()))
    assert "Together these work: " in str(caught.value.hint)
