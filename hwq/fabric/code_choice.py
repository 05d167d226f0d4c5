"""Which code a stage's weights have: the one whose lane costs least, its memory included."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.front_bits import products_of
from hwq.fabric.lane_form import LaneForm, lane_form
from hwq.fabric.lane_netlist import has_netlist, lane_heap
from hwq.fabric.netlist import Dsp, Netlist
from hwq.fabric.packing import lane_packing
from hwq.fabric.sites import sites_of
from hwq.fabric.weight_code import Listed, WeightCode, codes_of
from hwq.numerics.encoding import Encoding

__all__ = ["code_price", "weight_code_of"]

#: Products that stand for all; hundredths of a LUT for a bit that is summed, a bit of weight that is stored, a slice.
SAMPLE, BIT_COST, STORED_COST, SLICE_COST = 8, 55, 50, 6000
#: What a product of wide integers costs that synthesis is left with, in hundredths of a LUT.
WIDE_COST = 20000


def weight_code_of(weights: NDArray[np.int64], encoding: Encoding, x: Encoding, multiplier: str = "auto") -> WeightCode:
    """The cheapest exact code of ``weights`` that multiply activations ``x``; of equally cheap ones the first of :func:`codes_of`.

    Only for lanes whose weights' share may stand apart. Codes that are no numbers want products made of tables; wide activations have
    none. Where slices shall multiply, the code is one of integers that they take, if there is.
    """
    codes = tuple(c for c in codes_of(weights, encoding) if not isinstance(c.encoding, Listed) or products_of(x, c.encoding))
    if multiplier == "dsp":
        codes = tuple(c for c in codes if not isinstance(c.encoding, Listed) and lane_packing(x, c.encoding)) or codes
    return min(codes, key=lambda code: code_price(x, code.encoding, multiplier))


@lru_cache(maxsize=1024)
def code_price(x: Encoding, w: Encoding, multiplier: str = "auto") -> int:
    """Hundredths of a LUT of a product, its bits' sum and its share of the weight memory, from the circuit of a few."""
    form = lane_form(x, w, SAMPLE, apart=True, multiplier=multiplier)
    stored = STORED_COST * w.bits
    if not has_netlist(form):
        return WIDE_COST + stored
    return _lane_price(form) // SAMPLE + stored


def _lane_price(form: LaneForm) -> int:
    netlist = Netlist()
    heap = lane_heap(netlist, form, netlist.input("x", form.n * form.x.bits), netlist.input("w", form.word_bits))
    bits = [b for column in heap.columns for b in column]
    netlist.output("bits", bits)
    slices = sum(isinstance(cell, Dsp) for cell in netlist.cells)
    return 100 * sites_of(netlist).luts + BIT_COST * len(bits) + SLICE_COST * slices
