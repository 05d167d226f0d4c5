"""The DSP slice of UltraScale as a primitive of our own: the subset of a DSP48E2 that the circuits use, and its two bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hwq.fabric.netlist import FALSE, TRUE, Netlist

__all__ = ["MODEL", "PORTABLE", "UNISIM", "WIDTHS", "Slice48", "Sum48"]

MODEL = "hwq_dsp48e2"
#: Input ports and their widths, besides ``clk``. Outputs: ``p`` and ``pcout``, 48 bits each, the same value.
WIDTHS = {"a": 30, "b": 18, "c": 48, "d": 27, "pcin": 48, "ce": 1, "restart": 1}


SIMD = {1: "ONE48", 2: "TWO24", 4: "FOUR12"}


@dataclass(frozen=True)
class Sum48:
    """Outputs of a slice: the 48 bits of ``p`` for the fabric, and of ``pcout``, the same value, for another slice's ``pcin`` alone."""

    p: list[int]
    pcout: list[int]


@dataclass(frozen=True)
class Slice48:
    """How a slice is used: ``p = (z +/- (xy + w)) mod 2**48``, all terms signed (UG579).

    ``xy``: with ``multiply``, ``m = ad * b`` with ``ad`` = a[26:0], or d + a (``preadd`` 1), or d - a (``preadd`` 2), mod 2**27, times b
    (18 bits); without, the 48-bit word ``{a, b}``. ``z``: 0 nothing, 1 ``pcin``, 2 the last ``p`` unless ``restart``, 3 ``c``,
    4 ``pcin`` shifted right by 17 bits, its sign kept.
    ``w``: 0 nothing, 1 the last ``p`` unless ``restart``, 3 ``c``, 4 the last ``p``, or ``c`` where ``restart`` holds.
    ``subtract``: z - (xy + w). ``lanes``: 1, 2 or 4 independent words of 48, 24 or 12 bits (without ``multiply`` only).

    Registers: ``a_regs``/``b_regs`` 0..2 in front of everything, ``c_reg``, ``d_reg``, ``ad_reg`` (with ``preadd`` only), ``m_reg``
    (with ``multiply`` only), ``p_reg`` (enabled by ``ce``; needed where the last ``p`` is used), ``control_reg`` for ``restart``.
    Every one costs a cycle. ``pcin`` comes straight from ``pcout`` of another slice (dedicated wires to the next slice of the column).

    Source: UG579, DSP48E2.
    """

    multiply: int = 1
    preadd: int = 0
    subtract: int = 0
    z: int = 0
    w: int = 0
    lanes: int = 1
    a_regs: int = 1
    b_regs: int = 1
    c_reg: int = 1
    d_reg: int = 1
    ad_reg: int = 0
    m_reg: int = 1
    p_reg: int = 1
    control_reg: int = 0

    def __post_init__(self) -> None:
        assert not (self.multiply and self.lanes > 1), "words of 24 and 12 bits exist without the multiplier only"
        assert self.multiply or not (self.m_reg or self.preadd or self.ad_reg), "registers of a multiplier that is not there"
        assert self.preadd or not self.ad_reg
        assert self.p_reg or (self.z != 2 and self.w not in (1, 4)), "the last p is kept in its register"

    @property
    def latency(self) -> int:
        """Cycles from ``a`` and ``b`` to ``p``; their registers must be balanced by the caller where they differ."""
        return self.a_regs + self.ad_reg + self.m_reg + self.p_reg

    def build(self, netlist: Netlist, **ports: Sequence[int] | int) -> Sum48:
        """Adds the slice; ``ports`` by name, least bit first: short ones are extended with zeros, so sign extension is the caller's.

        ``pcin`` must be the ``pcout`` of another slice.
        """
        given: dict[str, list[int]] = {name: [bits] if isinstance(bits, int) else list(bits) for name, bits in ports.items()}
        idle = {"ce": TRUE}
        buses: dict[str, Sequence[int]] = {}
        for name, width in WIDTHS.items():
            bits = given.pop(name, [idle.get(name, FALSE)])
            assert len(bits) <= width, (name, len(bits))
            buses[name] = bits + [FALSE] * (width - len(bits))
        assert not given, sorted(given)
        return Sum48(**netlist.dsp(MODEL, self.parameters, buses, {"p": 48, "pcout": 48}))

    @property
    def parameters(self) -> dict[str, int | str]:
        """Parameters of the module."""
        named: dict[str, int | str] = {name.upper(): value for name, value in asdict(self).items() if name not in ("multiply", "lanes")}
        choices = {
            "USE_MULT": "MULTIPLY" if self.multiply else "NONE",
            "USE_SIMD": SIMD[self.lanes],
            "AMULTSEL": "AD" if self.preadd else "A",
        }
        return {**named, **choices}


_HEAD = """module hwq_dsp48e2 #(
    parameter USE_MULT = "MULTIPLY", parameter USE_SIMD = "ONE48", parameter AMULTSEL = "A",
    parameter PREADD = 0, parameter SUBTRACT = 0, parameter Z = 0, parameter W = 0,
    parameter A_REGS = 1, parameter B_REGS = 1, parameter C_REG = 1, parameter D_REG = 1, parameter AD_REG = 0,
    parameter M_REG = 1, parameter P_REG = 1, parameter CONTROL_REG = 0
) (
    input clk, input [29:0] a, input [17:0] b, input [47:0] c, input [26:0] d, input [47:0] pcin,
    input ce, input restart, output [47:0] p, output [47:0] pcout
);
"""

#: Verilog-2001 body for simulators and other vendors; the module of the UNISIM body has the same ports and parameters.
PORTABLE = (
    _HEAD
    + """    localparam LANES = USE_SIMD == "FOUR12" ? 4 : USE_SIMD == "TWO24" ? 2 : 1;
    localparam SIZE = 48 / LANES;
    reg [29:0] a1, a2;
    reg [17:0] b1, b2;
    reg [47:0] c1, p1;
    reg [26:0] d1, ad1;
    reg signed [44:0] m1;
    reg restart1;
    initial begin
        a1 = 0;
        a2 = 0;
        b1 = 0;
        b2 = 0;
        c1 = 0;
        p1 = 0;
        d1 = 0;
        ad1 = 0;
        m1 = 0;
        restart1 = 0;
    end
    wire [29:0] aq = A_REGS == 0 ? a : A_REGS == 1 ? a1 : a2;
    wire [17:0] bq = B_REGS == 0 ? b : B_REGS == 1 ? b1 : b2;
    wire [47:0] cq = C_REG ? c1 : c;
    wire [26:0] dq = D_REG ? d1 : d;
    wire again = CONTROL_REG ? restart1 : restart;
    wire [26:0] added = AMULTSEL == "A" ? aq[26:0] : PREADD == 1 ? dq + aq[26:0] : dq - aq[26:0];
    wire signed [26:0] ad = AD_REG ? ad1 : added;
    wire signed [17:0] bs = bq;
    wire signed [44:0] product = ad * bs;
    wire signed [44:0] m = M_REG ? m1 : product;
    wire [47:0] xy = USE_MULT == "MULTIPLY" ? {{3{m[44]}}, m} : {aq, bq};
    wire [47:0] last = again ? 48'd0 : p1;
    wire [47:0] zq = Z == 0 ? 48'd0 : Z == 1 ? pcin : Z == 2 ? last : Z == 3 ? cq : {{17{pcin[47]}}, pcin[47:17]};
    wire [47:0] wq = W == 0 ? 48'd0 : W == 1 ? last : W == 4 && !again ? p1 : cq;
    wire [47:0] sum;
    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire [SIZE-1:0] addend = xy[k*SIZE +: SIZE] + wq[k*SIZE +: SIZE];
            assign sum[k*SIZE +: SIZE] = SUBTRACT ? zq[k*SIZE +: SIZE] - addend : zq[k*SIZE +: SIZE] + addend;
        end
    endgenerate
    always @(posedge clk) begin
        a1 <= a;
        a2 <= a1;
        b1 <= b;
        b2 <= b1;
        c1 <= c;
        d1 <= d;
        ad1 <= added;
        m1 <= product;
        restart1 <= restart;
        if (ce) p1 <= sum;
    end
    assign p = P_REG ? p1 : sum;
    assign pcout = p;
endmodule
"""
)

#: Body of the Xilinx cell, for synthesis.
UNISIM = (
    _HEAD
    + """    // Z: 0, PCIN, P unless restart, C, PCIN >> 17. W: 0, P unless restart, C, P or C. X and Y: the product, or X = {A, B}.
    wire [2:0] zmux = Z == 0 ? 3'b000 : Z == 1 ? 3'b001 : Z == 2 ? {1'b0, ~restart, 1'b0} : Z == 3 ? 3'b011 : 3'b101;
    wire [1:0] wmux = W == 0 ? 2'b00 : W == 1 ? {1'b0, ~restart} : W == 3 ? 2'b11 : {restart, 1'b1};
    DSP48E2 #(
        .USE_MULT(USE_MULT), .USE_SIMD(USE_SIMD), .AMULTSEL(AMULTSEL), .BMULTSEL("B"), .PREADDINSEL("A"),
        .A_INPUT("DIRECT"), .B_INPUT("DIRECT"),
        .AREG(A_REGS), .ACASCREG(A_REGS), .BREG(B_REGS), .BCASCREG(B_REGS), .CREG(C_REG), .DREG(PREADD ? D_REG : 1),
        .ADREG(PREADD ? AD_REG : 1), .MREG(M_REG), .PREG(P_REG), .OPMODEREG(CONTROL_REG), .ALUMODEREG(0), .CARRYINREG(0),
        .CARRYINSELREG(0), .INMODEREG(0), .USE_PATTERN_DETECT("NO_PATDET"), .USE_WIDEXOR("FALSE")
    ) slice (
        .CLK(clk), .A(a), .B(b), .C(c), .D(d), .PCIN(pcin), .P(p),
        .OPMODE({wmux, zmux, USE_MULT == "MULTIPLY" ? 4'b0101 : 4'b0011}), .ALUMODE(SUBTRACT ? 4'b0011 : 4'b0000),
        .INMODE(PREADD == 0 ? 5'b00000 : PREADD == 1 ? 5'b00100 : 5'b01100), .CARRYIN(1'b0), .CARRYINSEL(3'b000),
        .CEA1(1'b1), .CEA2(1'b1), .CEB1(1'b1), .CEB2(1'b1), .CEC(1'b1), .CED(1'b1), .CEAD(1'b1), .CEM(1'b1), .CEP(ce),
        .CECTRL(1'b1), .CEALUMODE(1'b1), .CECARRYIN(1'b1), .CEINMODE(1'b1),
        .RSTA(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTD(1'b0), .RSTM(1'b0), .RSTP(1'b0), .RSTCTRL(1'b0), .RSTALUMODE(1'b0),
        .RSTALLCARRYIN(1'b0), .RSTINMODE(1'b0),
        .ACIN(30'd0), .BCIN(18'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
        .ACOUT(), .BCOUT(), .PCOUT(pcout), .CARRYCASCOUT(), .CARRYOUT(), .MULTSIGNOUT(), .OVERFLOW(), .UNDERFLOW(),
        .PATTERNDETECT(), .PATTERNBDETECT(), .XOROUT()
    );
endmodule
"""
)
