"""Cost model: fabric a component needs, from counts and sizes alone. All coefficients stand here, each with its reason.

A first model, from the fabric's structure (6-input LUTs, 64-deep LUT memories, 72-bit block RAM ports, Yosys' choice of
DSP slices) and not yet fitted to synthesis: :data:`ERROR_BAND` says how far it may be off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from hwq.network.graph import Network
from hwq.plan.dataflow import ArgMaxUnit, AxiIn, AxiOut, Converter, Dataflow, Elementwise, Fifo, Mvu, Unit, ceil_div, dataflow_of
from hwq.plan.device import Device
from hwq.plan.plan import Plan
from hwq.plan.resources import Resources
from hwq.plan.summary import StageSummary, summary_of

__all__ = ["ERROR_BAND", "Estimate", "axi_cost", "converter_cost", "estimate", "fifo_cost", "lanes_cost", "memory_cost", "stage_cost"]

ERROR_BAND = 0.5  # an estimate e stands for e * (1 - band) .. e * (1 + band)

XNOR_PRODUCT = 1.25  # LUT a binary product: XNOR folded into a 6:3 counter tree
XNOR_CONSTANT = 0.8  # the same with weights as wiring
SIGNED_BIT = 1.0  # LUT a bit of a signed term in an adder tree
TERNARY_PRODUCT = 2.8  # LUT a product of two ternary codes, with its share of two counter trees
MULTIPLIER_BIT = 1.1  # LUT a partial-product bit of a multiplier in LUTs
DSP_OUTPUT_BITS = 9  # products this wide and wider become DSP slices in synth_xilinx
ACCUMULATOR_BIT = 1.0  # LUT a bit: add, hold and restart in one LUT and its carry
SATURATION_BIT = 1.0  # LUT a bit of the clipping multiplexer behind it
COMPARE_BIT = 0.5  # a carry chain compares two bits a LUT
REQUANTIZE_BIT = 1.0  # adder and clip, LUT a bit each
REGISTERS = 1.5  # FF a LUT of a pipelined tree
STAGE_CONTROL = 45.0  # counters, reader, credits: LUT a stage
STAGE_CONTROL_FF = 70.0
FIFO_CONTROL = 12.0  # credits and pointers of an Egress, depth 2..64
FIFO_CONTROL_FF = 15.0
CONVERTER_BIT = 1.0  # LUT a bit of a pixel: shift or load
CONVERTER_BIT_FF = 2.0  # fill register and shift register
AXI_CONTROL = 30.0  # framing, packing
AXI_CONTROL_FF = 40.0
STATUS = Resources(lut=250.0, ff=450.0)  # AXI4-Lite registers and counters, once a design

LUTRAM_DEPTH = 64  # deeper FIFOs and buffers become block RAM


def lanes_cost(s: StageSummary, products: int, constant: bool) -> Resources:
    """Products and adder trees of ``products`` multiplications a cycle."""
    if constant:
        products = ceil(products * s.nonzero)
    a, w = s.x_bits, s.w_bits
    if s.x_bipolar and s.w_bipolar:
        return _logic((XNOR_CONSTANT if constant else XNOR_PRODUCT) * products)
    if s.w_bipolar or s.x_bipolar:
        return _logic(SIGNED_BIT * (max(a, w) + 1) * products)
    if constant:
        return _logic(SIGNED_BIT * (a + 1) * max(1.0, w / 2) * products)
    if a <= 2 and w <= 2:
        return _logic(TERNARY_PRODUCT * products)
    if w <= 2 or a <= 2:
        return _logic(SIGNED_BIT * (max(a, w) + 2) * products)
    if a + w >= DSP_OUTPUT_BITS:
        return Resources(lut=SIGNED_BIT * (a + w) * products, ff=(a + w) * products, dsp=float(products))
    return _logic((MULTIPLIER_BIT * a * w + SIGNED_BIT * (a + w)) * products)


def _logic(lut: float) -> Resources:
    return Resources(lut=lut, ff=REGISTERS * lut)


def memory_cost(width: int, depth: int, kind: str) -> Resources:
    """A read-only memory of ``depth`` words of ``width`` bits: ``logic``, ``lutram`` (LUTs as a table) or ``block``."""
    if kind == "logic" or depth <= 1:
        return Resources()
    if kind == "block":
        return Resources(bram36=block_count(width, depth))
    # A LUT6 is 64x1 of read-only memory, or 32x2.
    return Resources(lut=width * (0.5 if depth <= 32 else ceil_div(depth, 64)), ff=float(width))


def block_count(width: int, depth: int) -> float:
    """36 Kb block RAMs (halves counted) of a simple dual-port memory."""
    best = float("inf")
    for bits, words in ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768)):
        columns, rest = divmod(width, bits)
        # Half a block holds half the port width at the same depth.
        blocks = columns + (0 if rest == 0 else 0.5 if rest <= bits // 2 else 1)
        best = min(best, blocks * ceil_div(depth, words))
    return best


def fifo_cost(width: int, depth: int) -> Resources:
    """An Egress or an input buffer of ``depth`` words of ``width`` bits, with its credits and pointers."""
    control = Resources(lut=FIFO_CONTROL, ff=FIFO_CONTROL_FF)
    if depth <= 1:
        return Resources(lut=3.0, ff=float(width) + 4)
    if depth > LUTRAM_DEPTH:
        return control + Resources(bram36=block_count(width, depth))
    # RAM32M16: 8 LUTs hold 14 bits x 32; RAM64M8: 8 LUTs hold 7 bits x 64.
    luts = 8.0 * ceil_div(width, 14 if depth <= 32 else 7)
    return control + Resources(lut=luts, lutram=luts)


def stage_cost(s: StageSummary, pe: int, simd: int, memory: str, pixels: int = 1) -> Resources:
    """A stage without its buffer and Egress."""
    control = Resources(lut=STAGE_CONTROL, ff=STAGE_CONTROL_FF)
    if s.kind != "mvu":
        nf = ceil_div(s.mw, pe)
        if s.kind == "argmax":
            return control + _logic(2.0 * s.acc_bits * pe)
        return control + _staircase_cost(s, pe, nf)
    sf, nf = ceil_div(s.mw, simd), ceil_div(s.mh, pe)
    weights = memory_cost(pe * simd * s.w_bits, sf * nf, memory)
    lanes = lanes_cost(s, pe * simd, sf * nf == 1)
    adder = ACCUMULATOR_BIT * s.acc_bits * pe if sf > 1 else 0.0
    clip = SATURATION_BIT * s.acc_bits * pe if s.chunk else 0.0
    return control + weights + lanes + _logic(adder + clip) + _staircase_cost(s, pe, nf)


def _staircase_cost(s: StageSummary, pe: int, nf: int) -> Resources:
    if s.multiplier_bits:
        product = s.acc_bits + s.multiplier_bits
        constants = memory_cost(pe * (s.multiplier_bits + product), nf, "lutram")
        rest = _logic(REQUANTIZE_BIT * 2 * product * pe)
        if product >= DSP_OUTPUT_BITS:
            # A slice multiplies 27 x 18 bits.
            return constants + rest + Resources(dsp=float(pe * ceil_div(s.acc_bits, 26) * ceil_div(s.multiplier_bits, 18)))
        return constants + rest + _logic(MULTIPLIER_BIT * s.acc_bits * s.multiplier_bits * pe)
    compare = _logic((COMPARE_BIT * s.acc_bits + (1.0 if s.thresholds > 1 else 0.0)) * s.thresholds * pe)
    return compare + memory_cost(pe * s.thresholds * s.acc_bits, nf, "lutram")


def converter_cost(channels: int, bits: int) -> Resources:
    """A width converter without its Egress; its block is one pixel of ``channels`` elements."""
    return Resources(lut=10 + CONVERTER_BIT * channels * bits, ff=10 + CONVERTER_BIT_FF * channels * bits)


def axi_cost(bus_bits: int) -> Resources:
    """An AXI4-Stream ingress or egress."""
    return Resources(lut=AXI_CONTROL, ff=AXI_CONTROL_FF) + fifo_cost(bus_bits, 2)


@dataclass(frozen=True)
class Estimate:
    """Fabric of a planned network: in all, by component, and as a share of the device by resource."""

    total: Resources
    per_unit: Mapping[str, Resources]
    utilisation: Mapping[str, float]
    error_band: float = ERROR_BAND


def estimate(network: Network, plan: Plan, device: Device) -> Estimate:
    """Fabric that ``plan`` needs on ``device``, estimated from counts; see :data:`ERROR_BAND`."""
    dataflow = dataflow_of(network, plan)
    per_unit = {u.name: _unit_cost(u, dataflow, network) for u in dataflow.units}
    total = sum(per_unit.values(), STATUS)
    return Estimate(total, per_unit, total.fraction_of(device.capacity))


def _unit_cost(unit: Unit, dataflow: Dataflow, network: Network) -> Resources:
    out = dataflow.edges[unit.outputs[0]] if unit.outputs else None
    if isinstance(unit, AxiIn | AxiOut):
        return axi_cost(unit.bus_bits)
    assert out is not None
    if isinstance(unit, Mvu):
        buffer = fifo_cost(dataflow.edges[unit.inputs[0]].word_bits, unit.buffer)
        core = stage_cost(summary_of(network, unit.stage), unit.plan.pe, unit.plan.simd, unit.plan.memory, unit.plan.pixels)
        return core + buffer + fifo_cost(out.word_bits, unit.depth)
    if isinstance(unit, Elementwise | ArgMaxUnit):
        return stage_cost(summary_of(network, unit.stage), unit.plan.pe, 1, "logic") + fifo_cost(out.word_bits, unit.depth)
    if isinstance(unit, Converter):
        return converter_cost(unit.elements, out.bits) + fifo_cost(out.word_bits, unit.depth)
    return fifo_cost(out.word_bits, unit.depth) if isinstance(unit, Fifo) else Resources(lut=2.0 * len(unit.outputs), ff=len(unit.outputs))
