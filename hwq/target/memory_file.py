"""Memory files for large ROMs, with the checks that keep a simulator or a board from running on missing weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hwq.gateware.memories import rom_attributes

__all__ = ["MemoryFile", "inline_rom", "memory_digest", "memory_file", "rom_module"]

DIGEST_SEED = 0x1B2E5A3D
DIGEST_FACTOR = 1664525  # odd: no single change goes unseen
MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class MemoryFile:
    """A ``.mem`` file: one word a line in hexadecimal, read by ``$readmemh``.

    ``digest`` is :func:`memory_digest` of the words; ``sentinel`` the number of a word that is neither 0 nor all ones.
    """

    name: str
    text: str
    depth: int
    width: int
    digest: int
    sentinel: int
    sentinel_word: int

    @property
    def sha256(self) -> str:
        """Hash of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def memory_digest(words: Sequence[int], width: int) -> int:
    """Checksum of a memory, 32 bits: times a factor, plus each 32-bit slice of each word, lowest slice first."""
    digest = DIGEST_SEED
    for word in words:
        for shift in range(0, width, 32):
            digest = (digest * DIGEST_FACTOR + (word >> shift & MASK)) & MASK
    return digest


def memory_file(name: str, words: Sequence[int], width: int) -> MemoryFile:
    """The file of ``words``, each below ``2**width``; a ROM of equal words is a constant and never gets here."""
    digits = -(-width // 4)
    text = "".join(f"{w:0{digits}x}\n" for w in words)
    full = (1 << width) - 1
    telling = [n for n, w in enumerate(words) if w not in (0, full)] or [n for n, w in enumerate(words) if w]
    return MemoryFile(name, text, len(words), width, memory_digest(words, width), telling[0], words[telling[0]])


def rom_module(name: str, file: MemoryFile, style: str) -> str:
    """Verilog of a ROM with the ports of :class:`hwq.gateware.rom.Rom` that reads ``file``.

    In simulation the whole content is compared with a digest at time zero; in hardware the sentinel word is read and
    compared in the first three cycles. ``ok`` stays low when either fails, and until the sentinel has been read.
    """
    address = max(1, (file.depth - 1).bit_length())
    slices = range(0, file.width, 32)
    fold = "\n".join(f"      digest = digest * 32'd{DIGEST_FACTOR} + {_slice('word', s, file.width)};" for s in slices)
    attributes = ", ".join(f'{name} = "{value}"' for name, value in rom_attributes(style).items())
    return f"""
module {name}(clk, rst, addr, data, ok);
  input clk;
  input rst;
  input [{address - 1}:0] addr;
  output [{file.width - 1}:0] data;
  output ok;
  (* {attributes} *)
  reg [{file.width - 1}:0] mem [0:{file.depth - 1}];
  reg [{file.width - 1}:0] read;
  reg [{file.width - 1}:0] out;
  reg [1:0] checked;
  reg sentinel_ok;
  reg digest_ok;
  wire [{address - 1}:0] sentinel = {address}'d{file.sentinel};
`ifndef SYNTHESIS
  integer i;
  reg [31:0] digest;
  reg [{file.width - 1}:0] word;
`endif
  initial begin
    checked = 2'd0;
    sentinel_ok = 1'b0;
    digest_ok = 1'b1;
    $readmemh("{file.name}", mem);
`ifndef SYNTHESIS
    digest = 32'h{DIGEST_SEED:08x};
    for (i = 0; i < {file.depth}; i = i + 1) begin
      word = mem[i];
{fold}
    end
    if (digest !== 32'h{file.digest:08x}) begin
      digest_ok = 1'b0;
      $display("ERROR: memory file {file.name} is missing or altered (digest %08x, expected {file.digest:08x})", digest);
    end
`endif
  end
  // The first three cycles of life read the sentinel word: a memory that a tool left empty shows itself.
  always @(posedge clk) begin
    read <= mem[checked == 2'd3 ? addr : sentinel];
    out <= read;
    if (checked != 2'd3) begin
      checked <= checked + 2'd1;
      sentinel_ok <= checked == 2'd2 && out == {file.width}'h{file.sentinel_word:x};
    end
  end
  assign data = out;
  assign ok = digest_ok & sentinel_ok;
endmodule
"""


def inline_rom(name: str, words: Sequence[int], width: int, style: str) -> str:
    """Verilog of a ROM with the ports of :class:`hwq.gateware.rom.Rom` that holds ``words`` in its text."""
    # At least two words: an address of no bits is a corner few tools know.
    words = words if len(words) > 1 else (*words, *words)
    address = (len(words) - 1).bit_length()
    content = "\n".join(f"    mem[{n}] = {width}'h{word:x};" for n, word in enumerate(words))
    attributes = ", ".join(f'{key} = "{value}"' for key, value in rom_attributes(style).items())
    return f"""
module {name}(clk, rst, addr, data, ok);
  input clk;
  input rst;
  input [{address - 1}:0] addr;
  output [{width - 1}:0] data;
  output ok;
  (* {attributes} *)
  reg [{width - 1}:0] mem [0:{len(words) - 1}];
  reg [{width - 1}:0] read;
  reg [{width - 1}:0] out;
  initial begin
    read = {width}'h0;
    out = {width}'h0;
{content}
  end
  always @(posedge clk) begin
    read <= mem[addr];
    out <= read;
  end
  assign data = out;
  assign ok = 1'b1;
endmodule
"""


def _slice(word: str, start: int, width: int) -> str:
    """A 32-bit slice of a register, zero-extended."""
    top = min(start + 32, width)
    bits = f"{word}[{top - 1}:{start}]" if width > 1 else word
    return bits if top - start == 32 else f"{{{32 - (top - start)}'d0, {bits}}}"
