"""Time of the token simulator and of FIFO sizing on ResNet-18 and ResNet-50 like dataflows: ``python -m tests.plan.bench_sizing``."""

from __future__ import annotations

from itertools import product
from time import process_time

from hwq.network.ops import Window
from hwq.plan.dataflow import Dataflow
from hwq.plan.law import bottleneck
from hwq.plan.prediction import predict_tokens
from hwq.plan.sizing import least_depths, start_depths
from hwq.plan.token_network import TokenNetwork, buffer_name
from hwq.plan.units import Edge
from tests.plan.dataflows import Builder

CYCLES = 614_656  # a frame: the first convolution at 224 x 224


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def _conv(b: Builder, e: Edge, out: int, kernel: int = 1, stride: int = 1) -> Edge:
    """Folded to use as many of the cycles as it can."""
    pad = kernel // 2
    window = Window((kernel, kernel), (stride, stride), (pad, pad, pad, pad))
    height, width = window.size(e.height, e.width)
    folds = product(_divisors(out), _divisors(e.channels))
    fitting = [(n * w, n, w) for n, w in folds if n * w * kernel**2 * height * width <= CYCLES]
    _, passes, words = max(fitting, key=lambda f: (f[0], -abs(f[1] - f[2] * kernel**2)))
    if e.elements != e.channels // words:
        e = b.convert(e, e.channels // words, 2)
    return b.mvu(e, out, out // passes, 0, 2, 8, window)


def resnet(blocks: tuple[int, ...], *, is_wide: bool) -> Dataflow:
    """The topology at 224 x 224; ``is_wide``: blocks of 1x1, 3x3, 1x1."""
    b = Builder()
    e = _conv(b, b.source(3, 3, height=224, width=224), 64, 7, 2)
    e = b.depthwise(e, Window((3, 3), (2, 2), (1, 1, 1, 1)), 0, 2, 3)
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for k in range(count):
            stride, out = 2 if stage and not k else 1, 4 * width if is_wide else width
            x, y = b.fork(e, 2)
            if is_wide:
                x = _conv(b, _conv(b, _conv(b, x, width), width, 3, stride), out)
            else:
                x = _conv(b, _conv(b, x, width, 3, stride), out, 3)
            if stride > 1 or e.channels != out:
                y = _conv(b, y, out, 1, stride)
            e = b.join([x, b.fifo(y if y.elements == x.elements else b.convert(y, x.elements, 2), 2)], 2, 2)
    e = b.depthwise(e, Window((e.height, e.width)), 0, 2, 3)
    b.sink(_conv(b, e, 1000))
    return b.dataflow()


def measure(name: str, dataflow: Dataflow) -> None:
    _, law = bottleneck(dataflow)
    machine = TokenNetwork(dataflow).with_depths(start_depths(dataflow)).start(2, pace=law)
    machine.advance()
    steps, start = machine.steps, process_time()
    machine.advance()
    frame = process_time() - start
    names = [u.name for u in dataflow.units if hasattr(u, "depth")]
    names += [buffer_name(u.name) for u in dataflow.units if hasattr(u, "buffer")]
    start = process_time()
    depths = least_depths(dataflow, {}, names)
    sizing = process_time() - start
    prediction = predict_tokens(TokenNetwork(dataflow).with_depths(depths))
    print(f"{name}: {machine.steps - steps} steps and {frame:.3f} s a frame, fifo_sizing_s {sizing:.1f}")
    print(f"  interval {prediction.interval}, law {law}, {prediction.proof.words} words of storage")


if __name__ == "__main__":
    measure("ResNet-18", resnet((2, 2, 2, 2), is_wide=False))
    measure("ResNet-50", resnet((3, 4, 6, 3), is_wide=True))
