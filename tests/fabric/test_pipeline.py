"""Pipelines: the same function later, no deeper than asked for."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hwq.fabric.adders import ripple_adder, ternary_adder
from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.levels import depth
from hwq.fabric.netlist import Netlist
from hwq.fabric.pipeline import pipeline
from hwq.fabric.simulate import Simulator, evaluate


def tangle(seed, inputs=12, cells=60):
    """A circuit of random LUTs and adders."""
    rng, netlist = random.Random(seed), Netlist()
    bits = netlist.input("x", inputs)
    for _ in range(cells):
        pick = [b ^ rng.randint(0, 1) for b in rng.sample(bits[-20:], 6)]
        kind = rng.randrange(4)
        if kind == 0:
            bits += ripple_adder(netlist, pick[:3], pick[3:])[0]
        elif kind == 1:
            bits += ternary_adder(netlist, [pick[:2], pick[2:4]], pick[4:])
        elif kind == 2:
            bits += netlist.lut2(rng.getrandbits(32), rng.getrandbits(32), *pick[:5])
        else:
            bits.append(netlist.lut(rng.getrandbits(64), *pick))
    netlist.output("y", bits[-9:])
    netlist.output("z", bits[3:40:7])
    return netlist


@pytest.mark.parametrize("registered_inputs", [False, True])
@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_pipeline_computes_the_same_every_cycle(seed, every, registered_inputs):
    netlist = tangle(seed)
    made, latency = pipeline(netlist, every, registered_inputs=registered_inputs)
    x = np.random.default_rng(seed).integers(0, 1 << 12, (8 + latency, 8))
    simulator = Simulator(made, 8)
    got = [simulator.cycle({"x": row}) for row in x]
    for now, row in zip(got[latency:], x, strict=False):
        expected = evaluate(netlist, {"x": row})
        np.testing.assert_array_equal(now["y"], expected["y"])
        np.testing.assert_array_equal(now["z"], expected["z"])
    assert depth(made) <= every


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_as_many_stages_as_asked_for(stages):
    netlist = Netlist()
    heap = BitHeap(netlist)
    for bit in netlist.input("x", 60):
        heap.add(bit)
    netlist.output("y", reduce(heap, 6).bits)
    made, latency = pipeline(netlist, stages=stages)
    assert latency <= stages
    assert depth(made) <= -(-depth(netlist) // stages) + 1
    x = np.random.default_rng(1).integers(0, 1 << 60, 50)
    np.testing.assert_array_equal(evaluate(made, {"x": x}, latency)["y"], np.array([int(v).bit_count() % 64 for v in x]))


def test_a_late_input_waits_and_an_early_result_is_kept_once():
    netlist = Netlist()
    a = netlist.input("a", 4)
    first = netlist.lut(lambda *v: sum(v) & 1, *a)
    second = netlist.lut(lambda p, q: p & q, first, a[0])
    netlist.output("y", [netlist.lut(lambda p, q: p | q, second, a[1]), netlist.lut(lambda p, q: p ^ q, second, a[1])])
    made, latency = pipeline(netlist, 1)
    # Between stages 1 and 2: first, a[0], a[1]; 2 and 3: second, a[1]; and both outputs.
    assert (latency, len(made.flops)) == (3, 7)


def test_luts_of_a_chain_stay_with_it():
    netlist = Netlist()
    x = netlist.input("x", 12)
    late = netlist.lut(lambda *v: sum(v) > 2, *x[:6])
    bits, carry = ripple_adder(netlist, x[:4], [*x[8:11], late])
    netlist.output("y", [*bits, carry])
    made, latency = pipeline(netlist, 1)
    held = {f.q for f in made.flops}
    chain = made.cells[-1]
    assert latency == 2
    assert not {*chain.s, *chain.di} & held
