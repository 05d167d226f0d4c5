from __future__ import annotations

import sys

import pytest

from hwq.network.ops import Window
from hwq.plan.dataflow import Dataflow
from hwq.plan.law import bottleneck
from hwq.plan.region import between_fork_and_join
from hwq.plan.sizing import keeps_interval, least_depths, start_depths
from hwq.plan.token_network import TokenNetwork, buffer_name
from hwq.plan.units import AxiIn, AxiOut, Fifo, Mvu, Unit
from tests.plan.dataflows import Builder

SAME = Window((3, 3), (1, 1), (1, 1, 1, 1))


def nested() -> tuple[Dataflow, dict[str, Unit]]:
    """A skip around a convolution, a skip inside that, and a last convolution; the units that tests name."""
    b = Builder()
    x, outer = b.fork(b.mvu(b.source(4, 4, height=8, width=8), 4, 4, 0, 2, 6, SAME), 2)
    x, inner = b.fork(b.mvu(x, 4, 4, 0, 2, 6, SAME), 2)
    within = b.mvu(x, 4, 4, 0, 2, 6, SAME)
    skip = b.fifo(inner, 2)
    x = b.join([within, skip], 2, 2)
    long = b.fifo(outer, 2)
    x = b.join([x, long], 2, 2)
    last = b.mvu(x, 4, 4, 0, 2, 6, SAME)
    b.sink(last)
    dataflow = b.dataflow()
    writer = {e: u for u in dataflow.units for e in u.outputs}
    return dataflow, {"within": writer[within.name], "skip": writer[skip.name], "long": writer[long.name], "last": writer[last.name]}


@pytest.mark.parametrize(("unit", "windows", "fifos"), [("skip", 1, 1), ("within", 1, 1), ("long", 2, 2)])
def test_a_skip_reaches_from_its_fork_to_its_join_whatever_passes_by(unit: str, windows: int, fifos: int) -> None:
    dataflow, named = nested()
    piece = between_fork_and_join(dataflow, named[unit])
    assert piece is not None
    assert sum(isinstance(u, Mvu) for u in piece.units) == windows
    assert sum(isinstance(u, Fifo) for u in piece.units) == fifos
    assert sum(isinstance(u, AxiIn) for u in piece.units) == sum(isinstance(u, AxiOut) for u in piece.units) == 1


def test_what_hangs_on_to_no_fork_has_no_such_piece() -> None:
    dataflow, named = nested()
    assert between_fork_and_join(dataflow, named["last"]) is None


def test_a_large_network_gets_close_to_its_least_depths_and_keeps_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    dataflow, named = nested()
    names = [u.name for u in dataflow.units if hasattr(u, "depth")] + [buffer_name(u.name) for u in dataflow.units if isinstance(u, Mvu)]
    least = least_depths(dataflow, {}, names)
    monkeypatch.setattr(sys.modules[least_depths.__module__], "LARGE", 0)
    near = least_depths(dataflow, {}, names)
    _, cycles = bottleneck(dataflow)
    assert keeps_interval(TokenNetwork(dataflow).with_depths(near), cycles)
    start = start_depths(dataflow)
    for unit in ("skip", "long"):
        name = named[unit].name
        assert least[name] <= near[name] + 2
        assert near[name] <= least[name] + least[name] // 8 + 4 < start[name]
