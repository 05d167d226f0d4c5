"""The AXI4-Lite register map of a design, as data: hardware, documents and tests are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.plan import Plan, plan_hash
from hwq.plan.units import AxiIn, AxiOut, Fifo

__all__ = ["MAGIC", "MAP_VERSION", "Register", "register_map"]

MAGIC = int.from_bytes(b"HWQ1", "big")
MAP_VERSION = 1


@dataclass(frozen=True)
class Register:
    """A register of ``bits`` bits at byte ``offset``, lowest word first.

    Parameters
    ----------
    kind
        ``constant`` (value in ``value``), ``control``, ``status``, ``counter`` (counts cycles of ``source``; latched) or
        ``peak`` (largest level of ``source``; latched).
    source
        Name of the signal that is counted or watched.
    """

    name: str
    offset: int
    bits: int
    kind: str
    access: str
    description: str
    value: int = 0
    source: str = ""


class _Map:
    def __init__(self) -> None:
        self.registers: list[Register] = []
        self.offset = 0

    def add(self, name: str, bits: int, kind: str, description: str, *, value: int = 0, source: str = "", access: str = "ro") -> None:
        self.registers.append(Register(name, self.offset, bits, kind, access, description, value, source))
        self.offset += bits // 8


def register_map(network: Network, plan: Plan) -> tuple[Register, ...]:
    """All registers of the design of ``network`` under ``plan``, in order of offset."""
    dataflow = dataflow_of(network, plan)
    hashes = network_hash(network), plan_hash(plan)
    regs = _Map()
    regs.add("ID", 32, "constant", "The letters HWQ1", value=MAGIC)
    regs.add("MAP_VERSION", 32, "constant", "Version of this register map", value=MAP_VERSION)
    regs.add(
        "CONTROL",
        32,
        "control",
        "Write bit 0: latch all counters and peaks, so that they are read as of one cycle. "
        "Write bit 1: clear counters, peaks and sticky errors. Both may be written at once: latch, then clear. Reads 0",
        access="wo",
    )
    regs.add(
        "STATUS",
        32,
        "status",
        "Bit 0: weights_ok, all memories hold what they should. Bit 1, sticky: a frame came with a misplaced tlast. "
        "Bit 2, sticky: weights were not ok after start-up",
    )
    regs.add("NETWORK_HASH", 256, "constant", "sha256 of the network, first four bytes in the first word", value=_words(hashes[0]))
    regs.add("PLAN_HASH", 256, "constant", "sha256 of the plan", value=_words(hashes[1]))
    regs.add("CYCLES", 64, "counter", "Cycles since reset or clear", source="cycle")
    for tensor, name in _streams(dataflow, AxiIn):
        regs.add(f"{tensor}.FRAMES", 64, "counter", f"Frames of {tensor} taken in, repaired ones included", source=f"{name}.frame")
        regs.add(f"{tensor}.BAD", 64, "counter", f"Frames of {tensor} repaired for a misplaced tlast", source=f"{name}.bad")
        regs.add(f"{tensor}.STARVED", 64, "counter", f"Cycles with tready and no tvalid on {tensor}", source=f"{name}.starved")
    for tensor, name in _streams(dataflow, AxiOut):
        regs.add(f"{tensor}.FRAMES", 64, "counter", f"Frames of {tensor} given out", source=f"{name}.frame")
        regs.add(f"{tensor}.BLOCKED", 64, "counter", f"Cycles with tvalid and no tready on {tensor}", source=f"{name}.blocked")
    for unit in dataflow.units:
        if isinstance(unit, AxiIn | AxiOut | Fifo):
            regs.add(f"{unit.name}.PEAK", 32, "peak", f"Most words held in the FIFO {unit.name} of {unit.depth}", source=unit.name)
    return tuple(regs.registers)


def _streams(dataflow: Dataflow, kind: type[AxiIn] | type[AxiOut]) -> list[tuple[str, str]]:
    return [(u.tensor, u.name) for u in dataflow.units if isinstance(u, AxiIn | AxiOut) and isinstance(u, kind)]


def _words(digest: str) -> int:
    """A hash in hexadecimal as a register: its first eight digits in the lowest word."""
    return sum(int(digest[8 * k : 8 * k + 8], 16) << (32 * k) for k in range(8))
