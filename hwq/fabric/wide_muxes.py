"""What F7, F8 and F9 multiplexers ask of the LUTs below them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hwq.fabric.cells import Block
from hwq.fabric.netlist import TRUE

__all__ = ["mux_sources"]

BELOW = {"MUXF8": "MUXF7", "MUXF9": "MUXF8"}


def mux_sources(blocks: Sequence[Block], luts: Collection[int]) -> tuple[frozenset[int], int]:
    """Which of the signals ``luts`` (O6, or made to be) drive a MUXF7, and the LUT sites at least that its other inputs cost.

    Each data input of a MUXF7 is wired to O6 of a site of its own (UG574): one that is no LUT's output, or that of a LUT which
    drives another one, is routed through a LUT; one of a MUXF8 that is no MUXF7 costs as much, and so on.
    """
    made = {bit: block.kind for block in blocks for bit in block.outputs}
    drives: set[int] = set()
    direct: set[int] = set()
    routed = 0
    for block in blocks:
        for bit in block.inputs[:2] if block.kind.startswith("MUXF") else ():
            fits = made.get(bit) == BELOW[block.kind] if block.kind in BELOW else bit in luts or (bit > TRUE and bit & 1)
            if not fits or bit in drives:
                routed += 1
                continue
            drives.add(bit)
            if block.kind not in BELOW:
                direct.add(bit)
    return frozenset(direct), routed
