"""Lanes proven: small ones as they are, for all operands, and fronts of any size chain by chain."""

from __future__ import annotations

from dataclasses import replace

import pytest
import z3

from hwq.fabric.lane_form import LaneForm, lane_form
from hwq.fabric.lane_netlist import lane_heap, lane_netlist, row_netlist
from hwq.fabric.netlist import Chain, Lut, Netlist
from hwq.fabric.weight_code import Bases, Levels, Powers
from hwq.numerics.encoding import Encoding, parse_encoding
from tests.fabric.prover import Circuit, Unproven, always, symbols, weighed

WIDTH = 10
SHORT = [("BIPOLAR", "BIPOLAR"), ("BIPOLAR", "TERNARY"), ("TERNARY", "BIPOLAR"), ("TERNARY", "TERNARY")]
KINDS = [
    ("BIPOLAR", "BIPOLAR", False),
    ("BIPOLAR", "TERNARY", False),
    ("BIPOLAR", "TERNARY", True),
    ("TERNARY", "BIPOLAR", False),
    ("TERNARY", "TERNARY", False),
    ("TERNARY", "TERNARY", True),
    ("UINT2", "BIPOLAR", False),
    ("UINT2", "BIPOLAR", True),
    ("UINT2", "TERNARY", True),
    ("BIPOLAR", "INT3", True),
    ("BIPOLAR", Bases((1, 3)), True),
    ("TERNARY", Powers(2, True, True), True),
    ("UINT2", Levels((-5, 0, 1, 3)), True),
    ("BIPOLAR", "INT3", False),
    ("INT2", "INT2", False),
    ("UINT2", "TERNARY", False),
]


def pair(x: str, w: str | Encoding) -> tuple[Encoding, Encoding]:
    return parse_encoding(x), parse_encoding(w) if isinstance(w, str) else w


def combinational(netlist: Netlist) -> Netlist:
    """The circuit with its pipeline's flip-flops as wires; those with an enable are inputs ``q`` and outputs ``d``."""
    wire = {f.q >> 1: f.d for f in netlist.flops if f.enable == 1}

    def through(bit: int) -> int:
        while bit >> 1 in wire:
            bit = wire[bit >> 1] ^ (bit & 1)
        return bit

    def moved(cell: Lut | Chain) -> Lut | Chain:
        if isinstance(cell, Lut):
            return replace(cell, pins=tuple(map(through, cell.pins)))
        return replace(cell, s=tuple(map(through, cell.s)), di=tuple(map(through, cell.di)), ci=through(cell.ci))

    held = [f for f in netlist.flops if f.enable != 1]
    made = Netlist(inputs={**netlist.inputs, "q": tuple(f.q for f in held)}, cells=[moved(c) for c in netlist.cells])
    made.outputs = {name: tuple(map(through, bits)) for name, bits in netlist.outputs.items()}
    made.outputs |= {"d": tuple(through(f.d) for f in held), "enable": tuple(through(f.enable) for f in held)}
    return made


def chosen(bits: list[z3.BoolRef], values: list[int]) -> z3.BitVecRef:
    """``values[code]`` for the code of ``bits``, least first."""
    if not bits:
        return z3.BitVecVal(values[0], WIDTH)
    half = len(values) // 2
    return z3.If(bits[-1], chosen(bits[:-1], values[half:]), chosen(bits[:-1], values[:half]))


def belongs(encoding: Encoding, bits: list[z3.BoolRef]) -> z3.BoolRef:
    """Whether a code is one of the encoding."""
    return chosen(bits, [int(encoding.contains(encoding.decode(c))) for c in range(1 << encoding.bits)]) == 1


def codes(encoding: Encoding, bits, known) -> list[list[z3.BoolRef]]:
    """The bits of every code of a port."""
    return [[known[b >> 1] for b in bits[k : k + encoding.bits]] for k in range(0, len(bits), encoding.bits)]


def claimed(form: LaneForm, x: list[list[z3.BoolRef]], w: list[list[z3.BoolRef]]) -> tuple[z3.BitVecRef, z3.BitVecRef, z3.BoolRef]:
    """The dot product of codes, the weights' share of it, and that all codes belong to their encodings."""
    products = [int(form.x.decode(a)) * int(form.w.decode(b)) for b in range(1 << form.w.bits) for a in range(1 << form.x.bits)]
    zero = z3.BitVecVal(0, WIDTH)
    total = sum((chosen([*a, *b], products) for a, b in zip(x, w, strict=True)), zero)
    share = sum((chosen(b, list(form.bases)) for b in w), zero)
    return total, share, z3.And([belongs(e, c) for e, group in ((form.x, x), (form.w, w)) for c in group])


def dot(form: LaneForm, circuit: Circuit, known) -> tuple[z3.BitVecRef, z3.BitVecRef, z3.BoolRef]:
    """The dot product of the operands, the weights' share, and what they must satisfy."""
    inputs = circuit.netlist.inputs
    return claimed(form, codes(form.x, inputs["x"], known), codes(form.w, inputs["w"], known))


def prove_lane(form: LaneForm, netlist: Netlist) -> None:
    """That ``y`` is the dot product's raw sum, for all operands."""
    circuit = Circuit(combinational(netlist))
    known = symbols(b for bits in circuit.netlist.inputs.values() for b in bits)
    y = circuit.meaning(known, circuit.netlist.outputs["y"])
    total, share, good = dot(form, circuit, known)
    raw = weighed(((y[b], k) for k, b in enumerate(circuit.netlist.outputs["y"])), WIDTH)
    always(z3.Implies(good, form.step * raw + share == total))


def prove_row(form: LaneForm, netlist: Netlist, bits: int) -> None:
    """That the accumulator's next value is the sum of the last one, unless restarted, and the raw sum; for all of them."""
    circuit = Circuit(combinational(netlist))
    ports = circuit.netlist.inputs | circuit.netlist.outputs
    known = symbols(b for name in circuit.netlist.inputs for b in ports[name])
    after = circuit.meaning(known, (*ports["d"], *ports["enable"]))
    total, share, good = dot(form, circuit, known)
    last = weighed(((known[b >> 1], k) for k, b in enumerate(ports["q"])), WIDTH)
    now = weighed(((after[b], k) for k, b in enumerate(ports["d"])), WIDTH)
    before = z3.If(known[ports["first"][0] >> 1], z3.BitVecVal(0, WIDTH), last)
    claim = z3.Extract(bits - 1 + form.step - 1, 0, form.step * (now - before) + share - total) == 0
    held = z3.And([after[b] == known[ports["valid"][0] >> 1] for b in ports["enable"]])
    always(z3.And(held, z3.Implies(good, claim)))


@pytest.mark.parametrize(("x", "w", "apart"), KINDS)
def test_a_small_lane_is_the_dot_product_of_all_operands(x, w, apart):
    form = lane_form(*pair(x, w), 3 if (x, w) not in SHORT else 5, apart)
    prove_lane(form, lane_netlist(form))


@pytest.mark.parametrize(("x", "w", "apart"), KINDS[:6])
def test_a_small_row_adds_it_to_the_accumulator(x, w, apart):
    form = lane_form(*pair(x, w), 4, apart)
    prove_row(form, row_netlist(form, 5), 5)


def components(circuit: Circuit, ends: list[int]) -> list[list[int]]:
    """Groups of literals that have no input in common."""
    ports = {b >> 1 for bits in circuit.netlist.inputs.values() for b in bits}
    groups: list[tuple[set[int], list[int]]] = []
    for end in ends:
        signals = {end >> 1} & ports
        for cell in circuit.cone({end >> 1}, ports):
            pins = cell.pins if isinstance(cell, Lut) else (*cell.s, *cell.di, cell.ci)
            signals |= {p >> 1 for p in pins} & ports
        met = [g for g in groups if g[0] & signals]
        groups = [g for g in groups if not g[0] & signals]
        groups.append((signals.union(*(g[0] for g in met)), [end, *(b for g in met for b in g[1])]))
    return [ends for _, ends in groups]


@pytest.mark.parametrize(
    ("x", "w", "apart", "n"), [(*KINDS[0], 8), (*KINDS[0], 67), (*KINDS[2], 8), (*KINDS[2], 35), (*KINDS[5], 6), (*KINDS[5], 11)]
)
def test_every_chain_of_a_front_of_any_size_is_the_sum_of_its_products(x, w, apart, n):
    form, netlist = lane_form(*pair(x, w), n, apart), Netlist()
    xs, ws = netlist.input("x", n * form.x.bits), netlist.input("w", form.word_bits)
    heap = lane_heap(netlist, form, xs, ws)
    circuit = Circuit(netlist)
    ends = [(circuit.held[b >> 1] ^ (b & 1), weight) for weight, bits in enumerate(heap.columns) for b in bits]
    weight_of = dict(ends)
    assert len(ends) == len(set(ends))
    known = symbols(b for bits in netlist.inputs.values() for b in bits)
    seen = 0
    for group in components(circuit, list(weight_of)):
        formulas = circuit.meaning(known, group)
        used = {v for f in formulas.values() for v in variables(f)}
        here = [k for k in range(n) if not used.isdisjoint(f"s{b >> 1}" for b in ws[k * form.w.bits : (k + 1) * form.w.bits])]
        total, of_weights, good = claimed(form, *([codes(e, p, known)[k] for k in here] for e, p in ((form.x, xs), (form.w, ws))))
        share = weighed(((formulas[b], weight_of[b]) for b in group), WIDTH) + (heap.total // n) * len(here)
        always(z3.Implies(good, form.step * share + of_weights == total))
        seen += len(here)
    assert seen == n


def variables(formula: z3.BoolRef) -> set[str]:
    """Names of the free variables of a formula."""
    found, open_, known = set(), [formula], set()
    while open_:
        here = open_.pop()
        if here.get_id() in known:
            continue
        known.add(here.get_id())
        open_ += here.children()
        if not here.children() and z3.is_const(here) and here.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found.add(here.decl().name())
    return found


def planted(netlist: Netlist, k: int) -> Netlist:
    """The circuit with the k-th LUT wrong where all its inputs are 0."""
    places = [i for i, cell in enumerate(netlist.cells) if isinstance(cell, Lut)]
    at = places[k % len(places)]
    cell = netlist.cells[at]
    bit = 1 << (32 if cell.o5 is not None else 0)
    cells = [*netlist.cells[:at], replace(cell, init=cell.init ^ bit), *netlist.cells[at + 1 :]]
    return replace(netlist, cells=cells)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize(("x", "w", "apart"), [KINDS[0], KINDS[1], KINDS[5], KINDS[6]])
def test_a_wrong_table_is_found(x, w, apart, k):
    form = lane_form(*pair(x, w), 4, apart)
    with pytest.raises(Unproven):
        prove_lane(form, planted(lane_netlist(form), k))


def test_an_accumulator_that_does_not_restart_is_found():
    form = lane_form(parse_encoding("BIPOLAR"), parse_encoding("BIPOLAR"), 4)
    netlist = row_netlist(form, 5)
    first = netlist.inputs["first"][0]
    deaf = replace(netlist, flops=[replace(f, d=0) if f.d >> 1 == first >> 1 else f for f in netlist.flops])
    with pytest.raises(Unproven):
        prove_row(form, deaf, 5)
