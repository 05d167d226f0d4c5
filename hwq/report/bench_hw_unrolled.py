"""Unrolled layers and networks of the circuit benchmark: constant matrices, weights as wiring, a vector a cycle."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.netlist import Netlist
from hwq.fabric.unroll.layer import unrolled_layer
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput
from hwq.network.file import load_model
from hwq.network.ops import Conv, Threshold
from hwq.numerics.encoding import Bipolar, Integer
from hwq.report import bench_hw_behavioural as behavioural
from hwq.report.bench_hw_alkaid import alkaid, available
from hwq.report.bench_hw_flow import Circuit, Port, Values, Work
from hwq.report.bench_hw_own import own, structural
from hwq.report.bench_main import TARGET, run_command

__all__ = ["unrolled_works"]

Ints = NDArray[np.int64]
BIT = Integer(1, False)
MODEL = Path("../shared/models/TFC_1W1A.onnx")
ALKAID_STAGES = (4, 7)
SAMPLE = 16  # rows that stand for all in a plain description that would take Yosys too long
ANCHORS = "own estimate of that tool, not synthesised; measured in November 2026"


@dataclass(frozen=True)
class Layer:
    """A constant matrix (rows, columns) times bipolar inputs; each row compared with its threshold, or given as it is (None)."""

    weights: Ints
    thresholds: Ints | None

    def outputs(self) -> list[RowOutput]:
        """What each row gives."""
        if self.thresholds is not None:
            return [Comparison(int(t)) for t in self.thresholds]
        n = self.weights.shape[1]
        return [Integers(Integer((2 * n).bit_length(), True)) for _ in self.weights]

    def run(self, x: Ints) -> Ints:
        """Bits of the comparisons, or the sums."""
        sums = x @ self.weights.T
        return sums if self.thresholds is None else (sums >= self.thresholds).astype(np.int64)


def unrolled_works() -> tuple[Work, ...]:
    """The works with constant weights."""
    binary, ternary = _matrix(64, 64, 6, (-1, 1)), _matrix(64, 64, 6, (-1, 0, 1))
    large, conv = _matrix(256, 256, 12, (-1, 1)), _matrix(64, 576, 20, (-1, 1))
    return (
        _layer_work("unrolled_binary_64x64", "binary 64 x 64, compared", binary, 1450),
        _layer_work("unrolled_binary_64x64_combinational", "the same without registers", binary, 1754, registered=False),
        _layer_work("unrolled_ternary_64x64", "ternary 64 x 64, compared", ternary, 1900),
        _layer_work(
            "unrolled_binary_256x256",
            "binary 256 x 256, compared",
            large,
            20_000,
            quoted=(("alkaid", 46_216, f"anchors: {ANCHORS}, 136 s"),),
        ),
        _layer_work("conv_3x3x64x64_unrolled", "binary 3 x 3 x 64 to 64, a window a cycle", conv, 13_500),
        _layer_work("unrolled_binary_16x16", "binary 16 x 16, compared", _matrix(16, 16, 2, (-1, 1)), None),
        *_networks(),
    )


def _matrix(rows: int, columns: int, spread: int, values: tuple[int, ...]) -> Layer:
    rng = np.random.default_rng(1)
    weights = rng.choice(np.array(values), (rows, columns))
    return Layer(weights, rng.integers(-spread, spread + 1, rows))


def _layer_work(
    name: str, title: str, layer: Layer, target: float | None, *, registered: bool = True, quoted: tuple[tuple[str, float, str], ...] = ()
) -> Work:
    rows, columns = layer.weights.shape
    makers: dict[str, Callable[[], Circuit]] = {
        "hwq": partial(_own, [layer], registered),
        "behavioural": partial(_plain, layer),
    }
    if available() and layer.weights.size <= 4096:
        stages = ALKAID_STAGES if registered else (0,)
        makers |= {f"alkaid:{_stages(n)}": partial(_alkaid, layer, n) for n in stages}
    return Work(
        name,
        title,
        "registered" if registered else "combinational",
        {"x": Port(Bipolar(), columns)},
        {"y": Port(BIT, rows)},
        lambda values: {"y": layer.run(values["x"])},
        makers,
        products=rows * columns,
        target=target,
        quoted=quoted,
    )


def _stages(n: int) -> str:
    return f"{n} stages" if n else "combinational"


def _alkaid(layer: Layer, stages: int) -> Circuit:
    """Bits b for ±1 = 2 b - 1: ``sum(w * x) >= t`` where ``sum(w * b) >= (t + sum(w)) / 2``."""
    assert layer.thresholds is not None
    return alkaid(layer.weights, -(-(layer.thresholds + layer.weights.sum(axis=1)) // 2), stages)


def _plain(layer: Layer) -> Circuit:
    """The plain description, of a sample of the rows where there are many products."""
    assert layer.thresholds is not None
    rows = len(layer.weights)
    if rows <= SAMPLE:
        return behavioural.comparisons(layer.weights, layer.thresholds)
    sample = behavioural.comparisons(layer.weights[:SAMPLE], layer.thresholds[:SAMPLE])
    return replace(sample, outputs={"y": Port(BIT, SAMPLE)}, coded=lambda y, inputs: y[..., :SAMPLE], scale=rows // SAMPLE)


# -- ours: layer behind layer


def _own(layers: Sequence[Layer], registered: bool) -> Circuit:
    if len(layers) == 1:
        return own(lambda: _netlist(layers[0], registered))
    started = time.perf_counter()
    parts = [own(partial(_netlist, layer, registered)) for layer in layers]
    files = {f"layer{k}.v": structural(_netlist_of(part), f"layer{k}") for k, part in enumerate(parts)}
    return replace(
        parts[-1],
        files={**files, "network.v": _chained([_netlist_of(part) for part in parts])},
        core="network",
        reset=False,
        latency=sum(part.latency for part in parts),
        seconds=time.perf_counter() - started,
        netlist=None,
        notes={"layers": len(layers)},
    )


def _netlist(layer: Layer, registered: bool) -> tuple[Netlist, int]:
    made = unrolled_layer(layer.weights, Bipolar(), layer.outputs(), registered=registered)
    return made.netlist, made.latency


def _netlist_of(circuit: Circuit) -> Netlist:
    assert circuit.netlist is not None
    return circuit.netlist


def _chained(netlists: Sequence[Netlist]) -> str:
    """Modules layer0, layer1, ... one behind the other."""
    widths = [len(netlists[0].inputs["x"]), *(len(n.outputs["y"]) for n in netlists)]
    lines = [f"module network(input clk, input [{widths[0] - 1}:0] x, output [{widths[-1] - 1}:0] y);"]
    for k, width in enumerate(widths[1:]):
        lines.append(f"  wire [{width - 1}:0] y{k};")
        lines.append(f"  layer{k} l{k} (.clk(clk), .rst(1'b0), .x({f'y{k - 1}' if k else 'x'}), .y(y{k}));")
    return "\n".join([*lines, f"  assign y = y{len(netlists) - 1};", "endmodule", ""])


# -- networks


def _networks() -> tuple[Work, ...]:
    if not MODEL.is_file():
        return ()
    title = "TFC_1W1A, all four layers, 784-64-64-64-10, a frame a cycle"
    sums = Integer((2 * 64).bit_length(), True)

    def expected(values: Values) -> Values:
        x = values["x"]
        for layer in tfc_layers():
            y = layer.run(x)
            x = 2 * y - 1
        return {"y": y}

    quoted = (("da4ml", 51_772, f"anchors: {ANCHORS}; depth 50, 135 s"),)
    makers = {"hwq": lambda: _own(tfc_layers(), True)}
    return (
        Work(
            "tfc_1w1a_unrolled",
            title,
            "registered",
            {"x": Port(Bipolar(), 784)},
            {"y": Port(sums, 10)},
            expected,
            makers,
            59_008,
            23_000,
            quoted,
        ),
    )


@lru_cache(maxsize=1)
def tfc_layers() -> tuple[Layer, ...]:
    """Matrices and thresholds of the trained network."""
    with tempfile.TemporaryDirectory(prefix="hwq-bench-") as name:
        run_command("compile", str(MODEL), "--target", TARGET, "-o", name)
        network = load_model(Path(name) / "network.hwq").network
    contractions = [node for node in network.nodes if isinstance(node.op, Conv)]
    thresholds = [node for node in network.nodes if isinstance(node.op, Threshold)]
    levels = [node.op.thresholds[:, 0] for node in thresholds if isinstance(node.op, Threshold)]
    weights = [node.op.weights[:, 0, 0, :].astype(np.int64) for node in contractions if isinstance(node.op, Conv)]
    return tuple(Layer(w, t) for w, t in zip(weights, [*levels, None], strict=True))
