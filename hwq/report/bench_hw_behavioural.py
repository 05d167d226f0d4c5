"""Plain Verilog for the circuit benchmark, as a good engineer writes it: sums as sums, comparisons as comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwq.report.bench_hw_behavioural_mac import fold_control
from hwq.report.bench_hw_flow import Circuit

__all__ = ["binary_array", "binary_lanes", "comparisons", "popcount", "raw_products"]

CORE = "core"


def _circuit(text: str) -> Circuit:
    return Circuit("behavioural", {f"{CORE}.v": text}, CORE, clocked=False)


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
{fold_control(words)}  genvar r;
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
      if (there_now) sum <= (first ? 0 : sum) + counted;
    end
    assign total[r * {bits} +: {bits}] = sum;
  end endgenerate
endmodule
"""
    return Circuit("behavioural", {f"{CORE}.v": text}, CORE, latency=2, registers=frozenset({"outputs"}))


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
