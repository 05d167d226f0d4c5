"""Lanes of DSP slices: dot products of one or more rows and pixels in cascades of slices, several products a slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hwq.fabric.ages import check_pipeline
from hwq.fabric.dsp48e2 import Slice48, Sum48
from hwq.fabric.embed import delayed
from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.netlist import FALSE, Netlist
from hwq.fabric.packing import A_BITS, B_BITS, WORD_BITS, Packing
from hwq.numerics.encoding import Encoding

__all__ = ["DspLanes"]

Bits = Sequence[int]

#: Cascades shorter than this are worth lengthening by carries taken back.
SHORT = 8
#: Cycles from the operands of a slice to its sum: operand, product, sum.
SLICE_LATENCY = 3


@dataclass(frozen=True)
class DspLanes:
    """``n`` products for each row of weights and each pixel, in DSP slices.

    ``sum over k of x[j][k] * w[i][k] = y + low * n``: every row and pixel leaves a raw sum, ``0 .. n * (largest - smallest product)``.

    A step is one slice: one k (outer packing) or two (inner). Up to ``longest`` steps are one cascade, as long as its fields stay
    exact; the fields of several cascades are added in LUTs. Cascades twice as long let a field carry into the next one, once: that carry
    is what the lowest bit of the field above differs by from the parity of its own products, which LUTs know (three products a LUT);
    ``carries`` says whether, None where cascades are short otherwise; fields that hold not even one product need them.
    In a cascade, slice k starts k cycles late: its operands wait in flip-flops (the first one of them inside the slice).

    Timing: free-running, initiation interval 1, latency :attr:`latency`.
    Cost: ``ceil(n / steps of a slice)`` slices; LUTs only for the sum of cascades, and for a borrow between signed activations.

    Raises :class:`ValueError` without carries where not one product fits its field (:attr:`hwq.fabric.packing.Packing.depth` 0).

    Ports: ``x``: pixels x n codes, ``w``: rows x n codes, the first row's first code least; ``y`` for one row and pixel, else
    ``y<row>_<pixel>``.
    """

    packing: Packing
    n: int
    longest: int = 16
    carries: bool | None = None

    def __post_init__(self) -> None:
        if self.packing.depth < 1 and not self.takes_carries:
            x, w = self.packing.x.name, self.packing.w.name
            raise ValueError(f"products of {x} and {w} at {self.packing.w_shifts} and {self.packing.x_shifts} need carries between fields")

    @property
    def rows(self) -> int:
        """Weight vectors."""
        return 1 if self.packing.inner else len(self.packing.w_shifts)

    @property
    def pixels(self) -> int:
        """Activation vectors."""
        return 1 if self.packing.inner else len(self.packing.x_shifts)

    @property
    def group(self) -> int:
        """Products of one dot product in a step."""
        return 2 if self.packing.inner else 1

    @property
    def slices(self) -> int:
        """DSP slices."""
        return -(-self.n // self.group)

    @property
    def takes_carries(self) -> bool:
        """Whether cascades are longer than their fields hold, and carries between fields taken back."""
        if self.packing.carry_depth == self.packing.depth:
            return False
        # Beyond what a cascade may be long, or has to do, nothing is worth a LUT.
        return self.packing.depth < min(SHORT, self.longest, self.slices) if self.carries is None else self.carries

    @cached_property
    def cascades(self) -> tuple[int, ...]:
        """Steps of each cascade, the longer ones first."""
        depth = self.packing.carry_depth if self.takes_carries else self.packing.depth
        count = -(-self.slices // min(depth, self.longest))
        return tuple(self.slices // count + (k < self.slices % count) for k in range(count))

    @property
    def low(self) -> int:
        """Product whose raw value is 0."""
        return self.packing.bounds[0]

    @property
    def y_bits(self) -> int:
        """Bits of a raw sum."""
        return max(1, (self.n * (self.packing.bounds[1] - self.low)).bit_length())

    @property
    def latency(self) -> int:
        """Cycles from operands to raw sums."""
        return self._built[1]

    @property
    def front_latency(self) -> int:
        """Cycles from operands to the heaps of :meth:`heaps`."""
        return SLICE_LATENCY + self.cascades[0] - 1

    def netlist(self) -> Netlist:
        """The circuit."""
        return self._built[0]

    def heaps(self, netlist: Netlist, x: Sequence[Sequence[Bits]], w: Sequence[Sequence[Bits]]) -> dict[tuple[int, int], BitHeap]:
        """The raw sums by (row, pixel) as heaps, from the codes of each pixel and each row: what the cascades leave, and a constant."""
        wanted = [f for f in self.packing.fields if f.wanted]
        # A last step that is not full started from the constant of a full one.
        unused = self.low * (self.slices * self.group - self.n)
        heaps = {f.products[0]: BitHeap(netlist, total=unused) for f in wanted}
        step = 0
        for length in self.cascades:
            # Shorter cascades start a cycle late, so that all end together.
            operands = [self._step(netlist, x, w, step + k) for k in range(length)]
            p = self._cascade(netlist, operands, self.cascades[0] - length)
            step += length
            if self.takes_carries:
                here = range(step - length, step)
                parities = {f.products[0]: self._parity(netlist, x[f.products[0][1]], w[f.products[0][0]], here) for f in wanted[1:]}
                self._add_overlapping(netlist, heaps, p, length, parities)
                continue
            for f in wanted:
                heaps[f.products[0]].add_unsigned(p[f.shift : f.shift + self.packing.field_bits(f, length)])
        return heaps

    def _add_overlapping(
        self, netlist: Netlist, heaps: dict[tuple[int, int], BitHeap], p: Bits, steps: int, parities: dict[tuple[int, int], list[int]]
    ) -> None:
        """Adds the fields of a cascade, each of which may have carried into the next."""
        carry = FALSE
        fields = self.packing.fields
        for f, above in zip(fields, (*fields[1:], None), strict=True):
            heap, room = heaps[f.products[0]], self.packing.room(f)
            heap.subtract([carry])
            if above is None:
                most = (self.packing.bounds[1] - self.low) * steps + 1
                heap.add_unsigned(p[f.shift : f.shift + most.bit_length()])
                continue
            is_odd = self.low * steps % 2
            carry = netlist.lut(lambda *v, odd=is_odd: (sum(v) + odd) % 2, p[above.shift], *parities[above.products[0]])
            heap.add_unsigned([*p[f.shift : f.shift + room], carry])

    def _parity(self, netlist: Netlist, x: Sequence[Bits], w: Sequence[Bits], steps: range) -> list[int]:
        """At most five bits whose sum is odd where the products of ``steps`` have an odd sum, when the cascade's sum is there."""
        pins = [(x[k][0], w[k][0]) for k in steps]
        groups = [[pin for pair in pins[k : k + 3] for pin in pair] for k in range(0, len(pins), 3)]
        found = [netlist.flop(netlist.lut(lambda *v: sum(a & b for a, b in zip(v[::2], v[1::2], strict=True)) % 2, *g)) for g in groups]
        waits = self.front_latency - 1
        while len(found) > 5:
            found = [netlist.flop(netlist.lut(lambda *v: sum(v) % 2, *found[k : k + 6])) for k in range(0, len(found), 6)]
            waits -= 1
        return delayed(netlist, found, waits)

    @cached_property
    def _built(self) -> tuple[Netlist, int]:
        netlist = Netlist("dsp_lanes")
        x = self._operands(netlist, "x", self.pixels, self.packing.x)
        w = self._operands(netlist, "w", self.rows, self.packing.w)
        totals = {at: reduce(heap, self.y_bits, True) for at, heap in self.heaps(netlist, x, w).items()}
        latency = max(total.latency for total in totals.values())
        for (row, pixel), total in totals.items():
            name = "y" if self.rows == self.pixels == 1 else f"y{row}_{pixel}"
            netlist.output(name, delayed(netlist, total.bits, latency - total.latency))
        check_pipeline(netlist, self.front_latency + latency)
        return netlist, self.front_latency + latency

    def _operands(self, netlist: Netlist, name: str, vectors: int, encoding: Encoding) -> list[list[Bits]]:
        bits, port = encoding.bits, netlist.input(name, vectors * self.n * encoding.bits)
        codes: list[Bits] = [port[k * bits : (k + 1) * bits] for k in range(vectors * self.n)]
        return [codes[v * self.n : (v + 1) * self.n] for v in range(vectors)]

    def _step(self, netlist: Netlist, x: Sequence[Sequence[Bits]], w: Sequence[Sequence[Bits]], step: int) -> dict[str, list[int]]:
        """Operands of slice number ``step``."""
        if self.packing.inner:
            at = [k if k < self.n else None for k in (2 * step, 2 * step + 1)]
            xs, ws = ([v[0][k] if k is not None else [FALSE] * len(v[0][0]) for k in at] for v in (x, w))
        else:
            xs, ws = ([v[step] for v in vectors] for vectors in (x, w))
        return {"b": _joined_x(netlist, self.packing, xs), **_joined_w(self.packing, ws)}

    def _cascade(self, netlist: Netlist, operands: list[dict[str, list[int]]], late: int) -> list[int]:
        constant = self.packing.constant(len(operands))
        preadd = 2 if self.packing.preadds else 0
        above: Sum48 | None = None
        for k, ports in enumerate(operands):
            wait = late + k
            inside = min(wait, 1)
            late_ports = {name: delayed(netlist, bits, wait - inside) for name, bits in ports.items()}
            regs = {"ad_reg": inside} if preadd else {"a_regs": 1 + inside}
            use = Slice48(preadd=preadd, z=1 if above else 3, c_reg=0, b_regs=1 + inside, **regs)
            cascade = {"pcin": above.pcout} if above else {"c": [constant >> b & 1 for b in range(WORD_BITS)]}
            above = use.build(netlist, **late_ports, **cascade)
        assert above is not None
        return above.p


def _joined_w(packing: Packing, codes: Sequence[Bits]) -> dict[str, list[int]]:
    """Ports of the weights: magnitudes on D less signs on A, or a single number on A."""
    if not packing.preadds:
        return {"a": _placed(codes, packing.w_shifts, A_BITS, packing.w.signed)}
    top = packing.w.bits - 1
    signs = [[*[FALSE] * top, *code[top:]] for code in codes]
    return {"d": _placed([code[:top] for code in codes], packing.w_shifts, A_BITS), "a": _placed(signs, packing.w_shifts, A_BITS)}


def _joined_x(netlist: Netlist, packing: Packing, codes: Sequence[Bits]) -> list[int]:
    """Port B: activations joined; a negative one below borrows from the next."""
    order = sorted(range(len(codes)), key=lambda j: packing.x_shifts[j])
    shifts = [packing.x_shifts[j] for j in order]
    if not packing.x.signed:
        return _placed([codes[j] for j in order], shifts, B_BITS)
    word: list[int] = []
    negative = FALSE
    for j, shift in zip(order, shifts, strict=True):
        word += [negative] * (shift - len(word))
        word += _less(netlist, codes[j], negative)
        negative = word[-1]
    return (word + [negative] * B_BITS)[:B_BITS]


def _less(netlist: Netlist, code: Bits, borrow: int) -> list[int]:
    """A two's complement number minus a bit, one bit longer."""
    if borrow == FALSE:
        return list(code)

    def difference(bit: int) -> int:
        def function(*pins: int) -> int:
            value = sum(b << k for k, b in enumerate(pins[:-1])) - (pins[-2] << len(code)) - pins[-1]
            return value >> bit & 1

        return netlist.lut(function, *code, borrow)

    return [difference(k) for k in range(len(code) + 1)]


def _placed(codes: Sequence[Sequence[int]], shifts: Sequence[int], width: int, signed: bool = False) -> list[int]:
    """Codes at their shifts in a word of zeros; the only one of a signed word is sign-extended."""
    word = [FALSE] * width
    for code, shift in zip(codes, shifts, strict=True):
        word[shift : shift + len(code)] = code
    if signed:
        word[len(codes[0]) :] = [codes[0][-1]] * (width - len(codes[0]))
    return word
