"""Complements move from the outputs into truth tables."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.netlist import TRUE, Netlist
from hwq.fabric.polarity import plain_outputs
from hwq.fabric.simulate import evaluate


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30))
def test_the_outputs_keep_their_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    netlist = Netlist()
    made = netlist.input("x", 5)
    for _ in range(12):
        pins = [made[k] ^ int(rng.integers(2)) for k in rng.choice(len(made), 4, replace=False)]
        kind = rng.integers(4)
        if kind == 0:
            made += netlist.lut2(int(rng.integers(1 << 16)), int(rng.integers(1 << 16)), *pins)
        elif kind == 1:
            s, di = netlist.position(0x6996, 0xF00F, *pins)
            made.append(netlist.chain([s], [di])[1][0])
        else:
            made.append(netlist.flop(netlist.lut(int(rng.integers(1 << 16)), *pins)))
    netlist.output("y", [made[k] ^ int(rng.integers(2)) for k in rng.choice(len(made), 6)])
    result = plain_outputs(netlist)
    x = np.arange(32)
    assert (evaluate(result, {"x": x}, 12)["y"] == evaluate(netlist, {"x": x}, 12)["y"]).all()
    assert sum(b & 1 for b in result.outputs["y"] if b > TRUE) <= sum(b & 1 for b in netlist.outputs["y"] if b > TRUE)


def test_a_table_takes_the_complement_through_flip_flops_and_into_other_readers() -> None:
    netlist = Netlist()
    a, b = netlist.input("x", 2)
    both = netlist.flop(netlist.lut(lambda p, q: p & q, a, b))
    netlist.output("y", [netlist.flop(both) ^ 1])
    netlist.output("z", [netlist.flop(netlist.lut(lambda p, q: p ^ q, both, a))])
    result = plain_outputs(netlist)
    assert result.outputs["y"] == (netlist.outputs["y"][0] ^ 1,)
    got = evaluate(result, {"x": np.arange(4)}, 3)
    assert got["y"].tolist() == [1, 1, 1, 0]
    assert got["z"].tolist() == [0, 1, 0, 0]


def test_what_a_carry_chain_reads_or_gives_stays() -> None:
    netlist = Netlist()
    a, b = netlist.input("x", 2)
    s, di = netlist.position(lambda p, q: p ^ q, lambda p, q: p, a, b)
    o, _ = netlist.chain([s], [di])
    netlist.output("y", [o[0] ^ 1, s ^ 1, a ^ 1])
    assert plain_outputs(netlist) is netlist


def test_a_table_whose_upper_output_reads_the_sixth_pin_stays() -> None:
    # O6 reads the whole table, O5 its lower half: neither can be complemented alone.
    netlist = Netlist()
    x = netlist.input("x", 6)
    o6, o5 = netlist.lut6_2(lambda *b: sum(b) & 1, *x)
    netlist.output("y", [o6 ^ 1, o5])
    netlist.output("z", [netlist.flop(o5) ^ 1])
    result = plain_outputs(netlist)
    assert result is netlist
    stimuli = np.arange(64)
    ones = np.array([bin(v).count("1") for v in stimuli])
    low = np.array([bin(v & 31).count("1") for v in stimuli])
    got = evaluate(result, {"x": stimuli}, 3)
    assert got["y"].tolist() == ((1 - ones % 2) + 2 * (low % 2)).tolist()
    assert got["z"].tolist() == (1 - low % 2).tolist()
