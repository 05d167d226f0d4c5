"""Cost model of the stages: fabric of a stage without its Egress, from counts alone. All coefficients stand here, with their reasons."""

from __future__ import annotations

from math import ceil

from hwq.plan.banks import BankLayout
from hwq.plan.geometry import ceil_div
from hwq.plan.memories import Memory, ram, rom
from hwq.plan.resources import Resources
from hwq.plan.summary import WINDOWED, StageSummary
from hwq.plan.units import memory_kind

__all__ = ["buffer_of", "constants_kind", "lanes_cost", "roms_of", "stage_cost", "unrolled_cost"]

XNOR_PRODUCT = 1.25  # LUT a binary product: XNOR folded into a 6:3 counter tree
XNOR_CONSTANT = 0.8  # the same with weights as wiring
UNROLLED_BINARY = 0.2  # LUT a product of an unrolled matrix of bits and bipolar weights, its threshold included: 0.15 to 0.25
UNROLLED_PRODUCT = 0.4  # the same for every bit of the input and every digit of other weights
UNROLLED_REGISTERS = 2.5  # FF a LUT of it
SIGNED_BIT = 1.0  # LUT a bit of a signed term in an adder tree
TERNARY_PRODUCT = 2.8  # LUT a product of two ternary codes, with its share of two counter trees
MULTIPLIER_BIT = 1.1  # LUT a partial-product bit of a multiplier in LUTs
DSP_OUTPUT_BITS = 9  # products this wide and wider become DSP slices in synth_xilinx
ACCUMULATOR_BIT = 1.0  # LUT a bit: add, hold and restart in one LUT and its carry
SATURATION_BIT = 1.0  # LUT a bit of the clipping multiplexer behind it
COMPARE_BIT = 0.5  # a carry chain compares two bits a LUT
REQUANTIZE_BIT = 1.0  # adder and clip, LUT a bit each
MUX_BIT = 0.5  # a LUT6_2 chooses between two pairs of bits
REGISTERS = 1.5  # FF a LUT of a pipelined tree
STAGE_CONTROL = 45.0  # counters, reader, credits: LUT a stage
STAGE_CONTROL_FF = 70.0
WINDOW_CONTROL = 60.0  # places in image and window, offsets, padding flags: on top where there is a window
WINDOW_CONTROL_FF = 90.0


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
    return _product(a, w, products)


def _product(a: int, w: int, products: int) -> Resources:
    """Multipliers of ``a`` by ``w`` bits, each with an adder."""
    if a + w >= DSP_OUTPUT_BITS:
        return Resources(lut=SIGNED_BIT * (a + w) * products, ff=(a + w) * products, dsp=float(products))
    return _logic((MULTIPLIER_BIT * a * w + SIGNED_BIT * (a + w)) * products)


def _logic(lut: float) -> Resources:
    return Resources(lut=lut, ff=REGISTERS * lut)


def constants_kind(memory: str, constants: str) -> str:
    """Memory of thresholds and multipliers: what the plan says, else that of the weights."""
    return memory if constants == "auto" else constants


def roms_of(s: StageSummary, pe: int, simd: int, memory: str, constants: str = "auto", style: str = "folded") -> tuple[Memory, ...]:
    """Weight memory and memory of constants of a stage; all V pixels share them. An unrolled one has none."""
    if style == "unrolled":
        return ()
    words = s.groups * ceil_div(s.rows, pe) if s.kind == "mvu" else ceil_div(s.rows, pe)
    found = []
    if s.kind == "mvu":
        found.append(rom(pe * simd * s.w_bits, words * s.taps * ceil_div(s.columns, simd), memory, s.weight_bits))
    elif s.kind == "depthwise":
        found.append(rom(pe * s.w_bits, words * s.taps, memory, s.weight_bits))
    width = _constant_bits(s)
    if width:
        found.append(rom(pe * width, words, constants_kind(memory, constants), s.mh * width))
    return tuple(found)


def _constant_bits(s: StageSummary) -> int:
    """Bits of the constants of a channel: multiplier and offset, or thresholds."""
    if s.multiplier_bits:
        return 2 * s.multiplier_bits + s.acc_bits
    return s.thresholds * s.acc_bits


def buffer_of(s: StageSummary, pe: int, simd: int, pixels: int, depth: int, kind: str = "auto", style: str = "folded") -> Memory | None:
    """The memory of an input buffer of ``depth`` words; that of a Reader lies in banks, one or more a pixel of its words."""
    width = s.lanes_in(pe, simd) * s.x_bits
    if style == "unrolled":
        g = s.slide(simd)
        return None if g.is_gathered else ram(width, g.row, kind, g.banks(depth), bits=depth * width)
    if s.kind == "upsample":
        return ram(width, depth, kind)
    if s.kind not in WINDOWED:
        return None
    layout = BankLayout(s.geometry(pe, simd, pixels), depth, memory_kind(kind, depth))
    return ram(width, layout.depth, layout.memory, pixels * layout.split, bits=depth * pixels * width)


def stage_cost(
    s: StageSummary, pe: int, simd: int, memory: str, pixels: int = 1, constants: str = "auto", style: str = "folded"
) -> Resources:
    """A stage without its buffer and Egress."""
    if s.kind == "flatten":
        return Resources()
    if style == "unrolled":
        return unrolled_cost(s, simd)
    total = Resources(lut=STAGE_CONTROL, ff=STAGE_CONTROL_FF)
    if s.kind in WINDOWED and (s.taps > 1 or s.shape[:2] != (1, 1)):
        total += Resources(lut=WINDOW_CONTROL, ff=WINDOW_CONTROL_FF)
    for memory_ in roms_of(s, pe, simd, memory, constants):
        total += memory_.cost
    return total + _datapath(s, pe, simd, pixels)


def unrolled_cost(s: StageSummary, simd: int) -> Resources:
    """An unrolled stage without its buffer and Egress: the circuit, the registers of its window, control."""
    g = s.slide(simd)
    products = s.mw * s.mh * s.nonzero
    # A weight of several bits has a non-zero digit in three (canonical signed digits).
    digits = 1.0 if s.w_bits <= 2 else (s.w_bits + 1) / 3
    each = UNROLLED_BINARY if s.x_bipolar and s.w_bipolar else UNROLLED_PRODUCT * s.x_bits * digits
    circuit = each * products
    more = COMPARE_BIT * s.acc_bits * max(0, s.thresholds - 1) * s.mh
    total = Resources(lut=circuit + more, ff=UNROLLED_REGISTERS * circuit + more)
    if s.multiplier_bits:
        total += _staircase(s, s.mh)
    if g.is_gathered:
        return total + Resources(lut=STAGE_CONTROL, ff=STAGE_CONTROL_FF + g.words * s.lanes_in(s.mh, simd) * s.x_bits)
    window = s.taps * s.shape[2] * s.x_bits
    rows = g.window.kernel[0] * s.lanes_in(s.mh, simd) * s.x_bits
    choice = MUX_BIT * rows * (g.banks(g.least_buffer) - 1).bit_length()
    return total + Resources(lut=STAGE_CONTROL + WINDOW_CONTROL + choice, ff=STAGE_CONTROL_FF + WINDOW_CONTROL_FF + 2 * window + rows)


def _datapath(s: StageSummary, pe: int, simd: int, pixels: int) -> Resources:
    lanes = pe * pixels
    match s.kind:
        case "mvu":
            folds = s.groups * ceil_div(s.rows, pe) * s.taps * ceil_div(s.columns, simd)
            several = s.taps * ceil_div(s.columns, simd) > 1
            return lanes_cost(s, lanes * simd, folds == 1) + _sums(s, lanes, several) + _rotation(s, simd, pixels) + _staircase(s, lanes)
        case "depthwise":
            return (
                lanes_cost(s, lanes, False)
                + _sums(s, lanes, s.taps > 1)
                + _rotation(s, ceil_div(pe, s.multiplier), pixels)
                + _staircase(s, lanes)
            )
        case "pool":
            width = s.acc_bits if s.mode == "sum" else s.x_bits
            # Compare and keep; or add.
            keep = (COMPARE_BIT + MUX_BIT) if s.mode != "sum" else ACCUMULATOR_BIT
            return _logic(keep * width * lanes) + _rotation(s, pe, pixels) + _staircase(s, lanes)
        case "add":
            return _logic(SIGNED_BIT * (s.acc_bits + s.x_bits) * (len(s.sizes) - 1) * lanes) + _staircase(s, lanes)
        case "mul":
            return _product(s.x_bits, s.x_bits, lanes) + _staircase(s, lanes)
        case "concat" | "split" | "upsample" | "pad":
            return _logic(MUX_BIT * len(s.sizes) * s.out_bits * lanes)
        case "argmax" | "topk":
            return _logic(2.0 * s.acc_bits * pe * s.picks)
    return _table(s, lanes) if s.table else _staircase(s, lanes)


def _sums(s: StageSummary, lanes: int, several: bool) -> Resources:
    adder = ACCUMULATOR_BIT * s.acc_bits * lanes if several else 0.0
    clip = SATURATION_BIT * s.acc_bits * lanes if s.chunk else 0.0
    return _logic(adder + clip)


def _rotation(s: StageSummary, channels: int, pixels: int) -> Resources:
    """Brings the words of V banks into the order of the windows."""
    banks = pixels * s.window.stride[1]
    return _logic(MUX_BIT * channels * s.x_bits * pixels * (banks - 1).bit_length()) if pixels > 1 and s.taps > 1 else Resources()


def _table(s: StageSummary, lanes: int) -> Resources:
    if s.kind == "elementwise" and s.out_bits > s.x_bits + 4:
        return _logic(REQUANTIZE_BIT * 2 * s.acc_bits * lanes)
    return _logic(s.out_bits * ceil_div(s.table, 64) * lanes)


def _staircase(s: StageSummary, lanes: int) -> Resources:
    if s.multiplier_bits:
        product = s.acc_bits + s.multiplier_bits
        rest = _logic(REQUANTIZE_BIT * 2 * product * lanes)
        if product >= DSP_OUTPUT_BITS:
            # A slice multiplies 27 x 18 bits.
            return rest + Resources(dsp=float(lanes * ceil_div(s.acc_bits, 26) * ceil_div(s.multiplier_bits, 18)))
        return rest + _logic(MULTIPLIER_BIT * s.acc_bits * s.multiplier_bits * lanes)
    return _logic((COMPARE_BIT * s.acc_bits + (1.0 if s.thresholds > 1 else 0.0)) * s.thresholds * lanes)
