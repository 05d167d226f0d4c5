from __future__ import annotations

import pytest
from hypothesis import given, settings

from hwq.network.ops import Window
from hwq.plan.dataflow import Dataflow
from hwq.plan.law import bottleneck
from hwq.plan.prediction import predict_tokens
from hwq.plan.sizing import keeps_interval, least_depths, start_depths
from hwq.plan.token_network import TokenNetwork, buffer_name
from hwq.plan.units import Converter, Fifo
from tests.plan.dataflows import Builder, dataflows


def sized(dataflow: Dataflow) -> TokenNetwork:
    names = [u.name for u in dataflow.units if hasattr(u, "depth")]
    names += [buffer_name(u.name) for u in dataflow.units if hasattr(u, "buffer")]
    return TokenNetwork(dataflow).with_depths(least_depths(dataflow, {}, names))


@given(dataflows(is_queued=True))
@settings(max_examples=25, deadline=None)
def test_sized_dataflows_flow_at_the_law_and_no_depth_can_shrink(dataflow: Dataflow) -> None:
    _, law = bottleneck(dataflow)
    tokens = sized(dataflow)
    assert keeps_interval(tokens, law)
    assert predict_tokens(tokens).interval == law
    for unit in dataflow.units:
        if isinstance(unit, Fifo | Converter):
            depth = tokens.channels[tokens.index[unit.name]].depth
            assert depth == 1 or not keeps_interval(tokens.with_depths({unit.name: depth - 1}), law), unit.name


@pytest.mark.slow
@given(dataflows(is_queued=True))
@settings(max_examples=1000, deadline=None)
def test_sized_dataflows_flow_at_the_law_and_no_depth_can_shrink_often(dataflow: Dataflow) -> None:
    test_sized_dataflows_flow_at_the_law_and_no_depth_can_shrink.hypothesis.inner_test(dataflow)  # type: ignore[attr-defined]


def residual(long: int) -> Dataflow:
    """Blocks of ``long`` convolutions beside a skip."""
    b = Builder()
    window = Window((3, 3), (1, 1), (1, 1, 1, 1))
    e = b.source(4, 4, height=8, width=8)
    for _ in range(2):
        x, y = b.fork(e, 2)
        for _ in range(long):
            x = b.mvu(x, 4, 4, 0, 2, 6, window)
        e = b.join([x, b.fifo(y, 2)], 2, 2)
    b.sink(e)
    return b.dataflow()


@pytest.mark.parametrize("long", [1, 2, 3])
def test_a_skip_is_as_deep_as_its_branch_is_long(long: int) -> None:
    dataflow = residual(long)
    tokens = sized(dataflow)
    _, law = bottleneck(dataflow)
    assert law == 64 * 9
    depths = [tokens.channels[tokens.index[u.name]].depth for u in dataflow.units if isinstance(u, Fifo)]
    # A row and two pixels of each convolution.
    assert all(9 * long <= d <= 12 * long + 2 for d in depths)
    for u in dataflow.units:
        if isinstance(u, Fifo):
            assert not keeps_interval(tokens.with_depths({u.name: tokens.channels[tokens.index[u.name]].depth - 1}), law)


def test_the_start_suffices_for_a_convolution_between_balanced_ones() -> None:
    b = Builder()
    e = b.source(4, 4, height=12, width=12)
    for _ in range(3):
        e = b.mvu(e, 4, 4, 0, 2, 6, Window((3, 3), (1, 1), (1, 1, 1, 1)))
    b.sink(e)
    dataflow = b.dataflow()
    assert keeps_interval(TokenNetwork(dataflow).with_depths(start_depths(dataflow)), bottleneck(dataflow)[1])


def test_fixed_depths_are_honoured_even_when_they_starve() -> None:
    dataflow = residual(1)
    fifo = next(u.name for u in dataflow.units if isinstance(u, Fifo))
    assert least_depths(dataflow, {fifo: 3}, [fifo])[fifo] == 3


def test_frames_of_a_million_words() -> None:
    b = Builder()
    b.sink(b.fifo(b.elementwise(b.source(1, 1, height=1000, width=1000), 4, 2), 2))
    tokens = TokenNetwork(b.dataflow())
    assert keeps_interval(tokens, 1_000_000)
    prediction = predict_tokens(tokens)
    assert (prediction.interval, prediction.k0) == (1_000_000, 0)
