"""Convolutions on small images for the gateware tests, and the words in which images travel."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import ResetInserter, Signal

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Accumulation, Conv, Exact, Op, Window
from hwq.numerics.encoding import parse_encoding
from tests.gateware.cases import values
from tests.gateware.laws import window_law
from tests.gateware.stream import Sink, Source, pack, pipe, simulate, trace


def convolution(
    rng: np.random.Generator,
    outputs: int,
    inputs: int,
    window: Window,
    weights: str,
    *,
    groups: int = 1,
    accumulation: Accumulation | None = None,
) -> Conv:
    """Random weights of ``outputs`` channels of ``inputs / groups``."""
    encoding = parse_encoding(weights)
    codes = values(rng, encoding, (outputs, *window.kernel, inputs // groups))
    return Conv(codes, encoding, window.stride, window.padding, window.dilation, groups, accumulation or Exact())


def image_chain(source: str, shape: tuple[int, int, int], *ops: Op) -> Network:
    """``ops`` one behind the other on an image."""
    nodes = [Node(f"{op.kind}{k}", op, ("x" if k == 0 else f"t{k - 1}",), (f"t{k}",)) for k, op in enumerate(ops)]
    return Network("n", (NetworkInput("x", shape, parse_encoding(source)),), tuple(nodes), (f"t{len(ops) - 1}",))


def image_words(codes: np.ndarray, bits: int, elements: int, pixels: int = 1) -> list[int]:
    """Words of images (frames, height, width, channels) of codes: V pixels x E channels, lanes beyond the channels zero."""
    channels, width = codes.shape[3], codes.shape[2]
    padded = np.pad(codes, ((0, 0), (0, 0), (0, -width % pixels), (0, -channels % elements)))
    return [
        pack(row[x : x + pixels, c : c + elements].ravel(), bits)
        for frame in padded
        for row in frame
        for x in range(0, padded.shape[2], pixels)
        for c in range(0, padded.shape[3], elements)
    ]


def check_stage(network: Network, dut, frames: int, idle: float, stall: float) -> list[int]:
    """Bits and every cycle of the one windowed stage ``dut`` of a network; returns the cycles of the output words."""
    rng = np.random.default_rng(frames)
    source, sink = trace(rng, idle), trace(rng, stall)
    unit, g = dut.unit, dut.unit.geometry
    x_encoding, out = network.tensors["x"].encoding, network.tensors[network.outputs[0]].encoding
    x = values(rng, x_encoding, (frames, *network.inputs[0].shape))
    golden = network.run({"x": x})[network.outputs[0]]
    expected = image_words(out.encode(golden), out.bits, unit.plan.pe, g.pixels)
    elements = dut.i.payload.shape().elem_shape.length
    put, got = pipe(dut, image_words(x_encoding.encode(x), x_encoding.bits, elements, g.pixels), len(expected), source=source, sink=sink)
    assert got.words == expected
    law_in, law_out = window_law(
        (g.height, g.width, g.words), g.window, frames, unit.buffer, unit.depth, unit.latency, source, sink,
        pixels=g.pixels, blocks=g.blocks, passes=g.passes,
    )  # fmt: skip
    assert (put.cycles, got.cycles) == (law_in[: len(put.cycles)], law_out)
    return got.cycles


def check_after_reset(network: Network, dut, cycles: int) -> None:
    """Bits after a reset that comes ``cycles`` cycles into a frame of garbage."""
    rng = np.random.default_rng(cycles)
    reset = Signal()
    inserted = ResetInserter(reset)(dut)
    x_encoding, out = network.tensors["x"].encoding, network.tensors[network.outputs[0]].encoding
    x = values(rng, x_encoding, (2, *network.inputs[0].shape))
    expected = image_words(out.encode(network.run({"x": x})[network.outputs[0]]), out.bits, dut.unit.plan.pe)
    words = image_words(x_encoding.encode(x), x_encoding.bits, dut.i.payload.shape().elem_shape.length)
    put, got = Source(dut.i, words, None), Sink(dut.o, trace(rng, 0.7))

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 0)
        for _ in range(cycles):
            ctx.set(dut.i.payload.as_value(), int(rng.integers(2)))
            await ctx.tick()
        ctx.set(reset, 1)
        ctx.set(dut.i.valid, 0)
        await ctx.tick()
        ctx.set(reset, 0)
        for t in range(3000):
            for end in (put, got):
                end.drive(ctx, t)
            for end in (put, got):
                end.observe(ctx, t)
            await ctx.tick()

    simulate(inserted, bench)
    assert got.record.words == expected
