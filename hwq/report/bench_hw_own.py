"""Circuits of our own for the circuit benchmark: netlists of the fabric, written as instances of the vendor's cells."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hwq.fabric import heap_store
from hwq.fabric.heap import schedule_of
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.netlist import Netlist
from hwq.fabric.prune import prune
from hwq.numerics.encoding import Integer
from hwq.report.bench_hw_flow import Circuit, Port
from hwq.target.fabric_text import module_text, slices_of, structural_body
from hwq.target.primitives import slice_modules

__all__ = ["lanes", "own", "structural", "weights_share"]

CORE = "core"


def structural(netlist: Netlist, name: str = CORE) -> str:
    """The netlist as one module of cells by the vendor's names, with the slices it uses."""
    body = structural_body(netlist, "hwq", vendor=True)
    text = module_text(netlist, name, body, clocked=_clocked(netlist))
    return f"{text}\n{slice_modules('hwq', slices_of(netlist), 'unisim')}\n"


def _clocked(netlist: Netlist) -> bool:
    return bool(netlist.flops) or bool(slices_of(netlist))


def own(make: Callable[[], tuple[Netlist, int]], notes: Mapping[str, Any] | None = None) -> Circuit:
    """The circuit that ``make`` gives as (netlist, latency); a latency above 0 means that its outputs come from flip-flops.

    Schedules that an earlier circuit searched are searched anew, so that the seconds are its own; how many were solved before and only
    read is in its notes.
    """
    schedule_of.cache_clear()
    started = time.process_time()
    with _solved_before() as heaps:
        made, latency = make()
    netlist = prune(made)
    clocked = _clocked(netlist)
    files = {f"{CORE}.v": structural(netlist)}
    return Circuit(
        "hwq",
        files,
        CORE,
        clocked=clocked,
        reset=clocked,
        latency=latency,
        registers=frozenset({"outputs"} if latency else ()),
        seconds=time.process_time() - started,
        netlist=netlist,
        notes={**(notes or {}), "stored_heaps": len(heaps)},
    )


class _Names(logging.Handler):
    """Collects the heaps that the store speaks of."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: set[object] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.found.add(record.args)


@contextmanager
def _solved_before() -> Iterator[set[object]]:
    """The heaps whose schedules were read from the store."""
    log, handler = logging.getLogger(heap_store.__name__), _Names()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield handler.found
    finally:
        log.setLevel(level)
        log.removeHandler(handler)


def lanes(make: Callable[[], tuple[Netlist, int]], form: LaneForm, count: int) -> Circuit:
    """``count`` times the lane that ``make`` gives, all with the same x; its outputs are raw sums."""
    one = own(make)
    assert one.netlist is not None
    netlist, bits = one.netlist, form.y_max.bit_length()
    n = {port: len(b) for port, b in netlist.inputs.items()}
    clock = ".clk(clk), .rst(1'b0), " if one.clocked else ""
    ports = [f"input [{n['x'] - 1}:0] x", f"input [{count * n['w'] - 1}:0] w", f"output [{count * bits - 1}:0] y"]
    head = f"module lanes({', '.join(['input clk', *ports] if one.clocked else ports)});"
    instances = [f"  {CORE} lane{r} ({clock}.x(x), .w(w[{r * n['w']} +: {n['w']}]), .y(y[{r * bits} +: {bits}]));" for r in range(count)]
    text = "\n".join([head, *instances, "endmodule", ""])
    outputs = {"y": Port(Integer(bits, False), count)}
    return replace(
        one,
        files={**one.files, "lanes.v": text},
        core="lanes",
        reset=False,
        netlist=None,
        outputs=outputs,
        coded=lambda port, sums, inputs: (sums - form.share(form.w.encode(inputs["w"]).reshape(*sums.shape, form.n))) // form.step,
        notes={**one.notes, **weights_share(form)},
    )


def weights_share(form: LaneForm) -> dict[str, str]:
    """What a design puts elsewhere: the weights' share of a sum lies in thresholds, offsets or outputs, in no memory or adder."""
    return {"weights_share": "in the constants of the channels, as in designs"} if form.apart else {}
