"""Own fabric cells: the behaviour of the Xilinx cells, for every truth table and all inputs."""

from __future__ import annotations

import random

import pytest

from hwq.target.primitives import CELLS, cell_module
from tests.gateware.prover import yosys

LUTS = [f"LUT{k}" for k in range(1, 7)]


def same(text: str, first: str, second: str, cells: str = "") -> bool:
    """Whether two modules of ``text`` give the same outputs for all inputs."""
    script = (
        f"{cells}read_verilog <<TEXT\n{text}\nTEXT\nhierarchy -check\nproc\nflatten\nopt_clean\n"
        f"miter -equiv -flatten {first} {second} miter\nsat -verify -prove trigger 0 miter"
    )
    code, output = yosys("", script)
    assert code == 0 or "proof did fail" in output, output[-2000:]
    return code == 0


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize("cell", [*LUTS, "LUT6_2"])
def test_a_lut_gives_the_addressed_bit_whatever_its_table(cell: str, bug: bool) -> None:
    inputs = int(cell[3])
    pins = [f"I{k}" for k in range(inputs)]
    symbolic = cell_module(cell, "own").replace("parameter", "input", 1)
    head, body = symbolic.split(");", 1)
    default = f" = {1 << inputs}'h0"
    own = f"{head}, INIT);{body.replace(default, '', 1)}"
    upper = "I5" if cell == "LUT6_2" else ""
    index = "{" + ", ".join(reversed(pins)) + "}"
    outputs = "assign O6 = INIT[index]; assign O5 = INIT[index & 31];" if upper else f"assign O = INIT[index{' ^ 1' if bug else ''}];"
    if upper and bug:
        outputs = outputs.replace("& 31", "& 15")
    names = ["O5", "O6"] if upper else ["O"]
    reference = (
        f"module reference({', '.join([*pins, *names, 'INIT'])}); input {', '.join(pins)}; input [{(1 << inputs) - 1}:0] INIT; "
        f"output {', '.join(names)}; wire [{inputs - 1}:0] index = {index}; {outputs} endmodule"
    )
    assert same(f"{own}\n{reference}", "own", "reference") == (not bug)


def around(name: str, cells: list[tuple[str, str]], prefix: str = "") -> str:
    """A module with an instance of each cell of ``cells`` (cell, parameter), all outputs visible."""
    lines, outputs = [], []
    for n, (cell, parameter) in enumerate(cells):
        if cell == "CARRY4":
            lines.append(f"wire [7:0] o{n}; {prefix}{cell} u{n} (.CI({parameter}x[0]), .CYINIT(x[1]), .S(x[5:2]), .DI(x[9:6]), ")
            lines.append(f".CO(o{n}[7:4]), .O(o{n}[3:0]));")
        elif cell == "CARRY8":
            lines.append(f"wire [15:0] o{n}; {prefix}{cell} #({parameter}) u{n} (.CI(x[0]), .CI_TOP(x[1]), .S(x[9:2]), .DI(x[17:10]), ")
            lines.append(f".CO(o{n}[15:8]), .O(o{n}[7:0]));")
        else:
            pins = ", ".join(f".I{k}(x[{k}])" for k in range(int(cell[3])))
            results = f".O5(o{n}[0]), .O6(o{n}[1])" if cell == "LUT6_2" else f".O(o{n}[0])"
            lines.append(f"wire [{int(cell == 'LUT6_2')}:0] o{n}; {prefix}{cell} #({parameter}) u{n} ({pins}, {results});")
        outputs.append(f"o{n}")
    width = sum({"CARRY4": 8, "CARRY8": 16}.get(cell, 1) + (cell == "LUT6_2") for cell, _ in cells)
    return (
        f"module {name}(x, y); input [17:0] x; output [{width - 1}:0] y; {' '.join(lines)} assign y = {{{', '.join(outputs)}}}; endmodule"
    )


@pytest.mark.parametrize("bug", [False, "CARRY4", "CARRY8"])
def test_own_cells_equal_the_vendors_models(bug: str | bool) -> None:
    rng = random.Random(3)
    cells = [(cell, f".INIT({1 << int(cell[3])}'h{rng.getrandbits(1 << int(cell[3])):x})") for cell in [*LUTS, "LUT6_2"] for _ in range(6)]
    cells += [("CARRY8", f'.CARRY_TYPE("{kind}")') for kind in ("SINGLE_CY8", "DUAL_CY4")]
    wrong = {"CARRY4": ("CARRY4", "~"), "CARRY8": ("CARRY8", '.CARRY_TYPE("SINGLE_CY8")')}
    cells += [("CARRY4", "")]
    other = [wrong[cell] if bug == cell and "SINGLE" not in parameter else (cell, parameter) for cell, parameter in cells]
    own = "\n".join(cell_module(cell, f"own_{cell}") for cell in CELLS)
    text = f"{own}\n{around('mine', cells, 'own_')}\n{around('vendor', other)}"
    assert same(text, "mine", "vendor", "read_verilog +/xilinx/cells_sim.v\n") == (not bug)
