"""Lane: a dot product of SIMD products a cycle, for any two encodings; row: the same with the accumulator behind it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import count

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib.wiring import In, Member, Out

from hwq.fabric.lane_array import slice_rows_latency, slice_rows_netlist
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.lane_netlist import has_netlist, lane_netlist, row_latency, row_netlist
from hwq.fabric.netlist import Netlist
from hwq.gateware.compressor import compress
from hwq.gateware.fabric_part import FabricPart
from hwq.gateware.parts import content_key
from hwq.gateware.pipeline import Pace, named, register
from hwq.numerics.encoding import Bipolar, Encoding
from hwq.plan.latency import lane_cycles

__all__ = ["Lane", "Row", "SliceRows", "lane_hint", "lane_key"]

Truth = tuple[int, ...]


class Lane(FabricPart):
    """Raw sums of ``n`` products of activation and weight codes each, of ``rows`` rows of weights; see
    :class:`hwq.fabric.lane_form.LaneForm` for what *raw* means.

    ``sum over k of x[k] * w[k] = form.step * y + form.share(w)``. Element k of ``x`` and ``w`` stands in bits
    ``k * bits .. k * bits + bits - 1``.

    Timing: free-running, initiation interval 1, latency :func:`hwq.plan.latency.lane_cycles` for every input. No reset, no enable.
    Cost: 0.84 LUT a product for bipolar by bipolar as a circuit of the fabric, 1.3 in its portable form.

    Members
    -------
    x : In(unsigned(n * x.bits))
        Activation codes.
    w : In(unsigned(rows * form.word_bits))
        Weight codes, row by row.
    y : Out(unsigned(rows * form.y_bits))
        Raw sums, row by row.
    """

    def __init__(self, form: LaneForm, rows: int = 1) -> None:
        self.form, self.rows = form, rows
        self.has_netlist = has_netlist(form)
        super().__init__(operands(form, rows) | {"y": Out(unsigned(rows * form.y_bits))})

    @property
    def netlist(self) -> Netlist:
        return lane_netlist(self.form, self.rows)

    def elaborate(self, platform):
        m = Module()
        raws, bits = raw_sums(m, self.form, self.x, self.w, lane_cycles(self.form)), self.form.y_bits
        m.d.comb += [self.y[row * bits : (row + 1) * bits].eq(raw) for row, raw in enumerate(raws)]
        return m


class Row(FabricPart):
    """Lanes of ``rows`` rows, each with its exact accumulator: ``total = sum of y`` over the words of a vector, modulo ``2**bits``.

    As a circuit of the fabric the accumulator is the third row of the lane's last adder.

    Timing: free-running; ``total`` includes operands :func:`hwq.fabric.lane_netlist.row_latency` cycles after they came; ``valid`` and
    ``first`` come one cycle before that. No reset: ``first`` restarts; ``valid`` low holds.

    Members
    -------
    x, w : In(unsigned)
        As in :class:`Lane`.
    valid, first : In(1)
        There are operands; they are the first of a vector.
    total : Out(unsigned(rows * bits))
        The sums so far, row by row.
    """

    def __init__(self, form: LaneForm, bits: int, rows: int = 1) -> None:
        self.form, self.bits, self.rows = form, bits, rows
        super().__init__(operands(form, rows) | {"valid": In(1), "first": In(1), "total": Out(unsigned(rows * bits))})

    @property
    def netlist(self) -> Netlist:
        return row_netlist(self.form, self.bits, self.rows, late=True)

    def elaborate(self, platform):
        m = Module()
        raws = raw_sums(m, self.form, self.x, self.w, row_latency(self.form, self.bits) - 1)
        m.d.comb += self.total.eq(Cat(*accumulators(m, raws, self.bits, self.valid, self.first)))
        return m


class SliceRows(FabricPart):
    """Rows that share their activations, their exact accumulators in arithmetic slices: :func:`hwq.fabric.lane_array.slice_rows_netlist`.

    As a circuit of the fabric four sums of up to 12 bits, or two of up to 24, take one DSP48E2, which is the lanes' last adder too.

    Timing: free-running; ``total`` includes operands :func:`hwq.fabric.lane_array.slice_rows_latency` cycles after they came; ``valid``
    and ``first`` come two cycles before that. No reset: ``first`` restarts; ``valid`` low holds.

    Members
    -------
    x : In(unsigned)
        As in :class:`Lane`.
    w : In(unsigned(rows * form.word_bits))
        Words of weights, row by row.
    valid, first : In(1)
        There are operands; they are the first of a vector.
    total : Out(unsigned(rows * bits))
        The sums so far, row by row.
    """

    def __init__(self, form: LaneForm, bits: int, rows: int) -> None:
        self.form, self.bits, self.rows = form, bits, rows
        super().__init__(operands(form, rows) | {"valid": In(1), "first": In(1), "total": Out(unsigned(rows * bits))})

    @property
    def netlist(self) -> Netlist:
        return slice_rows_netlist(self.form, self.rows, self.bits)

    def elaborate(self, platform):
        m = Module()
        valid, first = register(m, self.valid, "late_valid"), register(m, self.first, "late_first")
        raws = raw_sums(m, self.form, self.x, self.w, slice_rows_latency(self.form, self.bits) - 1)
        m.d.comb += self.total.eq(Cat(*accumulators(m, raws, self.bits, valid, first)))
        return m


def operands(form: LaneForm, rows: int) -> dict[str, Member]:
    """Ports of the operands of rows."""
    return {"x": In(unsigned(form.n * form.x.bits)), "w": In(unsigned(rows * form.word_bits))}


def raw_sums(m: Module, form: LaneForm, x: Value, w: Value, cycles: int) -> list[Value]:
    """The raw sum of every row's word in vectors, ``cycles`` later."""
    return [_Sum(m, form, x, w[k : k + form.word_bits], cycles).y for k in range(0, len(w), form.word_bits)]


def accumulators(m: Module, raws: Sequence[Value], bits: int, valid: Value, first: Value) -> list[Value]:
    """The sums of raw sums since the last ``first``, modulo ``2**bits``, in vectors; one cycle."""
    totals = [Signal(bits, name="sum" if len(raws) == 1 else f"sum_{row}", reset_less=True) for row in range(len(raws))]
    with m.If(valid):
        m.d.sync += [total.eq(Mux(first, 0, total) + raw) for total, raw in zip(totals, raws, strict=True)]
    return totals


class _Sum:
    """Front and compressor of a lane, their registers spread over a given number of cycles."""

    def __init__(self, m: Module, form: LaneForm, x: Value, w: Value, cycles: int) -> None:
        self.form, self.x, self.w = form, x, w
        self.pace = Pace(form.latency, cycles)
        columns = {"table": self._table, "select": self._select, "multiply": self._multiply, "bits": self._bits}[form.front](m)
        assert tuple(len(c) for c in columns) == form.heights
        self.y = compress(m, columns, "heap", self.pace, form.front_levels)

    def _table(self, m: Module) -> list[Value]:
        form = self.form
        full, rest = form.groups
        columns: list[list[Value]] = [[] for _ in form.heights]
        for first, tables, size in ((0, full, form.group), (full * form.group, 1, rest)):
            if not tables or not size:
                continue
            # Product j of every table: elements first + j * tables onwards.
            variables = []
            for j in range(size):
                start = first + j * tables
                variables += bit_slices(m, self.x, form.x.bits, start, tables, f"x{start}")
                variables += bit_slices(m, self.w, form.w.bits, start, tables, f"w{start}")
            for bit, truth in enumerate(group_tables(form, size)):
                columns[bit].append(self.pace.after(m, 0, lookup(m, truth, variables, f"table{first}_{bit}"), f"front{first}_{bit}"))
        return [Cat(*vectors) for vectors in columns]

    def _select(self, m: Module) -> list[Value]:
        form = self.form
        numbers, signs = (self.w, self.x) if isinstance(form.x, Bipolar) else (self.x, self.w)
        bits = bit_slices(m, numbers, form.integer.bits, 0, form.n, "number")
        negative = ~signs
        if form.integer.signed:
            vectors = [b ^ negative for b in bits[:-1]] + [~(bits[-1] ^ negative)]
        else:
            vectors = [*(b ^ negative for b in bits), ~negative]
        columns = [self.pace.after(m, 0, v, f"front_{k}") for k, v in enumerate(vectors)]
        columns[0] = Cat(columns[0], self.pace.after(m, 0, negative, "front_carry"))
        return list(columns)

    def _bits(self, m: Module) -> list[Value]:
        """Each bit of a product as a table in vectors, the tables of both codes' bits shared."""
        form = self.form
        assert form.products is not None
        x, w = (bit_slices(m, codes, e.bits, 0, form.n, name) for codes, e, name in ((self.x, form.x, "x"), (self.w, form.w, "w")))
        columns: list[list[Value]] = [[] for _ in form.heights]
        for k, bit in enumerate(form.products.bits):
            pins = [*(x[b] for b in bit.x_bits), *(w[b] for b in bit.w_bits)]
            truth = tuple(bit.table >> i & 1 for i in range(1 << len(pins)))
            value = self.pace.after(m, 0, lookup(m, truth, pins, f"bit{k}"), f"front{k}")
            for place in range(bit.factor.bit_length()):
                if bit.factor >> place & 1:
                    columns[bit.weight + place].append(value)
        return [Cat(*vectors) for vectors in columns]

    def _multiply(self, m: Module) -> list[Value]:
        form = self.form
        width = form.product_bits
        is_signed = form.x.signed or form.w.signed
        products = []
        for k in range(form.n):
            x, w = element(self.x, form.x, k), element(self.w, form.w, k)
            first = self.pace.after(m, 0, x * w, f"product_{k}")
            products.append(self.pace.after(m, 1, first, f"product_{k}_q"))
        columns = [Cat(*(p[bit] for p in products)) for bit in range(width)]
        if is_signed:
            columns[-1] = ~columns[-1]
        return columns


def lane_hint(form: LaneForm) -> str:
    """Readable name of the arithmetic."""
    return f"{form.x.name}_{form.w.name}_{form.n}"


def lane_key(form: LaneForm) -> str:
    """Stands for the hardware."""
    return content_key("lane", form)


def element(codes: Value, encoding: Encoding, k: int) -> Value:
    """Code ``k`` as a number."""
    code = codes[k * encoding.bits : (k + 1) * encoding.bits]
    return code.as_signed() if encoding.signed else code


def bit_slices(m: Module, codes: Value, bits: int, start: int, count: int, name: str) -> list[Value]:
    """Bit b of the ``count`` elements from ``start`` on, as one vector for each b."""
    if bits == 1:
        return [codes[start : start + count]]
    return [named(m, Cat(*(codes[k * bits + b] for k in range(start, start + count))), f"{name}_{b}") for b in range(bits)]


@cache
def group_tables(form: LaneForm, size: int) -> tuple[Truth, ...]:
    """Truth tables of the bits of the raw sum of ``size`` products; input order: x bits, w bits of product 0, then 1, ..."""
    single = [form.raw(x, w) for w in range(1 << form.w.bits) for x in range(1 << form.x.bits)]
    sums = [0]
    for _ in range(size):
        sums = [raw + s for raw in single for s in sums]
    return tuple(tuple(s >> bit & 1 for s in sums) for bit in range((size * form.raw_max).bit_length()))


def lookup(m: Module, truth: Truth, variables: Sequence[Value], name: str) -> Value:
    """Bitwise table lookup in vectors: entry ``truth[i]`` where ``variables[b]`` holds bit b of i. Shared sub-tables are built once."""
    width = len(variables[0])
    known: dict[Truth, Value] = {}
    numbers = count()

    def build(table: Truth) -> Value:
        if len(set(table)) == 1:
            return Const(table[0] * ((1 << width) - 1), width)
        if table not in known:
            variable = variables[len(table).bit_length() - 2]
            known[table] = choose(variable, table[len(table) // 2 :], table[: len(table) // 2])
        return known[table]

    def choose(variable: Value, high: Truth, low: Truth) -> Value:
        if high == low:
            return build(low)
        if all(a != b for a, b in zip(high, low, strict=True)):
            value = variable ^ build(low)
        elif not any(low):
            value = variable & build(high)
        elif not any(high):
            value = ~variable & build(low)
        else:
            value = (variable & build(high)) | (~variable & build(low))
        named = Signal(width, name=f"{name}_{next(numbers)}")
        m.d.comb += named.eq(value)
        return named

    return build(truth)
