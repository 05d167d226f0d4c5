"""Row buffer: the input side of an unrolled convolution. It presents a column of the window, through all its rows, a firing."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.memories import memory_attributes
from hwq.gateware.nest import Counter, table
from hwq.gateware.pipeline import register
from hwq.plan.slide import Slide

__all__ = ["RowBuffer", "need_moves"]


class RowBuffer(wiring.Component):
    """Rows of an image in one memory each, read column by column in the order of :class:`hwq.plan.slide.Slide`.

    Law: see there. Timing: ``fire`` in cycle t reads, ``data`` holds the words in cycle t + 2 (:data:`hwq.plan.latency.READ_LATENCY`).
    Cost: ``Slide.banks(buffer)`` memories of a row, a multiplexer of their words a row of taps, two counters of words.

    Parameters
    ----------
    width
        Bits of a word.
    buffer, memory
        Words; ``lutram``, ``block`` or ``ultra``.

    Members
    -------
    i : In(stream)
        Words in; ``ready`` is a flip-flop.
    available : Out(1)
        What the next firing reads is there.
    fire : In(1)
        Read now; only while ``available``.
    completes : Out(1)
        The firing completes a window.
    rows, columns : Out
        Which rows and columns of taps of that window lie in the image.
    data : Out(unsigned)
        Words read two cycles ago, that of the upper row of taps in the low bits; anything where there is none.
    """

    def __init__(self, width: int, geometry: Slide, buffer: int, memory: str = "lutram") -> None:
        if buffer < geometry.least_buffer:
            raise ValueError(f"the buffer must hold a column: buffer={buffer}, at least {geometry.least_buffer}")
        if not geometry.moves_forward:
            raise ValueError(f"windows lie in the padding side by side: {geometry}")
        self.width, self.geometry, self.buffer, self.memory = width, geometry, buffer, memory
        kh, kw = geometry.window.kernel
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(width))),
                "available": Out(1),
                "fire": In(1),
                "completes": Out(1),
                "rows": Out(kh),
                "columns": Out(kw),
                "data": Out(unsigned(kh * width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g = self.geometry
        self.word = Counter(m, self.fire, g.words, "word")
        self.column = Signal(range(len(g.completes)), name="column")
        row_ends = Signal()
        self.row = Counter(m, self.fire & row_ends, g.out_height, "row")
        ends = self.column == g.width - 1
        if g.last_columns != g.width:
            ends = Mux(self.row.last, self.column == g.last_columns - 1, ends)
        m.d.comb += row_ends.eq(self.word.last & ends)
        with m.If(self.fire & self.word.last):
            m.d.sync += self.column.eq(Mux(ends, 0, self.column + 1))
        written = Signal()
        m.d.comb += written.eq(self.i.valid & self.i.ready)
        self._window(m)
        self._room(m, written, row_ends)
        self._arrival(m, written, row_ends)
        self._memory(m, written, row_ends)
        return m

    # -- windows

    def _window(self, m: Module) -> None:
        """Which window the column completes: one of its row from column ``first`` on, of the row before in front of that."""
        g = self.geometry
        (kh, kw), (_, dx) = g.window.kernel, g.window.dilation
        beyond = [*g.completes[g.width :], *[False] * g.width][: len(g.completes)]
        own = _flag(m, self.column, g.completes, "completes_own")
        before = _flag(m, self.column, beyond, "completes_before") & (self.row.value != 0)
        m.d.comb += self.completes.eq(self.word.last & (own | before))
        places = [x if x >= g.first else x + g.width for x in range(len(g.completes))]
        columns = [sum((0 <= x - (kw - 1 - k) * dx < g.width) << k for k in range(kw)) for x in places]
        m.d.comb += self.columns.eq(table(m, self.column, columns, "columns"))
        rows = table(m, self.row.value, [self._rows(oh) for oh in range(g.out_height)], "rows")
        if any(beyond):
            late = Signal(kh, name="rows_before", reset_less=True)
            with m.If(self.fire & (self.column == g.width - 1)):
                m.d.sync += late.eq(rows)
            rows = Mux((self.column < g.first) & (self.row.value != 0), late, rows)
        m.d.comb += self.rows.eq(rows)

    def _rows(self, oh: int) -> int:
        g = self.geometry
        top = oh * g.window.stride[0] - g.window.padding[0]
        return sum((0 <= top + k * g.window.dilation[0] < g.height) << k for k in range(g.window.kernel[0]))

    # -- flow

    def _room(self, m: Module, written: Value, row_ends: Value) -> None:
        """Words held, counted from the base, less the buffer: negative while there is room."""
        g = self.geometry
        moves = base_moves(g)
        first = -g.base(0, 0, 0) - self.buffer
        ahead = max(0, *(b for b in moves))
        low = -self.buffer - ahead - g.frame
        excess = Signal(range(low, max(first, 0) + 2), name="excess", init=first)
        m.d.comb += self.i.ready.eq(excess[-1])
        # Beyond the last column of a row nothing is read.
        more = self.column < g.width if g.last_columns > g.width else Const(1, 1)
        m.d.sync += excess.eq(excess + written - self._move(m, "base", row_ends, more, [1] * g.out_height, moves))

    def _arrival(self, m: Module, written: Value, row_ends: Value) -> None:
        """The number of the word that is wanted less that of words written: negative once it is there."""
        g = self.geometry
        start, inner, moves = need_moves(g)
        low = min(start, -self.buffer - 2 * g.frame)
        debt = Signal(range(low, max(start, 0, *moves) + 2), name="debt", init=start)
        more = Const(1, 1)
        if g.last_columns > g.width:
            more = (self.column < g.width - 1) | ((self.column == g.width - 1) & ~self.word.last)
        m.d.sync += debt.eq(debt + self._move(m, "need", row_ends, more, inner, moves) - written)
        if not g.window.is_padded:
            m.d.comb += self.available.eq(debt[-1])
            return
        # Nothing fires before the first word of all is there: when a circuit came out of reset makes no difference.
        started = Signal()
        m.d.sync += started.eq(started | self.i.valid)
        m.d.comb += self.available.eq(started & debt[-1])

    def _move(self, m: Module, name: str, row_ends: Value, more: Value, inner: list[int], ends: list[int]) -> Value:
        """How far a place moves with the firing: by ``inner`` of the row within it, by ``ends`` at its end."""
        move = Signal(range(min(0, *ends), max(1, *ends) + 1), name=f"{name}_move")
        with m.If(self.fire):
            with m.If(row_ends):
                m.d.comb += move.eq(table(m, self.row.value, ends, f"{name}_end"))
            with m.Else():
                m.d.comb += move.eq(table(m, self.row.value, inner, f"{name}_inner") & more)
        return move

    # -- memory

    def _memory(self, m: Module, written: Value, row_ends: Value) -> None:
        g = self.geometry
        banks, dy = g.banks(self.buffer), g.window.dilation[0]
        place = Counter(m, written, g.row, "place_in")
        row_in = Counter(m, written & place.last, banks, "row_in")
        address = Signal(range(max(g.row, 2)), name="address")
        with m.If(self.fire):
            m.d.sync += address.eq(Mux(row_ends | (address == g.row - 1), 0, address + 1))
        read = []
        for bank in range(banks):
            m.submodules[f"row_{bank}"] = rows = memory.Memory(
                shape=unsigned(self.width), depth=max(g.row, 2), init=[], attrs=memory_attributes(self.memory)
            )
            write, port = rows.write_port(), rows.read_port()
            m.d.comb += [
                write.en.eq(written & (row_in.value == bank)),
                write.addr.eq(place.value),
                write.data.eq(self.i.payload),
                port.addr.eq(address),
            ]
            read.append(port.data)
        top = self._top(m, row_ends, banks)
        taps = []
        for k in range(g.window.kernel[0]):
            word = Signal(self.width, name=f"tap_{k}")
            with m.Switch(top):
                for bank in range(banks):
                    with m.Case(bank) if bank < banks - 1 else m.Default():
                        m.d.comb += word.eq(read[(bank + k * dy) % banks])
            taps.append(register(m, word, f"output_{k}"))
        m.d.comb += self.data.eq(Cat(*taps))

    def _top(self, m: Module, row_ends: Value, banks: int) -> Value:
        """The bank of the upper row of taps, a cycle late."""
        g = self.geometry
        sy, rows = g.window.stride[0], g.out_height
        moves = [sy % banks] * (rows - 1) + [(g.height - (rows - 1) * sy) % banks]
        top = Signal(range(max(banks, 2)), name="top_bank", init=-g.window.padding[0] % banks)
        total = top + table(m, self.row.value, moves, "bank_move")
        with m.If(self.fire & row_ends):
            m.d.sync += top.eq(Mux(total >= banks, total - banks, total))
        return register(m, top, "top_late")


def base_moves(g: Slide) -> list[int]:
    """How far the base moves at the end of every row of windows, in words."""
    (sy, _), (top, *_) = g.window.stride, g.window.padding
    places = [(oh * sy - top) * g.row for oh in range(g.out_height)] + [g.frame - top * g.row]
    ends = [g.row] * (g.out_height - 1) + [min(g.last_columns, g.width) * g.words]
    # The last firing of a row stands on its last word, or behind it where columns follow that read nothing.
    inner = [n - 1 for n in ends[:-1]] + [ends[-1] - (g.last_columns <= g.width)]
    return [places[oh + 1] - places[oh] - inner[oh] for oh in range(g.out_height)]


def need_moves(g: Slide) -> tuple[int, list[int], list[int]]:
    """The newest word that firings wait for: that of the first one; whether it moves on within a row; how far from row to row.

    A row of windows without a new row of the image waits for nothing more than the one before.
    """
    held = -1
    places: list[tuple[int, bool, int]] = []
    for oh in [*range(g.out_height)] * 2:
        first = (g.frame if len(places) >= g.out_height else 0) + g.lowest[oh] * g.row
        words = (min(g.last_columns, g.width) if oh == g.out_height - 1 else g.width) * g.words
        is_new = g.lowest[oh] >= 0 and first > held
        start = first if is_new else held
        held = start + (words - 1 if is_new else 0)
        places.append((start, is_new, held))
    second = places[g.out_height :]
    after = [start for start, _, _ in second[1:]] + [second[0][0] + g.frame]
    moves = [b - end for b, (_, _, end) in zip(after, second, strict=True)]
    return second[0][0] - g.frame, [int(is_new) for _, is_new, _ in second], moves


def _flag(m: Module, index: Value, entries, name: str) -> Value:
    return table(m, index, [int(e) for e in entries], name)[0] if any(entries) else Const(0, 1)
