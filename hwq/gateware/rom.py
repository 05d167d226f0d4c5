"""Read-only memory of constants: weights, thresholds, multipliers."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Signal, Value, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.memories import rom_attributes
from hwq.gateware.parts import Parts, content_key

__all__ = ["Rom", "field", "place_rom"]


class Rom(wiring.Component):
    """``depth`` words of ``width`` bits, synchronous read with an output register.

    Timing: address in cycle t, word in cycle t + 2 (:data:`hwq.plan.latency.READ_LATENCY`). Reset-less.
    Cost: ``memory`` says what it maps to: ``logic`` (LUTs as functions of the address), ``lutram``, ``block``.

    Parameters
    ----------
    words
        ``depth`` integers below ``2**width``.

    Members
    -------
    addr : In(unsigned)
        Word number; words beyond ``depth`` are undefined.
    data : Out(unsigned(width))
        The word addressed two cycles ago.
    ok : Out(1)
        The content is what it should be: constant 1 here; a memory loaded from a file checks itself.
    """

    def __init__(self, words: Sequence[int], width: int, style: str) -> None:
        self.words, self.width, self.style = tuple(words), width, style
        super().__init__({"addr": In(unsigned(max(1, (len(self.words) - 1).bit_length()))), "data": Out(unsigned(width)), "ok": Out(1)})

    @property
    def depth(self) -> int:
        """Number of words."""
        return len(self.words)

    def elaborate(self, platform):
        m = Module()
        # At least two words: an address of no bits is a corner few tools know.
        words = self.words if self.depth > 1 else self.words * 2
        m.submodules.memory = rom = memory.Memory(
            shape=unsigned(self.width), depth=len(words), init=words, attrs=rom_attributes(self.style)
        )
        read = rom.read_port()
        output = Signal(self.width, reset_less=True)
        m.d.comb += [read.addr.eq(self.addr), self.data.eq(output), self.ok.eq(Const(1))]
        m.d.sync += output.eq(read.data)
        return m


def place_rom(m: Module, parts: Parts, hint: str, words: Sequence[int], width: int, style: str, addr, *, name: str = ""):
    """Add the memory to ``m`` as ``name`` (or ``hint``); returns (word two cycles after ``addr``, ok).

    Equal words are constants, no memory.
    """
    if width == 0 or all(w == words[0] for w in words):
        return Const(words[0], width), Const(1, 1)
    # In hexadecimal: Python refuses to write long integers in decimal.
    key = content_key(width, style, [f"{word:x}" for word in words])
    rom = parts.place("rom", f"{hint}_{len(words)}x{width}", key, lambda: Rom(words, width, style))
    m.submodules[f"{name or hint}_rom"] = rom
    m.d.comb += rom.addr.eq(addr)
    return rom.data, rom.ok


def field(word: Value, position: int, width: int) -> Value:
    """Field ``position`` of ``width`` bits. A slice of a constant would be emitted with the whole constant behind it."""
    if isinstance(word, Const):
        return Const(word.value >> (position * width) & ((1 << width) - 1), width)
    return word[position * width : (position + 1) * width]
