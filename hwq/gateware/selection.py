"""What the selections among the channels of a pixel share: they read its words and write one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module, Signal, Value

from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.pipeline import valid_chain
from hwq.gateware.reader import Counter
from hwq.plan.moving_units import ArgMaxUnit, TopKUnit

__all__ = ["select"]


def select(m: Module, unit: ArgMaxUnit | TopKUnit, i: Any, o: Any, result: Callable[[Signal, Counter], Value]) -> Egress:
    """Issue engine and Egress of ``unit`` between the streams ``i`` and ``o``: a word a firing, the last of a pixel wants a credit.

    ``result`` gets the firing and the word of the pixel, and gives the word out ``unit.latency`` cycles after the last firing.
    """
    m.submodules.egress = egress = Egress(len(o.payload.as_value()), unit.depth)
    fire = Signal()
    word = Counter(m, fire, unit.words, "word")
    m.d.comb += [
        i.ready.eq(~word.last | egress.grant),
        fire.eq(i.valid & i.ready),
        egress.take.eq(fire & word.last),
        egress.w_en.eq(valid_chain(m, egress.take, unit.latency, "produced")),
        egress.w_data.eq(result(fire, word)),
    ]
    forward(m, egress.o, o)
    return egress
