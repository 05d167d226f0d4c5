"""The vendor's body of the DSP slice asks the cell for what :mod:`hwq.fabric.slices` computes.

Yosys reduces the text to the cell's parameters and pins, for every kind of use; the cell is played by UG579's tables, below.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwq.fabric.dsp48e2 import UNISIM, WIDTHS, Slice48
from hwq.fabric.simulate import Simulator
from hwq.target.tools import yosys
from tests.fabric.test_slice_bodies import ELDER, USES
from tests.fabric.test_slices import signed, slice_netlist

# What an elder slice lacks: the last P through W; 27-bit operands come by themselves, for stimuli use all bits.
NEWER = [
    Slice48(w=1),
    Slice48(z=1, w=1, control_reg=1),
    Slice48(w=4),
    Slice48(z=4, w=4, preadd=2, control_reg=1),
    Slice48(multiply=0, m_reg=0, z=1, w=4, lanes=4),
    Slice48(z=1, w=3, a_regs=0, b_regs=0, c_reg=0, m_reg=0, p_reg=0),
]
CYCLES, STIMULI = 12, 8
WORD = (1 << 48) - 1
Pins = Mapping[str, int]


@dataclass
class Cell:
    """A DSP48E2 (UG579 v1.11): inputs by tables 2-3 to 2-6, the sum by table 2-8; what is not used here is refused."""

    use: Mapping[str, Any]
    held: dict[str, int] = field(default_factory=dict)

    def _through(self, name: str, stages: int, value: int, after: dict[str, int]) -> int:
        """``value`` after so many registers."""
        line = [value, *(self.held.get(f"{name}{k}", 0) for k in range(stages))]
        after.update((f"{name}{k}", line[k]) for k in range(stages))
        return line[-1]

    def cycle(self, pins: Pins) -> int:
        """P in this cycle; the registers take what stands before them."""
        use, after = self.use, dict(self.held)
        a, b = (self._through(p, use[f"{p}REG"], pins[p], after) for p in "AB")
        c, d = (self._through(p, use[f"{p}REG"], pins[p], after) for p in "CD")
        mode = self._through("OPMODE", use["OPMODEREG"], pins["OPMODE"], after)
        inmode, last = pins["INMODE"], self.held.get("P0", 0)
        assert not inmode & 0b10001, "A2 and B2"
        gated, added = (0 if inmode & 2 else a % (1 << 27)), (d if inmode & 4 else 0)
        ad = self._through("AD", use["ADREG"], (added - gated if inmode & 8 else added + gated) % (1 << 27), after)
        factor = {"A": gated, "AD": ad}[use["AMULTSEL"]]
        m = self._through("M", use["MREG"], signed(factor, 27) * signed(b, 18) & WORD, after)
        x = {0: 0, 1: m, 2: last, 3: a << 18 | b}[mode & 3]
        y = {0: 0, 1: 0, 2: WORD, 3: c}[mode >> 2 & 3]
        halves = {pins["OPMODE"] & 3 == 1, pins["OPMODE"] >> 2 & 3 == 1, use["USE_MULT"] == "MULTIPLY"}
        assert len(halves) == 1, "both halves of the product or none"
        pcin = signed(pins["PCIN"], 48)
        z = {0: 0, 1: pcin, 2: last, 3: c, 5: pcin >> 17, 6: signed(last, 48) >> 17}[mode >> 4 & 7]
        w = {0: 0, 1: last, 3: c}[mode >> 7]
        total = self._sum(z & WORD, [w, x, y], {0b0000: 1, 0b0011: -1}[pins["ALUMODE"]])
        if not use["PREG"]:
            assert 2 not in (mode & 3, mode >> 4 & 7, 2 * (mode >> 7)), "P comes back from its register"
            self.held = after
            return total
        self.held = {**after, "P0": total if pins["CEP"] else last}
        return last

    def _sum(self, z: int, others: list[int], sign: int) -> int:
        size = {"ONE48": 48, "TWO24": 24, "FOUR12": 12}[self.use["USE_SIMD"]]
        mask = (1 << size) - 1
        return sum((((z >> at & mask) + sign * sum(o >> at & mask for o in others)) & mask) << at for at in range(0, 48, size))


def cells_of_the_text(uses: list[Slice48], work: Path, body: str) -> dict[str, Any]:
    """The flat module of all uses of ``body`` side by side, as Yosys writes it."""
    tool = yosys()
    assert tool is not None
    ports = ", ".join(f"input [{width - 1}:0] {name}" for name, width in WIDTHS.items())
    lines = [f"module top (input clk, {ports}, output [{48 * len(uses) - 1}:0] p);"]
    for k, use in enumerate(uses):
        given = ", ".join(f'.{n}("{v}")' if isinstance(v, str) else f".{n}({v})" for n, v in use.parameters.items())
        wires = ", ".join(f".{name}({name})" for name in WIDTHS)
        lines.append(f"hwq_dsp48e2 #({given}) use{k} (.clk(clk), {wires}, .p(p[{48 * k} +: 48]), .pcout());")
    (work / "t.v").write_text("\n".join([body, *lines, "endmodule\n"]))
    start = ELDER.index(") (\n")
    (work / "box.v").write_text("(* blackbox *) " + ELDER[: ELDER.index(");\n", start) + 3] + "endmodule\n")
    script = "read_verilog box.v; read_verilog t.v; hierarchy -top top; proc; flatten; opt; simplemap; opt; write_json t.json"
    subprocess.run([*tool.command, "-q", "-p", script], cwd=work, check=True)
    module: dict[str, Any] = json.loads((work / "t.json").read_text())["modules"]["top"]
    return module


def parameters_of(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v.strip() if set(v) - {"0", "1"} else int(v, 2) for n, v in cell["parameters"].items()}


def pins_of(module: Mapping[str, Any], cell: Mapping[str, Any], inputs: Mapping[str, int]) -> dict[str, int]:
    """Values at the pins of the cell."""
    bits = {"0": 0, "1": 1}
    for name, value in inputs.items():
        bits |= {net: value >> k & 1 for k, net in enumerate(module["ports"][name]["bits"])}
    for gate in module["cells"].values():
        if gate["type"] == "$_NOT_":
            bits[gate["connections"]["Y"][0]] = 1 - bits[gate["connections"]["A"][0]]
    given = {p: nets for p, nets in cell["connections"].items() if cell["port_directions"][p] == "input" and p != "CLK"}
    return {port: sum(bits[net] << k for k, net in enumerate(nets)) for port, nets in given.items()}


def unequal_uses(uses: list[Slice48], work: Path, body: str = UNISIM) -> list[Slice48]:
    """The uses for which the cell, asked as ``body`` asks it, gives another sum than the simulator in some cycle."""
    module = cells_of_the_text(uses, work, body)
    rng = np.random.default_rng(7)
    given = [{n: rng.integers(0, 1 << w, STIMULI, dtype=np.int64) for n, w in WIDTHS.items()} for _ in range(CYCLES)]
    given[0]["ce"][:] = 0  # a register of OPMODE starts at 0: until it is loaded the cell adds nothing
    slices = {cell["connections"]["P"][0]: cell for cell in module["cells"].values() if cell["type"] == "DSP48E2"}
    assert len(slices) == len(uses)
    found = []
    for k, use in enumerate(uses):
        cell = slices[module["ports"]["p"]["bits"][48 * k]]
        simulator = Simulator(slice_netlist(use), STIMULI)
        models = [Cell(parameters_of(cell)) for _ in range(STIMULI)]
        equal = True
        for inputs in given:
            pins = [pins_of(module, cell, {n: int(v[s]) for n, v in inputs.items()}) for s in range(STIMULI)]
            idle = {p: v for p, v in pins[0].items() if p.startswith(("CE", "RST", "CARRY", "ACIN", "BCIN")) and p != "CEP"}
            assert {p for p, v in idle.items() if v} == {p for p in idle if p.startswith("CE")}
            expected = simulator.cycle(inputs)["p"].tolist()
            equal &= [model.cycle(p) for model, p in zip(models, pins, strict=True)] == expected
        found += [] if equal else [use]
    return found


@pytest.mark.skipif(yosys() is None, reason="needs Yosys")
def test_the_vendors_cell_is_asked_for_what_the_simulator_computes(tmp_path: Path) -> None:
    assert unequal_uses(USES + NEWER, tmp_path) == []


INMODE = "INMODE(PREADD == 0 ? 5'b00000 : PREADD == 1 ? 5'b00100 : 5'b01100)"


def planted(*modes: str) -> str:
    """The body with other modes of the pre-adder: where it is not in use, where it adds, where it subtracts."""
    assert INMODE in UNISIM
    return UNISIM.replace(INMODE, "INMODE(PREADD == 0 ? 5'b{} : PREADD == 1 ? 5'b{} : 5'b{})".format(*modes))


@pytest.mark.skipif(yosys() is None, reason="needs Yosys")
@pytest.mark.parametrize("modes", [("00010", "01100", "00100"), ("00010", "00000", "01110"), ("00000", "00110", "01000")])
def test_wrong_modes_of_the_preadder_are_caught(modes: tuple[str, str, str], tmp_path: Path) -> None:
    """A gated off, D - A for D + A and the other way round; D gated off, D alone; D alone, -A."""
    uses = [use for use in (*USES, *NEWER) if use.multiply]
    wrong = [use for use in uses if modes[use.preadd] != ("00000", "00100", "01100")[use.preadd]]
    assert {use.preadd for use in uses} == {0, 1, 2}
    assert unequal_uses(uses, tmp_path, planted(*modes)) == wrong


@pytest.mark.skipif(yosys() is None, reason="needs Yosys")
def test_a_mode_that_takes_a_register_too_few_is_refused(tmp_path: Path) -> None:
    """INMODE[0] and INMODE[4] stand for A1 and B1 in place of A2 and B2."""
    with pytest.raises(AssertionError, match="A2 and B2"):
        unequal_uses([Slice48(a_regs=2, b_regs=2)], tmp_path, planted("10001", "00100", "01100"))
