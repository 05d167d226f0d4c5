"""Stages of a pipeline: nothing stands before what it reads, and no stage is deeper than asked."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.levels import depth
from hwq.fabric.netlist import Netlist
from hwq.fabric.pipeline import pipeline
from hwq.fabric.simulate import evaluate
from hwq.fabric.stages import assigned


def late_upper_position() -> Netlist:
    """A chain whose upper position comes levels later than its lower one, and a LUT that reads the lower one."""
    netlist = Netlist()
    a = netlist.input("a", 6)
    late = a[2]
    for k in range(3, 6):
        late = netlist.lut(lambda p, q: p ^ q, late, a[k])
    low = netlist.position(lambda p, q: p ^ q, lambda p, q: p, a[0], a[1])
    high = netlist.position(lambda p, q: p ^ q, lambda p, q: p, late, a[1])
    o, co = netlist.chain([low[0], high[0]], [low[1], high[1]])
    netlist.output("y", [netlist.lut(lambda p, q: p & q, o[0], a[5]), o[1], co[1]])
    return netlist


@pytest.mark.parametrize("every", [1, 2, 3, 4])
def test_what_reads_a_chain_stands_no_earlier_than_the_chain(every: int) -> None:
    netlist = late_upper_position()
    made, latency = pipeline(netlist, every)
    assert depth(made) <= every
    codes = np.arange(64)
    np.testing.assert_array_equal(evaluate(made, {"a": codes}, latency)["y"], evaluate(netlist, {"a": codes})["y"])


@pytest.mark.parametrize("stages", [1, 2, 3, 5])
def test_a_number_of_stages_is_kept(stages: int) -> None:
    assert assigned(late_upper_position(), None, stages).stages == stages
