"""Slices: products, sums and registers of a DSP48E2 as UG579 states them, in plain Python integers."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.dsp48e2 import WIDTHS, Slice48
from hwq.fabric.levels import depth, levels
from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import Simulator

WORD = (1 << 48) - 1


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) * (value >> (bits - 1))


def slice_netlist(use: Slice48) -> Netlist:
    netlist = Netlist()
    ports = {name: netlist.input(name, width) for name, width in WIDTHS.items()}
    netlist.output("p", use.build(netlist, **ports).p)
    return netlist


def stimuli(rng: np.random.Generator, cycles: int, count: int) -> list[dict[str, np.ndarray]]:
    return [{n: rng.integers(0, 1 << w, count, dtype=np.int64) for n, w in WIDTHS.items()} for _ in range(cycles)]


def run(use: Slice48, inputs: list[dict[str, np.ndarray]]) -> list[list[int]]:
    simulator = Simulator(slice_netlist(use), len(inputs[0]["a"]))
    return [simulator.cycle(i)["p"].tolist() for i in inputs]


def as_words(inputs: dict[str, np.ndarray]) -> list[dict[str, int]]:
    return [dict(zip(inputs, values, strict=True)) for values in zip(*(v.tolist() for v in inputs.values()), strict=True)]


COMBINATIONAL = {"a_regs": 0, "b_regs": 0, "c_reg": 0, "d_reg": 0, "m_reg": 0, "p_reg": 0}


@pytest.mark.parametrize("preadd", [0, 1, 2])
def test_the_multiplier_takes_27_by_18_signed_bits(preadd: int) -> None:
    rng = np.random.default_rng(1)
    use = Slice48(preadd=preadd, z=1, w=3, **COMBINATIONAL)
    inputs = stimuli(rng, 1, 200)
    expected = []
    for v in as_words(inputs[0]):
        ad = {0: v["a"], 1: v["d"] + v["a"], 2: v["d"] - v["a"]}[preadd] % (1 << 27)
        expected.append((signed(ad, 27) * signed(v["b"], 18) + v["c"] + v["pcin"]) & WORD)
    assert run(use, inputs)[0] == expected


def test_a_cascade_may_be_shifted_by_the_width_of_an_unsigned_operand() -> None:
    inputs = stimuli(np.random.default_rng(5), 1, 100)
    expected = [(signed(v["a"] % (1 << 27), 27) * signed(v["b"], 18) + (signed(v["pcin"], 48) >> 17)) & WORD for v in as_words(inputs[0])]
    assert run(Slice48(z=4, **COMBINATIONAL), inputs)[0] == expected


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_words_of_24_and_12_bits_do_not_carry_into_each_other(lanes: int) -> None:
    inputs = stimuli(np.random.default_rng(2), 1, 100)
    got = run(Slice48(multiply=0, lanes=lanes, z=3, w=0, subtract=1, **COMBINATIONAL), inputs)[0]
    size = 48 // lanes
    for p, v in zip(got, as_words(inputs[0]), strict=True):
        ab = v["a"] << 18 | v["b"]
        for at in range(0, 48, size):
            assert p >> at & ((1 << size) - 1) == ((v["c"] >> at) - (ab >> at)) % (1 << size)


@pytest.mark.parametrize(("a_regs", "m_reg", "p_reg"), [(0, 0, 1), (1, 1, 1), (2, 1, 1), (2, 0, 0), (1, 1, 0)])
def test_each_register_costs_a_cycle(a_regs: int, m_reg: int, p_reg: int) -> None:
    use = Slice48(a_regs=a_regs, b_regs=a_regs, m_reg=m_reg, p_reg=p_reg)
    inputs = stimuli(np.random.default_rng(3), 8, 50)
    got = run(use, inputs)
    assert use.latency == a_regs + m_reg + p_reg
    # The last p waits for ce.
    held = [0] * 50
    for t in range(8):
        at = t - use.latency
        for k in range(50):
            if at >= 0 and (not p_reg or inputs[t - 1]["ce"][k]):
                a, b = (int(inputs[at][port][k]) for port in "ab")
                held[k] = signed(a % (1 << 27), 27) * signed(b, 18) & WORD
        if t >= use.latency + 4:  # by then nothing of the reset is left where ce was given once
            seen = [not p_reg or any(inputs[s]["ce"][k] for s in range(use.latency - 1, t)) for k in range(50)]
            assert [g for g, s in zip(got[t], seen, strict=True) if s] == [h for h, s in zip(held, seen, strict=True) if s]


@pytest.mark.parametrize(("z", "w"), [(2, 0), (2, 3), (1, 1), (0, 4), (1, 4)])
def test_accumulation_restarts(z: int, w: int) -> None:
    use = Slice48(**{**COMBINATIONAL, "p_reg": 1}, z=z, w=w)
    inputs = stimuli(np.random.default_rng(4), 20, 30)
    got = run(use, inputs)
    p = [0] * 30
    for t, now in enumerate(inputs):
        assert got[t] == p
        for k, v in enumerate(as_words(now)):
            total = signed(v["a"] % (1 << 27), 27) * signed(v["b"], 18)
            last = 0 if v["restart"] else p[k]
            total += {0: 0, 1: v["pcin"], 2: last}[z]
            total += {0: 0, 1: last, 3: v["c"], 4: v["c"] if v["restart"] else p[k]}[w]
            p[k] = total & WORD if v["ce"] else p[k]


def test_a_slice_with_an_output_register_begins_a_path() -> None:
    netlist = Netlist()
    a, b = netlist.input("a", 2), netlist.input("b", 2)
    gate = netlist.lut(lambda x, y: x & y, a[0], a[1])
    p = Slice48().build(netlist, a=[gate], b=b).p
    through = Slice48(**COMBINATIONAL).build(netlist, a=[gate], b=[p[0]]).p
    netlist.output("p", [netlist.lut(lambda x, y: x ^ y, p[0], p[1]), netlist.lut(lambda x, y: x ^ y, through[0], through[1])])
    found = levels(netlist)
    assert [found[bit >> 1] for bit in (p[0], through[0])] == [0, 1]
    assert depth(netlist) == 2
