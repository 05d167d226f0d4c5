"""Plain Verilog of multiply-accumulates for the circuit benchmark: rows of signed products with accumulators, and floats."""

from __future__ import annotations

from hwq.report.bench_hw_flow import Circuit

__all__ = ["float_mac", "fold_control", "signed_array", "signed_lanes"]

CORE = "core"


def fold_control(words: int) -> str:
    """``there_now``, ``first`` and ``last`` of the word in the register behind the products, and ``done``."""
    return f"""  reg [{max(1, (words - 1).bit_length()) - 1}:0] word = 0;
  reg first, there_now, last;
  always @(posedge clk) begin
    first <= word == 0;
    last <= word == {words - 1};
    there_now <= valid;
    done <= there_now & last;
    if (valid) word <= word == {words - 1} ? 0 : word + 1;
  end
"""


def row_sum(n: int, x_bits: int, w_bits: int, sum_bits: int, ternary: bool) -> str:
    """``now``: the sum of ``n`` signed products of row r, an expression a product; of ``ternary`` ones those of +1 less those of -1.

    Codes are two's complement, but x of one bit is ±1.
    """
    if not ternary:
        return f"""    integer k;
    reg signed [{x_bits + w_bits - 1}:0] product;
    reg signed [{sum_bits - 1}:0] now;
    always @* begin
      now = 0;
      for (k = 0; k < {n}; k = k + 1) begin
        product = $signed(x[{x_bits} * k +: {x_bits}]) * $signed(w[{w_bits} * ({n} * r + k) +: {w_bits}]);
        now = now + product;
      end
    end
"""
    return f"""    integer k;
    reg [{n - 1}:0] there, minus;
    reg [{n.bit_length() - 1}:0] more, less;
    always @* begin
      more = 0;
      less = 0;
      for (k = 0; k < {n}; k = k + 1) begin
        there[k] = w[2 * ({n} * r + k)]{"" if x_bits == 1 else " & x[2 * k]"};
        minus[k] = w[2 * ({n} * r + k) + 1] ^ {"~x[k]" if x_bits == 1 else "x[2 * k + 1]"};
        more = more + (there[k] & ~minus[k]);
        less = less + (there[k] & minus[k]);
      end
    end
    wire signed [{sum_bits - 1}:0] now = $signed({{1'b0, more}}) - $signed({{1'b0, less}});
"""


def signed_lanes(lanes: int, n: int, x_bits: int, w_bits: int, sum_bits: int, *, ternary: bool = False) -> Circuit:
    """Rows of ``n`` signed products, summed, in LUTs."""
    text = f"""module {CORE}(input [{n * x_bits - 1}:0] x, input [{lanes * n * w_bits - 1}:0] w, output [{lanes * sum_bits - 1}:0] y);
  genvar r;
  generate for (r = 0; r < {lanes}; r = r + 1) begin : lane
{row_sum(n, x_bits, w_bits, sum_bits, ternary)}    assign y[r * {sum_bits} +: {sum_bits}] = now;
  end endgenerate
endmodule
"""
    return Circuit("behavioural", {f"{CORE}.v": text}, CORE, clocked=False, slices=False)


def signed_array(lanes: int, n: int, words: int, x_bits: int, w_bits: int, sum_bits: int, bits: int, *, ternary: bool = False) -> Circuit:
    """The same with accumulators of ``bits`` bits, restarted after ``words`` words; sums stand in a register before they are added."""
    text = f"""module {CORE}(input clk, input valid, input [{n * x_bits - 1}:0] x, input [{lanes * n * w_bits - 1}:0] w,
    output [{lanes * bits - 1}:0] total, output reg done);
{fold_control(words)}  genvar r;
  generate for (r = 0; r < {lanes}; r = r + 1) begin : lane
{row_sum(n, x_bits, w_bits, sum_bits, ternary)}    reg signed [{sum_bits - 1}:0] summed;
    reg signed [{bits - 1}:0] sum = 0;
    always @(posedge clk) begin
      summed <= now;
      if (there_now) sum <= (first ? 0 : sum) + summed;
    end
    assign total[r * {bits} +: {bits}] = sum;
  end endgenerate
endmodule
"""
    return Circuit("behavioural", {f"{CORE}.v": text}, CORE, latency=2, registers=frozenset({"outputs"}), slices=False)


def float_mac() -> Circuit:
    """``round(round(a * b) + c)`` of binary32, subnormals included, every NaN the quiet one; a register between product and sum."""
    return Circuit("behavioural", {f"{CORE}.v": FLOAT_MAC}, CORE, latency=1)


FLOAT_MAC = f"""module {CORE}(input clk, input [31:0] a, input [31:0] b, input [31:0] c, output [31:0] y);
  // Product: 48 bits, normalised, shifted back where it is subnormal, rounded to nearest even.
  wire a_nan = &a[30:23] & |a[22:0], b_nan = &b[30:23] & |b[22:0];
  wire a_inf = &a[30:23] & ~|a[22:0], b_inf = &b[30:23] & ~|b[22:0];
  wire [47:0] m = {{|a[30:23], a[22:0]}} * {{|b[30:23], b[22:0]}};
  reg [5:0] z;
  integer i;
  always @* begin
    z = 48;
    for (i = 0; i < 48; i = i + 1) if (m[i]) z = 47 - i;
  end
  wire [47:0] norm = m << z;
  wire signed [10:0] e = $signed({{3'b0, a[30:23]}}) + $signed({{10'b0, ~|a[30:23]}}) + $signed({{3'b0, b[30:23]}})
    + $signed({{10'b0, ~|b[30:23]}}) - 11'sd126 - $signed({{5'b0, z}});
  wire signed [10:0] back = 11'sd1 - e;
  wire [5:0] right = back <= 0 ? 6'd0 : back > 48 ? 6'd48 : back[5:0];
  wire [47:0] s = norm >> right;
  wire lost = |(norm << (6'd48 - right)) & |right;
  wire [30:0] packed_p = {{s[47] ? e[7:0] : 8'd0, s[46:24]}} + (s[23] & (s[24] | |s[22:0] | lost));
  wire p_nan = a_nan | b_nan | (a_inf & ~|b[30:0]) | (b_inf & ~|a[30:0]);
  wire p_inf = a_inf | b_inf | (e >= 255);
  reg [31:0] finite, q;
  reg is_nan, is_inf;
  always @(posedge clk) begin
    finite <= {{a[31] ^ b[31], packed_p}};
    is_nan <= p_nan;
    is_inf <= p_inf;
    q <= c;
  end
  wire [31:0] p = is_nan ? 32'h7fc00000 : {{finite[31], is_inf ? 31'h7f800000 : finite[30:0]}};

  // Sum: the smaller one aligned with three more bits, added or subtracted, normalised, rounded.
  wire swap = p[30:0] < q[30:0];
  wire [31:0] big = swap ? q : p, small = swap ? p : q;
  wire big_special = &big[30:23], small_special = &small[30:23];
  wire y_nan = (big_special & |big[22:0]) | (small_special & |small[22:0]) | (big_special & small_special & (big[31] ^ small[31]));
  wire [8:0] big_e = big[30:23] + (big[30:23] == 0), small_e = small[30:23] + (small[30:23] == 0);
  wire [8:0] distance = big_e - small_e;
  wire [4:0] d = distance > 27 ? 5'd27 : distance[4:0];
  wire [26:0] one = {{|big[30:23], big[22:0], 3'b0}}, two = {{|small[30:23], small[22:0], 3'b0}};
  wire [26:0] aligned = (two >> d) | (|(two << (5'd27 - d)) & |d);
  wire [27:0] total = big[31] == small[31] ? one + aligned : one - aligned;
  reg [4:0] y_z;
  integer j;
  always @* begin
    y_z = 27;
    for (j = 0; j < 27; j = j + 1) if (total[j]) y_z = 26 - j;
  end
  wire [8:0] left = y_z < big_e ? y_z : big_e - 1;
  wire [26:0] t = total[27] ? {{total[27:2], total[1] | total[0]}} : total[26:0] << left;
  wire [8:0] y_e = total[27] ? big_e + 1 : big_e - left;
  wire [30:0] packed_y = {{t[26] ? y_e[7:0] : 8'd0, t[25:3]}} + (t[2] & (t[3] | t[1] | t[0]));
  wire y_inf = big_special | (y_e >= 255);
  wire y_sign = total == 0 ? big[31] & small[31] : big[31];
  wire [30:0] special_y = ({{31{{y_inf}}}} & 31'h7f800000) | ({{31{{y_nan}}}} & 31'h7fc00000);
  assign y = {{y_sign & ~y_nan, (packed_y & {{31{{~(y_inf | y_nan)}}}}) | special_y}};
endmodule
"""
