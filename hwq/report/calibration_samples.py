"""The designs that the cost model is calibrated on: small networks with plans, each for the sake of some components and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hwq.network.graph import Node
from hwq.network.ops import (
    Add,
    ArgMax,
    Concat,
    Lookup,
    Mul,
    Op,
    Pad,
    Pool,
    Saturating,
    Split,
    TopK,
    Upsample,
    Window,
)
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.plan.plan import FifoPlan
from hwq.report.calibration_draft import Draft

__all__ = ["calibration_drafts"]

BIPOLAR, TERNARY = Bipolar(), Integer(2, True, True)
U2, U4, U8, S4, S8 = Integer(2, False), Integer(4, False), Integer(8, False), Integer(4, True), Integer(8, True)


def calibration_drafts() -> Iterator[Draft]:
    """Every design, in a fixed order."""
    yield from _dense()
    yield from _images()
    yield from _pools()
    yield from _joins()
    yield from _elementwise()
    yield from _selections()
    yield from _unrolled()
    yield from _whole()


def _dense() -> Iterator[Draft]:
    yield Draft("da", (1, 1, 64), BIPOLAR).conv(32, pe=4, simd=8).threshold(BIPOLAR, 9).conv(24, pe=5, simd=32).threshold(U2, 9)
    yield Draft("db", (1, 1, 96), U8, 128).conv(48, pe=16, simd=12).threshold(U2, 900).conv(40, TERNARY, pe=20, simd=24).threshold(U4, 40)
    yield Draft("dc", (1, 1, 60), S4, 32).conv(40, S4, pe=6, simd=10, depth=8).requantize(U4, 9).conv(10, S8, pe=1, simd=5)
    yield (
        Draft("dd", (1, 1, 72), U8, 256)
        .conv(36, S8, pe=9, simd=8, memory="block")
        .requantize(U8, 14, even=True)
        .conv(12, S4, pe=12, simd=6)
    )
    yield (
        Draft("de", (1, 1, 256), BIPOLAR, 32)
        .conv(128, pe=32, simd=64, memory="block")
        .threshold(BIPOLAR, 20, falling=True)
        .conv(17, pe=17, simd=128)
    )
    yield (
        Draft("df", (1, 1, 40), TERNARY, 16)
        .conv(30, TERNARY, accumulation=Saturating(8, 8), pe=10, simd=4, depth=2)
        .threshold(TERNARY, 4)
        .conv(9, TERNARY, accumulation=Saturating(7, 30), pe=3, simd=30)
    )
    yield Draft("dg", (1, 1, 512), BIPOLAR, 64).conv(75, pe=10, simd=4, depth=6).threshold(BIPOLAR, 20).conv(8, pe=2, simd=2, depth=1)
    yield (
        Draft("dh", (1, 1, 128), U4, 512)
        .conv(64, TERNARY, pe=64, simd=4, memory="logic", style="constant")
        .threshold(U2, 60)
        .conv(32, TERNARY, pe=2, simd=64)
    )


def _images() -> Iterator[Draft]:
    yield (
        Draft("ia", (12, 12, 3), U8)
        .conv(8, k=3, p=1, pe=4, simd=3)
        .threshold(U2, 400)
        .conv(16, k=3, p=1, s=2, pe=8, simd=4)
        .threshold(U2, 15)
    )
    yield (
        Draft("ib", (16, 20, 8), U2, 32)
        .conv(12, k=3, pe=3, simd=8, pixels=2, buffer_memory="lutram")
        .threshold(BIPOLAR, 15)
        .conv(8, k=3, p=1, pe=2, simd=6)
        .threshold(BIPOLAR, 9)
    )
    yield (
        Draft("ic", (10, 16, 16), BIPOLAR, 128)
        .conv(16, k=3, p=1, pe=4, simd=16)
        .threshold(U4, 30)
        .conv(16, S4, k=1, pe=8, simd=16, pixels=4)
        .requantize(U4, 8)
    )
    yield (
        Draft("id", (1, 128, 2), S8, 16)
        .conv(8, S4, k=(1, 9), s=1, pe=2, simd=2)
        .requantize(S4, 8, shared=5)
        .conv(12, TERNARY, k=(1, 5), pe=4, simd=8, buffer_memory="block")
        .threshold(U2, 30)
    )
    yield (
        Draft("ie", (14, 14, 16), U4, 64)
        .conv(16, S4, k=3, p=1, groups=16, pe=4)
        .threshold(U4, 90)
        .conv(32, S4, pe=8, simd=8)
        .threshold(U4, 90)
    )
    yield (
        Draft("if", (16, 16, 12), U2, 64)
        .conv(24, TERNARY, k=3, p=1, groups=4, pe=3, simd=3)
        .threshold(U2, 9)
        .conv(24, k=5, p=2, groups=24, pe=6, pixels=2)
        .threshold(U2, 9)
    )
    yield (
        Draft("ig", (8, 64, 4), U4, 64)
        .conv(6, k=3, p=1, pe=6, simd=4, pixels=4)
        .threshold(U2, 40)
        .conv(4, k=(1, 3), pe=4, simd=6, pixels=2, buffer_memory="block")
    )
    yield (
        Draft("ih", (32, 32, 3), U8, 32)
        .conv(64, k=3, pe=16, simd=3, memory="block")
        .threshold(BIPOLAR, 600)
        .conv(64, k=3, pe=16, simd=32, memory="block")
        .threshold(BIPOLAR, 40)
        .add(Pool("max", Window((2, 2), (2, 2))), pe=16)
    )


def _pools() -> Iterator[Draft]:
    def pool(mode: str, k: int, s: int, p: int = 0) -> Pool:
        return Pool(mode, Window((k, k), (s, s), (p,) * 4))

    yield Draft("pa", (16, 16, 8), U4).add(pool("max", 2, 2), pe=4).add(pool("max", 3, 1, 1), pe=2, pixels=2).add(pool("sum", 8, 8), pe=8)
    yield Draft("pb", (16, 16, 12), BIPOLAR, 32).add(pool("max", 2, 2), pe=12).add(pool("max", 3, 1, 1), pe=5).add(pool("sum", 2, 2), pe=3)
    yield (
        Draft("pc", (12, 12, 16), S8, 128)
        .add(pool("max", 3, 1, 1), pe=8)
        .add(pool("min", 2, 2), pe=16)
        .add(pool("sum", 3, 1, 1), pe=4)
        .requantize(S8, 8)
    )
    yield Draft("pd", (8, 8, 10), U2, 64).add(pool("sum", 4, 4), pe=10).threshold(U2, 9)


def _joins() -> Iterator[Draft]:
    def both(d: Draft, op: Op, bits: int, pe: int, pixels: int = 1, deep: int = 2, memory: str = "auto") -> Draft:
        first = d.tensor
        d.conv(d.channels, TERNARY, pe=pe, simd=4).threshold(d.encoding if not isinstance(d.encoding, Bipolar) else BIPOLAR, 20)
        d.fifos.append(FifoPlan(f"{first}.branch1.fifo", deep, memory))
        return d.add(op, d.tensor, first, pe=pe, pixels=pixels)

    one = np.array([[1], [1]])
    yield both(Draft("ja", (8, 8, 16), U4), Add(one), 4, 4).threshold(U4, 9)
    yield both(Draft("jb", (8, 8, 16), U2, 32), Add(np.array([[3], [5]])), 2, 8, 2, 300, "block").threshold(U2, 20)
    yield both(Draft("jc", (4, 4, 12), S8, 128), Add(np.arange(-12, 12).reshape(2, 12)), 8, 4, deep=32).requantize(S8, 8)
    yield both(Draft("jd", (4, 4, 16), S4, 64), Mul(), 4, 8, deep=1200, memory="block")
    yield both(Draft("je", (4, 8, 16), BIPOLAR, 64), Mul(), 1, 16, deep=80)
    yield both(Draft("jf", (8, 8, 12), BIPOLAR, 16), Add(one), 1, 6, deep=8).threshold(U2, 2)
    yield both(Draft("jg", (4, 4, 8), S8, 64), Mul(), 8, 8, deep=16).requantize(S8, 12)
    d = both(Draft("jh", (8, 8, 12), U4), Concat(), 4, 4, deep=16)
    d.channels = 24
    yield d.conv(8, S4, pe=4, simd=8).threshold(U4, 30).add(Upsample((2, 2)), pe=4).add(Pad((1, 1, 1, 1)), pe=8)
    d = both(Draft("ji", (8, 8, 8), U2, 16), Concat(), 2, 16, deep=500, memory="ultra")
    d.stages[d.nodes[-1].name] = {"pe": 16}
    d.channels = 16
    yield d.add(Upsample((1, 3)), pe=16).add(Pad((0, 2, 1, 0)), pe=4)
    d = Draft("jk", (8, 8, 24), U4, 64)
    d.nodes.append(Node("s", Split((8, 16)), ("x",), ("s.a", "s.b")))
    d.stages["s"] = {"pe": 4}
    d.nodes.append(Node("cat", Concat(), ("s.b", "s.a"), ("cat.y",)))
    d.stages["cat"] = {"pe": 24}
    d.tensor = "cat.y"
    yield d


def _elementwise() -> Iterator[Draft]:
    yield Draft("ea", (1, 8, 24), S8).threshold(U4, 90, pe=4).add(_table(U4, 24), pe=2).requantize(S8, 6, pe=6)
    yield Draft("eb", (4, 4, 20), U8, 128).requantize(U4, 10, pe=8, even=True).threshold(U2, 9, pe=3).requantize(S8, 9, shared=3, pe=5)
    yield Draft("ec", (1, 1, 64), U8, 512).threshold(BIPOLAR, 99, pe=64).add(_table(BIPOLAR, 1, S8), pe=16).requantize(U8, 12, pe=2)
    yield Draft("ed", (1, 1, 48), S8, 64).requantize(S4, 16, pe=12).add(_table(S4, 1, U8), pe=8).threshold(U4, 120, falling=True, pe=6)


def _table(x: Encoding, channels: int, out: Encoding = U4) -> Lookup:
    rng = np.random.default_rng(channels)
    entries = (x.hi - x.lo) // x.step + 1
    return Lookup(rng.integers(out.lo, out.hi + 1, (channels, entries)), x.lo, x.step, out)


def _selections() -> Iterator[Draft]:
    yield Draft("sa", (1, 1, 10), S8).add(ArgMax(), pe=2, name="top")
    yield Draft("sb", (1, 1, 100), Integer(12, True), 64).add(ArgMax(), pe=10, name="top")
    yield Draft("sc", (1, 4, 16), U4, 64).add(ArgMax(), pe=16, name="top")
    yield Draft("sd", (1, 1, 32), S8, 64).add(TopK(3), pe=4, name="top")
    yield Draft("se", (1, 1, 20), Integer(16, True), 128).add(ArgMax(), pe=1, name="top")
    yield Draft("sf", (1, 1, 60), U8, 64).add(TopK(5), pe=1, name="top")


def _unrolled() -> Iterator[Draft]:
    un: dict[str, Any] = {"style": "unrolled", "memory": "logic"}
    yield (
        Draft("ua", (1, 1, 48), BIPOLAR, 16)
        .conv(32, pe=32, simd=8, **un)
        .threshold(BIPOLAR, 9)
        .conv(24, pe=24, simd=32, **un)
        .threshold(BIPOLAR, 7)
    )
    yield (
        Draft("ub", (1, 1, 32), BIPOLAR, 64)
        .conv(40, TERNARY, pe=40, simd=16, **un)
        .threshold(TERNARY, 7)
        .conv(16, TERNARY, pe=16, simd=40, **un)
        .threshold(U2, 7)
    )
    yield Draft("uc", (1, 1, 16), U4, 64).conv(24, S4, pe=24, simd=16, **un).requantize(U2, 8).conv(10, TERNARY, pe=10, simd=8, **un)
    yield (
        Draft("ud", (8, 8, 4), U2, 16)
        .conv(8, k=3, p=1, pe=8, simd=2, **un)
        .threshold(U2, 20)
        .conv(6, TERNARY, k=3, pe=6, simd=8, **un)
        .threshold(BIPOLAR, 9)
    )
    yield (
        Draft("ue", (8, 8, 6), BIPOLAR, 16)
        .conv(8, k=3, p=1, pe=8, simd=6, **un)
        .threshold(BIPOLAR, 9)
        .conv(4, k=3, s=2, pe=4, simd=4, **un)
        .threshold(BIPOLAR, 9)
    )


def _whole() -> Iterator[Draft]:
    d = Draft("wa", (1, 1, 16), BIPOLAR, 16, whole=True)
    yield d.conv(8, pe=2, simd=4).threshold(BIPOLAR, 3).conv(4, pe=2, simd=4)
    d = Draft("wb", (4, 4, 4), U2, 32, whole=True)
    d.conv(4, pe=2, simd=2).threshold(U2, 3)
    first = d.tensor
    d.conv(4, k=3, p=1, pe=2, simd=2).threshold(U2, 3).add(Add(np.array([[1], [1]])), d.tensor, first, pe=2)
    yield d.add(Pool("sum", Window((4, 4), (4, 4))), pe=2)
