from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from hwq.network.ops import Window
from hwq.plan.dataflow import Dataflow
from hwq.plan.law import bottleneck, unit_cycles
from hwq.plan.sizing import keeps_interval
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


def test_laws_of_windows_and_routes_by_hand() -> None:
    b = Builder()
    e = b.source(4, 2, height=5, width=6, pixels=2)
    e = b.mvu(e, 6, 2, 9, 4, 3, Window((3, 3), (1, 1), (1, 1, 1, 1)))
    x, y = b.fork(e, 2)
    x = b.depthwise(x, Window((1, 1), (2, 2)), 9, 2, 2)
    y = b.convert(y, 6, 2, 1)
    y = b.upsample(y, (2, 3), 9, 2, 2)
    b.sink(x)
    b.sink(b.pad(y, (1, 0, 2, 3), 2))
    d = b.dataflow()
    # 15 groups of two windows, 18 words a window, three passes; a stride of two reads 15 words for 9; 3 words to 2 a block.
    assert [law_of(d, k) for k in range(7)] == [30, 15 * 18 * 3, 45, 45, 15 * 3, 10 * 18, 18]
    assert law_of(d, 7) == 13 * 21


@given(dataflows(is_queued=True))
@settings(max_examples=60, deadline=None)
def test_no_depth_beats_the_law_and_ample_depth_reaches_it(dataflow: Dataflow) -> None:
    _, law = bottleneck(dataflow)
    tokens = TokenNetwork(dataflow)
    ample = {c.name: max(40, 2 * c.words, 2 * c.minimum) for c in tokens.channels if c.latency >= 0}
    assert keeps_interval(tokens.with_depths(ample), law)
    frames = 8 + 4 * sum(c.depth // c.words for c in tokens.channels)
    given_depths = tokens.start(frames)
    if given_depths.advance(frames):
        ends = [beats[:, -1] for beats in given_depths.result().output_beats.values()]
        # What queues absorb at first is given back by then.
        half = frames // 2
        assert max(int(x[-1] - x[half]) for x in ends) >= (frames - 1 - half) * law


@pytest.mark.parametrize(("mh", "pe", "channels", "simd"), [(5, 2, 7, 3), (1, 1, 1, 1), (8, 8, 8, 2), (9, 4, 4, 4)])
def test_the_stepped_model_keeps_the_law_too(mh: int, pe: int, channels: int, simd: int) -> None:
    b = Builder()
    e = b.source(channels, simd)
    b.sink(b.mvu(e, mh, pe, e.words + 2, 9, 4))
    law = -(-mh // pe) * -(-channels // simd)
    beats = step_through(b.dataflow(), 12).outputs["out2"]
    assert set(np.diff(beats[-(-mh // pe) - 1 :: -(-mh // pe)])[4:]) == {law}
