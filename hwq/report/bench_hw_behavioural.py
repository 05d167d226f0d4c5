"""Plain Verilog for the circuit benchmark, as a good engineer writes it: sums as sums, comparisons as comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwq.report.bench_hw_flow import Circuit

__all__ = ["binary_array", "binary_lanes", "comparisons", "integer_lanes", "popcount", "raw_products", "ternary_lanes"]

CORE = "core"


def _circuit(text: str, **notes: object) -> Circuit:
    return Circuit("behavioural", {f"{CORE}.v": text}, CORE, clocked=False, notes=notes)


def _sum(bits: Sequence[str]) -> str:
    """Number of ones. Yosys makes a tree of three-to-two counters of it; loops and chains of additions come out the same.

    Balanced, since it reads operand within operand: a chain of many hundred is too deep for it.
    """
    if len(bits) < 2:
        return bits[0] if bits else "1'b0"
    half = len(bits) // 2
    return f"({_sum(bits[:half])} + {_sum(bits[half:])})"


def popcount(width: int, bits: int) -> Circuit:
    """The number of ones of ``width`` bits."""
    text = f"""module {CORE}(input [{width - 1}:0] x, output reg [{bits - 1}:0] y);
  integer k;
  always @* begin
    y = 0;
    for (k = 0; k < {width}; k = k + 1) y = y + x[k];
  end
endmodule
"""
    return _circuit(text)


def binary_lanes(lanes: int, n: int, bits: int) -> Circuit:
    """Rows of XNOR and popcount: lane r counts where its weights agree with x."""
    text = f"""module {CORE}(input [{n - 1}:0] x, input [{lanes * n - 1}:0] w, output [{lanes * bits - 1}:0] y);
  genvar r;
  generate for (r = 0; r < {lanes}; r = r + 1) begin : lane
    wire [{n - 1}:0] same = ~(x ^ w[r * {n} +: {n}]);
    integer k;
    reg [{bits - 1}:0] count;
    always @* begin
      count = 0;
      for (k = 0; k < {n}; k = k + 1) count = count + same[k];
    end
    assign y[r * {bits} +: {bits}] = count;
  end endgenerate
endmodule
"""
    return _circuit(text)


def binary_array(lanes: int, n: int, words: int, bits: int) -> Circuit:
    """Rows of XNOR, popcount and accumulator, restarted after ``words`` words; popcounts stand in a register before they are added."""
    text = f"""module {CORE}(input clk, input valid, input [{n - 1}:0] x, input [{lanes * n - 1}:0] w,
    output [{lanes * bits - 1}:0] total, output reg done);
  reg [{max(1, (words - 1).bit_length()) - 1}:0] word = 0;
  reg first, there, last;
  always @(posedge clk) begin
    first <= word == 0;
    last <= word == {words - 1};
    there <= valid;
    done <= there & last;
    if (valid) word <= word == {words - 1} ? 0 : word + 1;
  end
  genvar r;
  generate for (r = 0; r < {lanes}; r = r + 1) begin : lane
    wire [{n - 1}:0] same = ~(x ^ w[r * {n} +: {n}]);
    integer k;
    reg [{n.bit_length() - 1}:0] count, counted;
    reg [{bits - 1}:0] sum = 0;
    always @* begin
      count = 0;
      for (k = 0; k < {n}; k = k + 1) count = count + same[k];
    end
    always @(posedge clk) begin
      counted <= count;
      if (there) sum <= (first ? 0 : sum) + counted;
    end
    assign total[r * {bits} +: {bits}] = sum;
  end endgenerate
endmodule
"""
    return Circuit("behavioural", {f"{CORE}.v": text}, CORE, latency=2, registers=frozenset({"outputs"}))


def ternary_lanes(lanes: int, n: int, x_bits: int, bits: int) -> Circuit:
    """Rows of ternary weights (two's complement codes) times ternary or bipolar (``x_bits`` 1) inputs: signed sums."""
    term = "x[k] ? w[{at} +: 2] : -$signed(w[{at} +: 2])" if x_bits == 1 else "$signed(x[2 * k +: 2]) * $signed(w[{at} +: 2])"
    term = term.replace("{at}", f"2 * ({n} * r + k)").replace("? w[", "? $signed(w[").replace("+: 2] :", "+: 2]) :")
    return _signed_lanes(lanes, n, x_bits * n, 2 * n, bits, term, 3)


def integer_lanes(lanes: int, n: int, width: int, bits: int) -> Circuit:
    """Rows of signed integer products."""
    term = f"$signed(x[{width} * k +: {width}]) * $signed(w[{width} * ({n} * r + k) +: {width}])"
    return _signed_lanes(lanes, n, width * n, width * n, bits, term, 2 * width)


def _signed_lanes(lanes: int, n: int, x_width: int, row_width: int, bits: int, term: str, product_bits: int) -> Circuit:
    text = f"""module {CORE}(input [{x_width - 1}:0] x, input [{lanes * row_width - 1}:0] w, output [{lanes * bits - 1}:0] y);
  genvar r;
  generate for (r = 0; r < {lanes}; r = r + 1) begin : lane
    integer k;
    reg signed [{product_bits - 1}:0] product;
    reg signed [{bits - 1}:0] total;
    always @* begin
      total = 0;
      for (k = 0; k < {n}; k = k + 1) begin
        product = {term};
        total = total + product;
      end
    end
    assign y[r * {bits} +: {bits}] = total;
  end endgenerate
endmodule
"""
    return _circuit(text)


def raw_products(width: int, rows: int, pixels: int, n: int, bits: int, offset: int) -> Circuit:
    """Dot products of every row of weights with every pixel, made non-negative by ``offset``; ``*`` where synthesis may take a slice."""
    pairs = [(i, j) for i in range(rows) for j in range(pixels)]
    ports = ", ".join(f"output [{bits - 1}:0] y{i}_{j}" for i, j in pairs)
    lines = [f"module {CORE}(input [{width * n * pixels - 1}:0] x, input [{width * n * rows - 1}:0] w, {ports});"]
    for i, j in pairs:
        factors = ((f"$signed(x[{width * (j * n + k)} +: {width}])", f"$signed(w[{width * (i * n + k)} +: {width}])") for k in range(n))
        lines += [f"  wire signed [{2 * width - 1}:0] p{i}_{j}_{k} = {a} * {b};" for k, (a, b) in enumerate(factors)]
        lines.append(f"  wire signed [{bits}:0] s{i}_{j} = {offset} + {' + '.join(f'p{i}_{j}_{k}' for k in range(n))};")
        lines.append(f"  assign y{i}_{j} = s{i}_{j}[{bits - 1}:0];")
    return _circuit("\n".join([*lines, "endmodule", ""]))


def comparisons(weights: NDArray[np.int64], thresholds: NDArray[np.int64]) -> Circuit:
    """Rows of ternary or bipolar constants times bipolar x, compared: what agrees with the weights is counted, zeros are left out."""
    rows, columns = weights.shape
    width = int(columns).bit_length() + 1
    lines = []
    for r in range(rows):
        bits = [f"x[{c}]" if weights[r, c] > 0 else f"~x[{c}]" for c in np.flatnonzero(weights[r])]
        least = -(-(int(thresholds[r]) + len(bits)) // 2)
        lines.append(f"  wire [{max(1, len(bits)) - 1}:0] a{r} = {{{', '.join(bits) or _zero()}}};")
        count = _sum([f"a{r}[{k}]" for k in range(len(bits))])
        lines.append(f"  wire signed [{width}:0] s{r} = $signed({{1'b0, {_as_wide(count, width)}}});")
        lines.append(f"  assign y[{r}] = s{r} >= {least};")
    text = "\n".join([f"module {CORE}(input [{columns - 1}:0] x, output [{rows - 1}:0] y);", *lines, "endmodule", ""])
    return _circuit(text)


def _zero() -> str:
    return "1'b0"


def _as_wide(expression: str, width: int) -> str:
    """A sum of bits at ``width`` bits: one wide operand keeps it from being cut."""
    return f"{width}'d0 + {expression}"
