"""Pools on the Reader: overlapping, padded, several windows a cycle; every beat in its cycle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.gateware.parts import Parts
from hwq.gateware.pool import PoolStage
from hwq.network.graph import Network, Node
from hwq.network.ops import Pool, Window
from hwq.plan.plan import StagePlan
from hwq.plan.units import PoolUnit
from tests.gateware.cases import edges_of, first_unit, image_network, requantizer, staircase, values
from tests.gateware.laws import window_law
from tests.gateware.stream import edge_words, pipe, trace


def build(network: Network, stage: StagePlan) -> tuple[PoolStage, list, list]:
    unit, dataflow = first_unit(network, PoolUnit, stage)
    sources, targets = edges_of(dataflow, unit)
    x, out = network.tensors["x"].encoding, network.tensors["y"].encoding
    return PoolStage(unit, sources[0], targets[0], x, out, Parts()), sources, targets


def check(network: Network, stage: StagePlan, frames: int, idle: float, stall: float) -> None:
    rng = np.random.default_rng(frames)
    dut, (source,), (target,) = build(network, stage)
    x = values(rng, network.tensors["x"].encoding, (frames, *network.tensors["x"].shape))
    expected = edge_words(network.run({"x": x})["y"], network.tensors["y"].encoding, target)
    words = edge_words(x, network.tensors["x"].encoding, source)
    idles, stalls = trace(rng, idle), trace(rng, stall)
    put, got = pipe(dut, words, len(expected), source=idles, sink=stalls)
    assert got.words == expected
    unit, g = dut.unit, dut.unit.geometry
    image = (g.height, g.width, g.words)
    law = window_law(image, g.window, frames, unit.buffer, unit.depth, unit.latency, idles, stalls, pixels=g.pixels, blocks=g.blocks)
    assert (put.cycles, got.cycles) == law


def pool_network(mode: str, window: Window, shape: tuple[int, int, int], encoding: str, tail: str = "none") -> Network:
    rng = np.random.default_rng(5)
    name = "y" if tail == "none" else "a"
    nodes = [Node("pool", Pool(mode, window), ("x",), (name,))]
    if tail == "threshold":
        nodes.append(Node("act", staircase(rng, shape[2], "UINT2", reach=9, steps="mixed"), ("a",), ("y",)))
    if tail == "requantize":
        nodes.append(Node("act", requantizer(rng, shape[2], "INT4", 4), ("a",), ("y",)))
    return image_network({"x": (encoding, shape)}, *nodes)


@st.composite
def pools(draw: st.DrawFn) -> tuple[Network, StagePlan]:
    v = draw(st.integers(1, 2))
    kernel, stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3))), draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    top, left = draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))
    columns = v * draw(st.integers(1, 3))
    # The image that gives these many columns of windows, with padding on the right to fill up.
    reach = (columns - 1) * stride[1] + kernel[1] - left
    width = -(-reach // v) * v
    right = 0 if width >= reach else reach - width
    window = Window(kernel, stride, (top, left, 0, right))
    height, channels = draw(st.integers(kernel[0], 5)), draw(st.integers(1, 4))
    mode = draw(st.sampled_from(["max", "min", "sum"]))
    tail = draw(st.sampled_from(["none", "threshold", "requantize"])) if mode == "sum" else "none"
    encoding = draw(st.sampled_from(["BIPOLAR", "UINT2", "INT3", "TERNARY"]))
    network = pool_network(mode, window, (height, width, channels), encoding, tail)
    if network.tensors[network.nodes[0].outputs[0]].shape[1] % v:
        v = 1
    stage = StagePlan("pool", draw(st.integers(1, channels)), pixels=v, depth=draw(st.integers(1, 6)))
    unit, _ = first_unit(network, PoolUnit, stage)
    buffer = unit.geometry.least_buffer + draw(st.integers(0, 6))
    return network, StagePlan(stage.name, stage.pe, pixels=v, depth=stage.depth, buffer=buffer)


@settings(max_examples=20)
@given(pools(), st.sampled_from([(1.0, 1.0), (0.6, 1.0), (0.8, 0.5)]))
def test_pool_bits_and_cycles(case, rates):
    check(*case, 3, *rates)


@pytest.mark.parametrize("mode", ["max", "min", "sum"])
@pytest.mark.parametrize("encoding", ["BIPOLAR", "INT3"])
def test_padding_does_not_count(mode, encoding):
    network = pool_network(mode, Window((3, 3), (2, 2), (1, 1, 1, 1)), (6, 6, 3), encoding)
    check(network, StagePlan("pool", 2, buffer=40, depth=4), 3, 1.0, 0.7)
