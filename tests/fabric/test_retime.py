"""Retiming keeps what a pipeline computes and never adds flip-flops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.netlist import Chain, Lut, Netlist
from hwq.fabric.retime import retimed
from hwq.fabric.simulate import evaluate


def random_pipeline(seed: int, cells: int) -> tuple[Netlist, int]:
    """Gates of random earlier bits, some behind flip-flops, all outputs in one cycle."""
    rng = np.random.default_rng(seed)
    netlist = Netlist()
    made = [(b, 0) for b in netlist.input("x", 6)]

    def at(bit: tuple[int, int], time: int) -> int:
        literal = bit[0]
        for _ in range(time - bit[1]):
            literal = netlist.flop(literal)
        return literal

    for _ in range(cells):
        chosen = [made[k] for k in rng.choice(len(made), 4, replace=False)]
        time = max(t for _, t in chosen)
        pins = [at(b, time) for b in chosen]
        if rng.random() < 0.4:
            s, di = zip(*[netlist.position(0x6996, 0xF00F, *pins) for _ in range(2)], strict=True)
            o, co = netlist.chain(s, di)
            results = [o[0], o[1], co[1]]
        else:
            results = [netlist.lut(int(rng.integers(1, 1 << 16)), *pins)]
        later = int(rng.random() < 0.7)
        made += [(netlist.flop(b) if later else b, time + later) for b in results if b > 1]
    ends = [made[k] for k in range(max(0, len(made) - 5), len(made))]
    latency = 1 + max(t for _, t in ends)
    netlist.output("y", [at(b, latency) for b in ends])
    return netlist, latency


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 25))
def test_the_outputs_stay_with_no_more_flip_flops_or_cycles(seed: int, cells: int) -> None:
    netlist, latency = random_pipeline(seed, cells)
    result, cycles = retimed(netlist)
    x = np.arange(64)
    assert cycles <= latency
    assert len(result.flops) <= len(netlist.flops)
    assert (evaluate(result, {"x": x}, cycles)["y"] == evaluate(netlist, {"x": x}, latency)["y"]).all()
    assert (evaluate(result, {"x": x}, cycles + 3)["y"] == evaluate(netlist, {"x": x}, latency)["y"]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 25))
def test_a_chain_keeps_the_luts_of_its_positions_without_flip_flops(seed: int, cells: int) -> None:
    result, _ = retimed(random_pipeline(seed, cells)[0])
    luts = {cell.o6 for cell in result.cells if isinstance(cell, Lut)}
    assert all(s in luts for cell in result.cells if isinstance(cell, Chain) for s in cell.s)


def test_a_wide_gate_moves_in_front_of_its_flip_flops_a_narrow_one_behind() -> None:
    netlist = Netlist()
    a, b, c = netlist.input("x", 3)
    for _ in range(3):
        a, b, c = (netlist.flop(v) for v in (a, b, c))
    both = netlist.lut(lambda p, q, r: p ^ q ^ r, a, b, c)
    netlist.output("y", [netlist.flop(both)])
    result, latency = retimed(netlist)
    assert latency == 2
    assert len(result.flops) == 4


def test_a_line_of_flip_flops_is_shared() -> None:
    netlist = Netlist()
    a, b = netlist.input("x", 2)
    first = netlist.flop(netlist.lut(lambda p, q: p & q, a, b))
    second = netlist.flop(netlist.lut(lambda p, q: p ^ q, first, netlist.flop(a)))
    netlist.output("y", [netlist.flop(netlist.flop(first)), netlist.flop(second)])
    result, latency = retimed(netlist)
    assert latency == 2
    assert len(result.flops) == 4
