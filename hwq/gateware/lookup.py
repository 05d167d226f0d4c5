"""Tables: a memory of output codes, addressed by the input code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Value

from hwq.gateware.channels import constants_memory
from hwq.gateware.parts import Parts
from hwq.gateware.rom import place_rom
from hwq.network.ops import Lookup
from hwq.numerics.encoding import Encoding
from hwq.plan.plan import StagePlan

__all__ = ["looked_up", "table_words"]


def table_words(op: Lookup, x: Encoding, channels: Sequence[int] | None = None) -> list[int]:
    """Output code of every input code of ``x``, of each of the ``channels`` in turn (None: the shared table); 0 where none is defined."""
    integers = x.decode(np.arange(1 << x.bits))
    place, rest = np.divmod(integers - op.lo, op.step)
    defined = (place >= 0) & (place < op.table.shape[1]) & (rest == 0)
    rows = op.table if channels is None else op.table[list(channels)]
    codes = op.out.encode(rows)[:, np.where(defined, place, 0)]
    return [int(code) for code in np.where(defined, codes, 0).ravel()]


def looked_up(
    m: Module, parts: Parts, op: Lookup, x: Encoding, codes: Sequence[Value], channels: int, plan: StagePlan, word: Value
) -> tuple[list[Value], list[Value]]:
    """The codes of ``codes`` (V x PE) in the table, READ_LATENCY cycles later; what says that the memories are right.

    Lane p reads channels p, p + PE, ... of the table: its address is the channel word above the code. Equal tables are one module.
    """
    memory, results, checks = constants_memory(plan), [], []
    for lane, code in enumerate(codes):
        first = lane % plan.pe
        is_shared = len(op.table) == 1
        words = table_words(op, x, None if is_shared else range(first, channels, plan.pe))
        address = code if is_shared else Cat(code, word)
        data, ok = place_rom(m, parts, "table", words, op.out.bits, memory, address, name=f"table_{lane}")
        results.append(data)
        checks.append(ok)
    return results, checks
