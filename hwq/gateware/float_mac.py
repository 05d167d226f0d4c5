"""The full-precision baseline: a float32 multiply-accumulate as a part of a design."""

from __future__ import annotations

from hwq.fabric.floating.format import BINARY32, FloatFormat
from hwq.fabric.floating.mac import FloatMac
from hwq.gateware.fabric_part import NetlistPart

__all__ = ["FloatMacUnit"]


class FloatMacUnit(NetlistPart):
    """``y = round(round(a * b) + c)`` of floating-point numbers, bit for bit numpy's: see :class:`hwq.fabric.floating.mac.FloatMac`.

    What a network costs without quantization. ``python -m hwq.report.bench_hw float32_mac`` measures it;
    :func:`hwq.target.part_text.part_text` writes it as one Verilog file, in the forms that a design has too.

    Timing: free-running, initiation interval 1, latency :attr:`latency`. No reset, no enable.

    Members
    -------
    a, b, c : In(unsigned(form.bits))
        Bit patterns of the operands.
    y : Out(unsigned(form.bits))
        Bit pattern of the result; every NaN is the positive quiet one.
    """

    def __init__(self, form: FloatFormat = BINARY32, levels: int = 3) -> None:
        mac = FloatMac(form, levels)
        super().__init__(mac.netlist())
        self.latency = mac.latency
