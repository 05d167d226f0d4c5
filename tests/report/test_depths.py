"""Buffers and FIFOs by size, and the reason of the largest."""

from __future__ import annotations

import re

from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.report.depths import Store, reason, stores
from tests.report.networks import plan_of, residual_network


def dataflow(fifo: int = 40) -> Dataflow:
    network = residual_network()
    return dataflow_of(network, plan_of(network, fifo))


def find(found: list[Store], unit: str, kind: str) -> Store:
    return next(s for s in found if (s.unit, s.kind) == (unit, kind))


def test_stores_come_by_their_bits() -> None:
    found = stores(dataflow(2000))
    assert [s.total_bits for s in found] == sorted((s.total_bits for s in found), reverse=True)
    assert (found[0].kind, found[0].words, found[0].bits, found[0].memory) == ("FIFO", 2000, 2, "block")
    stem = find(found, "stem", "buffer")
    assert (stem.words, stem.bits) == (2 * 8 * 3 + 3 * 3 + 3, 8)


def test_a_window_reaches_back_rows() -> None:
    flow = dataflow()
    assert reason(find(stores(flow), "stem", "buffer"), flow) == "a window reaches back 2 rows of 24 words and 12 words ahead"


def test_a_skip_fifo_waits_for_the_windows_of_the_other_branch() -> None:
    flow = dataflow()
    text = reason(find(stores(flow), "stem.out.branch1.fifo", "FIFO"), flow)
    match = re.match(r"the first word of a frame waits ([\d ]+) cycles in it, until 'block0.conv2' gives 'block0.add' ", text)
    assert match
    # Two windows of two rows must fill, at one word of the stem in 27 cycles.
    assert int(match[1].replace(" ", "")) > 2 * 8 * 4 * 27
