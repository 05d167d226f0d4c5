from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from hwq.plan.dataflow import Dataflow
from hwq.plan.law import bottleneck, unit_cycles
from hwq.plan.token_network import TokenNetwork
from tests.plan.cycle_model import step_through
from tests.plan.dataflows import Builder, dataflows


def law_of(dataflow: Dataflow, position: int) -> int:
    return unit_cycles(dataflow.units[position], dataflow)


def test_laws_of_the_units_by_hand() -> None:
    b = Builder()
    e = b.source(20, 6)
    e = b.convert(e, 3, 2)
    e = b.mvu(e, 5, 2, 7, 4, 3)
    e = b.elementwise(e, 4, 2)
    b.sink(b.argmax(e, 3, 1))
    d = b.dataflow()
    assert [law_of(d, k) for k in range(6)] == [4, 7, 7 * 3, 3, 3, 1]
    assert (bottleneck(d)[0].name, bottleneck(d)[1]) == ("mvu2", 21)


@given(dataflows())
@settings(max_examples=60, deadline=None)
def test_no_depth_beats_the_law_and_ample_depth_reaches_it(dataflow: Dataflow) -> None:
    _, law = bottleneck(dataflow)
    tokens = TokenNetwork(dataflow)
    ample = tokens.with_depths({c.name: 40 for c in tokens.channels if c.latency >= 0})
    last = [b[:, -1] for b in ample.run(12, pace=law).output_beats.values()]
    assert all((np.diff(x)[6:] == law).all() for x in last)
    # Few frames more than the slowest fills its queues with: what the queues absorb at first is given back by then.
    frames = 4 * tokens.memory + 12
    slow = [b[:, -1] for b in tokens.run(frames).output_beats.values()]
    half = frames // 2
    assert max(int(x[-1] - x[half]) for x in slow) >= (frames - 1 - half) * law


@pytest.mark.parametrize(("mh", "pe", "channels", "simd"), [(5, 2, 7, 3), (1, 1, 1, 1), (8, 8, 8, 2), (9, 4, 4, 4)])
def test_the_stepped_model_keeps_the_law_too(mh: int, pe: int, channels: int, simd: int) -> None:
    b = Builder()
    e = b.source(channels, simd)
    b.sink(b.mvu(e, mh, pe, e.words + 2, 9, 4))
    law = -(-mh // pe) * -(-channels // simd)
    beats = step_through(b.dataflow(), 12).outputs["out2"]
    assert set(np.diff(beats[-(-mh // pe) - 1 :: -(-mh // pe)])[4:]) == {law}
