"""Cycles of every beat against the token simulator, where a run ends before its inputs do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv
from hwq.numerics.encoding import Bipolar, Integer
from hwq.target.streams import stream_ports
from hwq.verify.cycles import beats_equal
from hwq.verify.simulate import run_amaranth
from hwq.verify.stalls import stall_traces
from tests.target.designs import plan_for


@pytest.mark.parametrize("profile", ["none", "source"])
def test_rows_that_no_window_reads_may_come_after_the_last_output(profile: str) -> None:
    weights = np.ones((2, 1, 1, 1), np.int64)
    network = Network(
        "n", (NetworkInput("x", (16, 8, 1), Integer(8, True)),), (Node("c", Conv(weights, Bipolar(), (16, 1)), ("x",), ("y",)),), ("y",)
    )
    plan = plan_for(network)
    sources, sinks = stream_ports(network, plan)
    ports = (*sources, *sinks)
    traces = stall_traces(profile, 1, ports)
    codes = {p.port: np.random.default_rng(1).integers(0, 256, (2, 16, 8, 1)) for p in ports if p.is_input}
    run = run_amaranth(network, plan, ports, codes, stalls=profile, traces=traces)
    source, sink = ports
    last = run.cycles[sink.port][-1]
    assert len(run.cycles[source.port]) < 2 * source.beats
    assert beats_equal(run, network, plan, ports, traces)
    for port in ports:
        moved, fewer = run.cycles[port.port].copy(), run.cycles[port.port]
        moved[-1] += 1
        fewer = fewer[fewer < last][:-1]
        for cycles in (moved, fewer):
            assert not beats_equal(replace(run, cycles={**run.cycles, port.port: cycles}), network, plan, ports, traces)
