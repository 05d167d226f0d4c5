"""An arithmetic slice as statements: what :mod:`hwq.fabric.slices` evaluates, for simulation and proofs."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from hwq.fabric.dsp48e2 import MODEL, SIMD
from hwq.fabric.netlist import Dsp
from hwq.gateware.pipeline import delay, named, register

__all__ = ["slice_output", "slice_statements"]

WORD = 48


def slice_output(name: str) -> Signal:
    """The signal of a slice's sum, 48 bits: known before its inputs are where it leaves from a register."""
    return Signal(WORD, name=f"{name}_p", reset_less=True)


def slice_statements(m: Module, cell: Dsp, ports: Mapping[str, Value], p: Signal, name: str) -> None:
    """Computes ``p`` (see :func:`slice_output`), which is ``pcout`` too, from the inputs by port.

    The meaning of :class:`hwq.fabric.dsp48e2.Slice48`; registers that the parameters leave out are not made. No reset.
    """
    assert cell.model == MODEL, cell.model
    use = dict(cell.parameters)
    a, b, c, d, restart = (
        delay(m, named(m, ports[port], f"{name}_{port}"), int(use[key]), f"{name}_{port}")
        for port, key in (("a", "A_REGS"), ("b", "B_REGS"), ("c", "C_REG"), ("d", "D_REG"), ("restart", "CONTROL_REG"))
    )
    xy = _product(m, use, a, b, d, name) if use["USE_MULT"] == "MULTIPLY" else Cat(b, a)
    total = named(m, _sum(use, xy, ports["pcin"], c, p, restart), f"{name}_sum")
    if not use["P_REG"]:
        m.d.comb += p.eq(total)
        return
    with m.If(ports["ce"]):
        m.d.sync += p.eq(total)


def _product(m: Module, use: Mapping[str, int | str], a: Value, b: Value, d: Value, name: str) -> Value:
    """Pre-adder and multiplier, a two's complement number of 48 bits."""
    added = named(m, (a, d + a, d - a)[int(use["PREADD"])][:27], f"{name}_added")
    added = register(m, added, f"{name}_ad") if use["AD_REG"] else added
    product = named(m, added.as_signed() * b.as_signed(), f"{name}_product")
    product = register(m, product, f"{name}_m") if use["M_REG"] else product
    wide = Signal(signed(WORD), name=f"{name}_wide")
    m.d.comb += wide.eq(product)
    return wide.as_unsigned()


def _sum(use: Mapping[str, int | str], xy: Value, pcin: Value, c: Value, last: Value, restart: Value) -> Value:
    """Z plus or minus the product and W, in words apart."""
    nothing, kept = Const(0, WORD), Mux(restart, 0, last)
    shifted = Cat(pcin[17:], pcin[-1].replicate(17))
    z = {0: nothing, 1: pcin, 2: kept, 3: c, 4: shifted}[int(use["Z"])]
    w = {0: nothing, 1: kept, 3: c, 4: Mux(restart, c, last)}[int(use["W"])]
    lanes = next(n for n, text in SIMD.items() if text == use["USE_SIMD"])
    size, words = WORD // lanes, []
    for at in range(0, WORD, size):
        addend = xy[at : at + size] + w[at : at + size]
        words.append((z[at : at + size] - addend if use["SUBTRACT"] else z[at : at + size] + addend)[:size])
    return Cat(*words)
