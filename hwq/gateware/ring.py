"""Memory behind a Reader: a ring of words, or banks of pixels with multiplexers behind them when V windows are read at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory

from hwq.gateware.memories import memory_attributes
from hwq.gateware.nest import Counter
from hwq.gateware.pipeline import named, register
from hwq.plan.banks import BankLayout

__all__ = ["by_tap", "place_banks", "place_ring", "ring_address", "wrapped"]


def wrapped(m: Module, total: Value, depth: int, name: str) -> Value:
    """``total`` modulo ``depth``, for totals below ``2 * depth``. Only the bits above the power of two in ``depth`` are compared."""
    low = (depth & -depth).bit_length() - 1
    odd = depth >> low
    if odd == 1:
        return total[:low]
    total = named(m, total, f"{name}_total")
    return Cat(total[:low], Mux(total[low:] >= odd, total[low:] - odd, total[low:])[: odd.bit_length()])


def ring_address(m: Module, move: Value, start: int, depth: int, name: str) -> Signal:
    """A place in a ring of ``depth`` that moves on by ``move`` (0 .. depth - 1) every cycle."""
    address = Signal(range(depth), name=name, init=start % depth)
    m.d.sync += address.eq(wrapped(m, address + move, depth, name))
    return address


def place_ring(m: Module, layout: BankLayout, read_at: Value, written: Value, word: Value, real: Value) -> tuple[Value, Signal]:
    """The memory for V = 1: the word at ``read_at`` two cycles later, zero where it was not ``real``; and where the next one goes."""
    tail = ring_address(m, written, 0, layout.depth, "tail")
    data = _memory(m, layout, "ring", tail, written, word, read_at)
    return register(m, _masked(m, data, real, "ring"), "output"), tail


def place_banks(
    m: Module, layout: BankLayout, heads: Mapping[int, Signal], tap: Value | None, written: Value, word: Value, real: Sequence[Value]
) -> Value:
    """The memory for V > 1: pixels of the V windows at horizontal tap ``tap`` two cycles later, zero where they were not ``real``.

    ``heads[d]`` is the slot d columns right of the leftmost one that the tap reads.
    """
    g = layout.geometry
    pixels, taps = g.pixels, range(g.window.kernel[1])
    bits = len(word) // pixels
    tail, group = _tail(m, layout, written)
    read = []
    for bank in range(layout.split * pixels):
        enable = written if layout.split == 1 else written & (group == bank // pixels)
        slots = [layout.slot(k, v) - layout.first_slot(k) if (v := layout.lane(bank, k)) is not None else None for k in taps]
        some = next((d for d in slots if d is not None), 0)
        address = by_tap(m, tap, [heads[some if d is None else d] for d in slots], f"address_{bank}")
        pixel = bank % pixels
        read.append(_memory(m, layout, f"bank_{bank}", tail, enable, word[pixel * bits : (pixel + 1) * bits], address))
    late = register(m, tap, "tap_late") if tap is not None else None
    lanes = []
    for v in range(pixels):
        data = by_tap(m, late, [read[layout.bank(k, v)] for k in taps], f"rotated_{v}")
        lanes.append(register(m, _masked(m, data, real[v], f"lane_{v}"), f"output_{v}"))
    return Cat(*lanes)


def by_tap(m: Module, tap: Value | None, values: Sequence[Value], name: str) -> Value:
    """The one of ``values`` that belongs to the horizontal tap."""
    if all(v is values[0] for v in values):
        return values[0]
    chosen = Signal(values[0].shape(), name=name)
    with m.Switch(tap):
        for k, value in enumerate(values[:-1]):
            with m.Case(k):
                m.d.comb += chosen.eq(value)
        with m.Default():
            m.d.comb += chosen.eq(values[-1])
    return chosen


def _masked(m: Module, data: Value, real: Value, name: str) -> Value:
    if isinstance(real, Const):
        return data
    return Mux(register(m, real, f"{name}_real"), data, 0)


def _memory(m: Module, layout: BankLayout, name: str, tail: Value, written: Value, word: Value, read_at: Value) -> Signal:
    m.submodules[name] = bank = memory.Memory(
        shape=unsigned(len(word)), depth=layout.depth, init=[], attrs=memory_attributes(layout.memory)
    )
    write, read = bank.write_port(), bank.read_port()
    m.d.comb += [write.en.eq(written), write.addr.eq(tail), write.data.eq(word), read.addr.eq(read_at)]
    return read.data


def _tail(m: Module, layout: BankLayout, written: Value) -> tuple[Signal, Value]:
    """Slot and group of banks of the next word in."""
    g, split = layout.geometry, layout.split
    if split == 1:
        return ring_address(m, written, 0, layout.depth, "tail"), Const(0, 1)
    word = Counter(m, written, g.words, "word_in")
    turn, group = Signal(), Signal(range(split), name="group_in")
    ends = group == split - 1
    if g.columns % split:
        ends = ends | Counter(m, written & word.last, g.columns, "column_in").last
    m.d.comb += turn.eq(word.last & ends)
    with m.If(written & word.last):
        m.d.sync += group.eq(Mux(turn, 0, group + 1))
    back = Mux(word.last & ~turn, (1 - g.words) % layout.depth, 1)
    return ring_address(m, Mux(written, back, 0), 0, layout.depth, "tail"), group
