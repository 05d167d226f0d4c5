"""The works of the circuit benchmark: what is computed, by whom, and the figure to reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from hwq.fabric.heap import BitHeap, Goal, reduce
from hwq.fabric.lane_form import lane_form
from hwq.fabric.lane_netlist import lane_latency, lane_netlist
from hwq.fabric.netlist import Netlist
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.report import bench_hw_behavioural as behavioural
from hwq.report.bench_hw_alkaid import alkaid, available
from hwq.report.bench_hw_arrays import SHARE, array_works
from hwq.report.bench_hw_behavioural_mac import signed_lanes
from hwq.report.bench_hw_flow import Circuit, Port, Row, Values, Work, sum_bits
from hwq.report.bench_hw_own import lanes, own
from hwq.report.bench_hw_slices import slice_works
from hwq.report.bench_hw_unrolled import unrolled_left_out, unrolled_works

__all__ = ["left_out", "works"]

BIT, TERNARY = Integer(1, False), Integer(2, True, narrow=True)
PE, SIMD = 16, 64
CLBS = {"clb": 20}
WITH_FF = "CLBs of LUTs and carry chains, as the limit is meant; with its flip-flops it takes more (clb_with_ff)"
Makers = dict[str, Callable[[], Circuit | Row]]


def works() -> dict[str, Work]:
    """Every work by name, in the order of the table."""
    return {work.name: work for work in (*_popcounts(), *_lanes(), *array_works(), *slice_works(), *unrolled_works())}


def left_out() -> dict[str, str]:
    """Works that cannot be measured here, and why."""
    return unrolled_left_out()


# -- popcount


def _popcounts() -> tuple[Work, ...]:
    return (
        _popcount("popcount256", 256, registered=False, target=184),
        replace(_popcount("popcount256_pipelined", 256, registered=True, target=140, goal="slices"), limits=CLBS, note=WITH_FF),
        _few_luts(),
        _popcount("popcount32", 32, registered=False),
    )


def _popcount(name: str, width: int, *, registered: bool, target: float | None = None, goal: Goal = "luts") -> Work:
    bits = width.bit_length()
    makers: Makers = {
        "hwq": lambda: own(lambda: _heap_popcount(width, registered, goal)),
        "behavioural": lambda: behavioural.popcount(width, bits),
        "alkaid": lambda: alkaid(np.ones((1, width), np.int64), None, 4 if registered else 0),
    }
    return Work(
        name,
        f"popcount of {width} variable bits",
        "registered" if registered else "combinational",
        {"x": Port(BIT, width)},
        {"y": Port(Integer(bits, False), 1)},
        lambda values: {"y": values["x"].sum(axis=2, keepdims=True)},
        _available(makers),
        target=target,
    )


def _few_luts() -> Work:
    """The pipelined popcount with the fewest LUTs, whatever their carry chains take."""
    work = _popcount("popcount256_pipelined_few_luts", 256, registered=True, target=140)
    return replace(work, title=f"{work.title}, fewest LUTs", contenders={"hwq": work.contenders["hwq"]})


def _heap_popcount(width: int, registered: bool, goal: Goal) -> tuple[Netlist, int]:
    netlist = Netlist("popcount")
    heap = BitHeap(netlist)
    for bit in netlist.input("x", width):
        heap.add(bit)
    total = reduce(heap, width.bit_length(), registered=registered, goal=goal)
    netlist.output("y", total.bits)
    return netlist, total.latency


# -- lanes with variable weights


def _lanes() -> tuple[Work, ...]:
    bits = SIMD.bit_length()
    return (
        _lane_work(
            "xnor_lanes_16x64",
            "XNOR lanes, variable weights, 16 rows of 64, without accumulators",
            Bipolar(),
            Bipolar(),
            lambda: _half(behavioural.binary_lanes(PE, SIMD, bits)),
            0.84,
        ),
        _lane_work(
            "ternary_bipolar_lanes_16x64",
            "ternary weights, bipolar inputs, 16 rows of 64, without accumulators",
            Bipolar(),
            TERNARY,
            lambda: signed_lanes(PE, SIMD, 1, 2, sum_bits(Bipolar(), TERNARY, SIMD), ternary=True),
            None,
        ),
        _lane_work(
            "ternary_ternary_lanes_16x64",
            "ternary weights, ternary inputs, 16 rows of 64, without accumulators",
            TERNARY,
            TERNARY,
            lambda: signed_lanes(PE, SIMD, 2, 2, sum_bits(TERNARY, TERNARY, SIMD), ternary=True),
            None,
        ),
        *(_integer_lanes(width, rows) for width, rows in ((2, 4), (4, 4), (8, 1))),
    )


def _integer_lanes(width: int, rows: int) -> Work:
    encoding, n = Integer(width, True), 16
    title = f"int{width} x int{width} lanes in LUTs, {rows} rows of {n}, without accumulators"
    return _lane_work(
        f"int{width}_lanes_{rows}x{n}",
        title,
        encoding,
        encoding,
        lambda: signed_lanes(rows, n, width, width, sum_bits(encoding, encoding, n)),
        None,
        rows=rows,
        n=n,
    )


def _half(circuit: Circuit) -> Circuit:
    """A circuit that counts agreements: the sum of products plus n, by two."""
    return replace(circuit, outputs={"y": Port(Integer(SIMD.bit_length(), False), PE)}, coded=lambda port, sums, inputs: (sums + SIMD) // 2)


def _lane_work(
    name: str, title: str, x: Encoding, w: Encoding, plain: Callable[[], Circuit], target: float | None, rows: int = PE, n: int = SIMD
) -> Work:
    def expected(values: Values) -> Values:
        weights = values["w"].reshape(*values["w"].shape[:2], rows, n)
        return {"y": (weights * values["x"][:, :, None, :]).sum(axis=3)}

    sums = Integer(sum_bits(x, w, n), True)
    return Work(
        name,
        title,
        "registered",
        {"x": Port(x, n), "w": Port(w, rows * n)},
        {"y": Port(sums, rows)},
        expected,
        {"hwq": partial(_own_lanes, x, w, n, rows), "behavioural": plain},
        products=rows * n,
        target=target and target * rows * n,
        note=SHARE if lane_form(x, w, n, apart=True, multiplier="lut").apart else "",
    )


def _own_lanes(x: Encoding, w: Encoding, n: int, rows: int) -> Circuit:
    form = lane_form(x, w, n, apart=True, multiplier="lut")
    return lanes(lambda: (lane_netlist(form), lane_latency(form)), form, rows)


def _available(makers: Makers) -> Makers:
    return {name: make for name, make in makers.items() if name != "alkaid" or available()}
