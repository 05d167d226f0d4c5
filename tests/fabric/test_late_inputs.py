"""Delays at inputs taken out: the circuit is the same for inputs that come as many cycles later."""

from __future__ import annotations

import numpy as np

from hwq.fabric.late_inputs import late_inputs
from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import Simulator


def delayed_sum() -> Netlist:
    """``y`` is x two cycles ago and not e three cycles ago; ``f`` is read twice."""
    n = Netlist()
    (x,), (e,), (f,) = n.input("x", 1), n.input("e", 1), n.input("f", 1)
    for _ in range(2):
        x = n.flop(x)
    for _ in range(3):
        e = n.flop(e)
    n.output("y", [n.lut(lambda a, b: a & (1 - b), x, e)])
    n.output("z", [n.lut(lambda a, b: a ^ b, f, n.flop(f))])
    return n


def test_inputs_come_late_and_others_as_before() -> None:
    rng = np.random.default_rng(0)
    streams = {port: rng.integers(0, 2, 40) for port in "xef"}
    plain, late = delayed_sum(), late_inputs(delayed_sum(), ("e", "f"))
    assert (len(plain.flops), len(late.flops)) == (6, 3)
    before, after = Simulator(plain, 1), Simulator(late, 1)
    for t in range(40):
        now = {port: [int(streams[port][t])] for port in "xef"}
        shifted = {**now, "e": [int(streams["e"][t - 3]) if t >= 3 else 0]}
        assert {p: v.tolist() for p, v in before.cycle(now).items()} == {p: v.tolist() for p, v in after.cycle(shifted).items()}
