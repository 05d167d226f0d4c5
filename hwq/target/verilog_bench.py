"""A self-checking bench in plain Verilog-2001: vectors in an included file, random stalls, PASS or FAIL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from hwq.target.streams import StreamPort

__all__ = ["bench_text", "bench_vectors"]

PATIENCE = 200_000  # cycles without any beat, beside those that a design may take


def bench_vectors(ports: Sequence[StreamPort], codes: Mapping[str, NDArray[Any]], frames: int) -> str:
    """The ``.vh`` that fills the memories of the bench with the beats of the first ``frames`` frames."""
    lines = ["// Beats of the test vectors, included by the bench.", "initial begin"]
    for p in ports:
        raw = p.pack(codes[p.port][:frames]).reshape(-1, p.bus_bits // 8)
        for n, beat in enumerate(raw):
            lines.append(f"  {p.port}_beats[{n}] = {p.bus_bits}'h{beat[::-1].tobytes().hex()};")
    return "\n".join([*lines, "end"]) + "\n"


def bench_text(
    top: str,
    ports: Sequence[StreamPort],
    top_ports: Sequence[tuple[str, str, int]],
    frames: int,
    memories: Sequence[str] = (),
    slowest: int = 0,
) -> str:
    """Verilog of module ``tb_<top>``; ``top_ports`` are (name, direction, width) of the design, ``memories`` its memory files."""
    patience = PATIENCE + 4 * slowest
    declared = [f"  {'reg' if d == 'input' else 'wire'} {_range(w)}{name};" for name, d, w in top_ports if name != "aclk"]
    connections = ",\n".join(f"    .{name}({name})" for name, _, _ in top_ports)
    quiet = [f"    {name} = 0;" for name, d, _ in top_ports if d == "input" and name not in ("aclk", "aresetn")]
    names = {name for name, _, _ in top_ports}
    blocks = [_source(p, names, frames) if p.is_input else _sink(p, names, frames) for p in ports]
    outputs = [p for p in ports if not p.is_input]
    complete = " && ".join(f"{p.port}_count == {frames * p.beats}" for p in outputs)
    moved = " || ".join(f"({p.port}_tvalid && {p.port}_tready)" for p in ports)
    return f"""// Self-checking bench of {top}: {frames} frames under random stalls on both sides; prints PASS or FAIL.
// A failure ends in $stop (exit status 1 with vvp -N).
`timescale 1ns / 1ps

module tb_{top};
  reg aclk = 1'b0;
{chr(10).join(declared)}
  integer seed = 1;
  integer errors = 0;
  integer quiet = 0;
  integer cycle = 0;

  always #5 aclk = ~aclk;

  {top} dut (
{connections}
  );

  initial begin
{chr(10).join(quiet)}
    aresetn = 1'b0;
    repeat (8) @(posedge aclk);
    aresetn <= 1'b1;
  end
{"".join(blocks)}
`include "tb_{top}.vh"

  always @(posedge aclk) if (aresetn) begin
    cycle <= cycle + 1;
    quiet <= ({moved}) ? 0 : quiet + 1;
    if (errors > 0) begin
      $display("FAIL: %0d errors by cycle %0d", errors, cycle);
      $stop;
    end else if (quiet > {patience}) begin
      $display("FAIL: no beat moved for {patience} cycles");{_reminder(memories)}
      $stop;
    end else if ({complete}) begin
      $display("PASS: {frames} frames bit-exact in %0d cycles", cycle);
      $finish;
    end
  end
endmodule
"""


def _reminder(memories: Sequence[str]) -> str:
    """A line that names the memory files: without them the input stays closed."""
    if not memories:
        return ""
    return f"""
      $display("  a design without its memory files takes no input; this one reads {", ".join(memories)}");"""


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def _keep(p: StreamPort) -> tuple[str, str]:
    """tkeep of a full beat and of the last beat of a frame, as Verilog constants."""
    size = p.bus_bits // 8
    return f"{size}'h{(1 << size) - 1:x}", f"{size}'h{(1 << p.last_beat_bytes) - 1:x}"


def _source(p: StreamPort, names: set[str], frames: int) -> str:
    total, n = frames * p.beats, p.port
    full, last = _keep(p)
    value = full if full == last else f"({n}_next + 1) % {p.beats} == 0 ? {last} : {full}"
    keep = f"\n      {n}_tkeep <= {value};" if f"{n}_tkeep" in names else ""
    return f"""
  reg [{p.bus_bits - 1}:0] {n}_beats [0:{total - 1}];
  integer {n}_next = 0;
  always @(posedge aclk) if (aresetn && (!{n}_tvalid || {n}_tready)) begin
    if ({n}_next < {total} && $random(seed) % 4 != 0) begin
      {n}_tvalid <= 1'b1;
      {n}_tdata <= {n}_beats[{n}_next];
      {n}_tlast <= ({n}_next + 1) % {p.beats} == 0;{keep}
      {n}_next <= {n}_next + 1;
    end else {n}_tvalid <= 1'b0;
  end
"""


def _sink(p: StreamPort, names: set[str], frames: int) -> str:
    total, n = frames * p.beats, p.port
    checks = [(f"{n}_tdata !== {n}_beats[{n}_count]", "wrong data"), (f"{n}_tlast !== (({n}_count + 1) % {p.beats} == 0)", "wrong tlast")]
    if f"{n}_tuser" in names:
        checks.append((f"{n}_tuser !== 0", "frame marked bad"))
    text = "".join(
        f"""
      if ({condition}) begin
        errors = errors + 1;
        $display("{n}: {what} in frame %0d, beat %0d, cycle %0d: %h", {n}_count / {p.beats}, {n}_count % {p.beats}, cycle, {n}_tdata);
      end"""
        for condition, what in checks
    )
    return f"""
  reg [{p.bus_bits - 1}:0] {n}_beats [0:{total - 1}];
  reg [{p.bus_bits - 1}:0] {n}_held;
  reg {n}_waiting = 1'b0;
  integer {n}_count = 0;
  always @(posedge aclk) if (aresetn) begin
    {n}_tready <= $random(seed) % 4 != 0;
    {n}_waiting <= {n}_tvalid && !{n}_tready;
    {n}_held <= {n}_tdata;
    if ({n}_waiting && (!{n}_tvalid || {n}_tdata !== {n}_held)) begin
      errors = errors + 1;
      $display("{n}: a waiting beat changed or vanished in cycle %0d", cycle);
    end
    if ({n}_tvalid && {n}_tready && {n}_count < {total}) begin
      {n}_count <= {n}_count + 1;{text}
    end
  end
"""
