"""Proofs about netlists of the fabric, for all inputs: by SAT, and by sums for heaps of any size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import z3

from hwq.fabric.ages import OutOfStep, ages
from hwq.fabric.heap import BitHeap, Step
from hwq.fabric.netlist import Chain, Lut, Netlist


class Unproven(AssertionError):
    """A claim that does not hold, with inputs that show it."""


class Circuit:
    """A netlist to prove something of: what drives every signal."""

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.drivers = {b >> 1: k for k, cell in enumerate(netlist.cells) for b in outputs_of(cell)}
        self.held = {f.q >> 1: f.d for f in netlist.flops}

    def meaning(self, known: Mapping[int, z3.BoolRef], wanted: Iterable[int]) -> dict[int, z3.BoolRef]:
        """Formulas of the ``wanted`` literals over ``known`` signals (by number); cells behind known signals are not looked at."""
        values: dict[int, z3.BoolRef] = {0: z3.BoolVal(False), **known}
        for cell in self.cone({b >> 1 for b in wanted}, set(values)):
            _evaluate(cell, values, set(known))
        return {bit: _literal(bit, values) for bit in wanted}

    def cone(self, wanted: set[int], known: set[int]) -> list[Lut | Chain]:
        """Cells between known and wanted signals, in the netlist's order."""
        kept: set[int] = set()
        open_ = [s for s in wanted if s not in known]
        while open_:
            k = self.drivers.get(open_.pop())
            if k is not None and k not in kept:
                kept.add(k)
                open_ += [p >> 1 for p in inputs_of(self.netlist.cells[k]) if p >> 1 not in known]
        return [self.netlist.cells[k] for k in sorted(kept)]

    def form(self, terms: Iterable[tuple[int, int]], constant: int = 0) -> Counter[int]:
        """A sum of literal << weight as coefficients by signal, the constant at 0; flip-flops stand for what they hold."""
        form: Counter[int] = Counter({0: constant})
        for bit, weight in terms:
            while bit >> 1 in self.held:
                bit = self.held[bit >> 1] ^ (bit & 1)
            form[0] += (bit & 1) << weight
            if bit > 1:
                form[bit >> 1] += (-1 if bit & 1 else 1) << weight
        return form

    def latency(self, sources: Iterable[int], ends: Iterable[int]) -> int:
        """Flip-flops between the sources and the ends: as many on every way, or :class:`Unproven`."""
        last = [b >> 1 for b in ends]
        try:
            known = ages(self.netlist, last, [b >> 1 for b in sources])
        except OutOfStep as problem:
            raise Unproven(str(problem)) from problem
        found = {known[s] for s in last} - {None}
        if len(found) > 1:
            raise Unproven(f"ways of different latency: {sorted(found)}")
        return found.pop() if found else 0


def symbols(bits: Iterable[int]) -> dict[int, z3.BoolRef]:
    """A free variable for the signal of every literal."""
    return {b >> 1: z3.Bool(f"s{b >> 1}") for b in bits if b > 1}


def weighed(terms: Iterable[tuple[z3.BoolRef, int]], width: int) -> z3.BitVecRef:
    """Sum of bit << weight modulo ``2**width``."""
    total = z3.BitVecVal(0, width)
    for bit, weight in terms:
        if weight < width:
            total += z3.If(bit, z3.BitVecVal(1 << weight, width), z3.BitVecVal(0, width))
    return total


def always(claim: z3.BoolRef) -> None:
    """Raises :class:`Unproven` unless the claim holds for every value of its variables."""
    solver = z3.SolverFor("QF_BV")
    solver.add(z3.Not(claim))
    found = solver.check()
    if found != z3.unsat:
        raise Unproven(solver.model() if found == z3.sat else found)


def prove_step(circuit: Circuit, step: Step, proven: set[object]) -> None:
    """That a counter's outputs weigh what its inputs weigh; ``proven`` remembers circuits already proven."""
    lowest = min((w for _, w in (*step.taken, *step.made)), default=0)
    top = max((w for _, w in (*step.taken, *step.made)), default=0)
    width = min(step.width - lowest, top - lowest + len(step.taken).bit_length() + 1)
    shape = (_shape(circuit, step, lowest), width)
    if shape in proven:
        return
    formulas = circuit.meaning(symbols(b for b, _ in step.taken), [b for b, _ in (*step.taken, *step.made)])
    taken, made = (weighed(((formulas[b], w - lowest) for b, w in terms), width) for terms in (step.taken, step.made))
    always(taken == made)
    proven.add(shape)


def prove_heap(heap: BitHeap, result: Sequence[tuple[int, int]], width: int, proven: set[object]) -> int:
    """That ``result`` (literals and weights) is the heap's sum modulo ``2**width``, of any size; its latency in cycles.

    Every step is proven to keep the weighted sum, and the steps must lead from the heap to the result: a sum of literals is a linear form
    of signals (``~b = 1 - b``), a step puts what it makes in the place of what it takes.
    """
    circuit = Circuit(heap.netlist)
    given = [(b, w) for w, bits in enumerate(heap.columns) for b in bits]
    form = circuit.form(given, heap.total)
    for step in heap.steps:
        prove_step(circuit, step, proven)
        form.subtract(circuit.form(step.taken))
        form.update(circuit.form(step.made))
    form.subtract(circuit.form(result))
    if any(value % (1 << width) for value in form.values()):
        raise Unproven(f"the steps leave {form}")
    return circuit.latency([b for b, _ in given], [b for b, _ in result])


def _shape(circuit: Circuit, step: Step, lowest: int) -> object:
    """The step's circuit with signals numbered in order of appearance."""
    names: dict[int, int] = {0: 0}

    def name(bit: int) -> int:
        return 2 * names.setdefault(bit >> 1, len(names)) + (bit & 1)

    taken = tuple((name(b), w - lowest) for b, w in step.taken)
    cells = []
    for cell in circuit.cone({b >> 1 for b, _ in step.made}, {b >> 1 for b, _ in step.taken}):
        own = (cell.init, len(cell.pins)) if isinstance(cell, Lut) else ("chain", len(cell.s))
        cells.append((own, tuple(name(b) for b in (*inputs_of(cell), *outputs_of(cell)))))
    return taken, tuple((name(b), w - lowest) for b, w in step.made), tuple(cells)


def _evaluate(cell: Lut | Chain, values: dict[int, z3.BoolRef], known: set[int]) -> None:
    """Adds the formulas of a cell's outputs, those already known left as they are."""
    made: dict[int, z3.BoolRef] = {}
    if isinstance(cell, Lut):
        pins = [_literal(p, values) for p in cell.pins]
        made[cell.o6 >> 1] = _table(cell.init, pins)
        if cell.o5 is not None:
            made[cell.o5 >> 1] = _table(cell.init & 0xFFFFFFFF, pins[:5])
    else:
        carry = _literal(cell.ci, values)
        for s, di, o, co in zip(cell.s, cell.di, cell.o, cell.co, strict=True):
            select, generate = _literal(s, values), _literal(di, values)
            made[o >> 1] = z3.Xor(select, carry)
            made[co >> 1] = carry = z3.If(select, carry, generate)
    values.update((signal, formula) for signal, formula in made.items() if signal not in known)


def _literal(bit: int, values: Mapping[int, z3.BoolRef]) -> z3.BoolRef:
    return z3.Not(values[bit >> 1]) if bit & 1 else values[bit >> 1]


def _table(init: int, pins: list[z3.BoolRef]) -> z3.BoolRef:
    """A truth table as a tree of choices, the last pin first."""
    size = 1 << len(pins)
    init &= (1 << size) - 1
    if init in (0, (1 << size) - 1):
        return z3.BoolVal(init != 0)
    half = size // 2
    return z3.If(pins[-1], _table(init >> half, pins[:-1]), _table(init & ((1 << half) - 1), pins[:-1]))


def outputs_of(cell: Lut | Chain) -> list[int]:
    """Signals a cell drives."""
    if isinstance(cell, Lut):
        return [cell.o6] if cell.o5 is None else [cell.o6, cell.o5]
    return [*cell.o, *cell.co]


def inputs_of(cell: Lut | Chain) -> list[int]:
    """Signals a cell reads."""
    return list(cell.pins) if isinstance(cell, Lut) else [*cell.s, *cell.di, cell.ci]
