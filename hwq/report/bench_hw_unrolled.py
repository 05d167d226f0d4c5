"""Unrolled layers and networks of the circuit benchmark: constant matrices, weights as wiring, a vector a cycle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.fabric.heap import Goal
from hwq.fabric.netlist import Netlist
from hwq.fabric.unroll.layer import unrolled_layer
from hwq.fabric.unroll.network import Layer as Unrolled
from hwq.fabric.unroll.network import unrolled_network
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput
from hwq.network.file import load_model
from hwq.network.ops import Conv, Threshold
from hwq.numerics.encoding import Bipolar, Integer
from hwq.report import bench_hw_behavioural as behavioural
from hwq.report.bench_hw_alkaid import alkaid, available, estimate
from hwq.report.bench_hw_flow import Circuit, Port, Row, Values, Work
from hwq.report.bench_hw_own import own
from hwq.report.bench_main import TARGET, run_command

__all__ = ["unrolled_left_out", "unrolled_works"]

Ints = NDArray[np.int64]
BIT = Integer(1, False)
TFC = "tfc_1w1a_unrolled"
MODEL = Path("../shared/models/TFC_1W1A.onnx")
ALKAID_STAGES = (4, 7)
SAMPLE = 1152  # products, at most, of the rows that stand for all in a plain description that would take Yosys too long
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

    def bits(self) -> tuple[Ints, Ints | None]:
        """The same of bits b, ±1 = 2 b - 1: ``sum(w * x) >= t`` where ``sum(w * b) >= (t + sum(w)) / 2``."""
        return self.weights, None if self.thresholds is None else -(-(self.thresholds + self.weights.sum(axis=1)) // 2)

    def run(self, x: Ints) -> Ints:
        """Bits of the comparisons, or the sums."""
        sums = x @ self.weights.T
        return sums if self.thresholds is None else (sums >= self.thresholds).astype(np.int64)


def unrolled_works() -> tuple[Work, ...]:
    """The works with constant weights."""
    binary, ternary = _matrix(64, 64, 6, (-1, 1)), _matrix(64, 64, 6, (-1, 0, 1))
    large, conv = _matrix(256, 256, 12, (-1, 1)), _matrix(64, 576, 20, (-1, 1))
    inputs_too = "FF include the 64 of the input registers"
    return (
        _layer_work("unrolled_binary_64x64", "binary 64 x 64, compared", binary, 1450, limits={"ff": 2400}, note=inputs_too),
        _layer_work("unrolled_binary_64x64_combinational", "the same without registers", binary, 1754, registered=False),
        _layer_work("unrolled_ternary_64x64", "ternary 64 x 64, compared", ternary, 1900, note=inputs_too),
        _layer_work(
            "unrolled_binary_256x256",
            "binary 256 x 256, compared",
            large,
            20_000,
            limits={"seconds": 60},
            quoted=(("alkaid", 46_216, f"anchors: {ANCHORS}, 136 s"),),
        ),
        _few_clbs("unrolled_binary_64x64", binary),
        _few_clbs("unrolled_binary_256x256", large),
        _network_work(),
        _layer_work(
            "conv_3x3x64x64_unrolled", "binary 3 x 3 x 64 to 64, a window a cycle", conv, 13_500, note="window and line buffers apart"
        ),
        _layer_work("unrolled_binary_16x16", "binary 16 x 16, compared", _matrix(16, 16, 2, (-1, 1)), None),
    )


def unrolled_left_out() -> dict[str, str]:
    """The trained network, where its file is not here."""
    return {} if MODEL.is_file() else {TFC: f"its trained weights, {MODEL}, are not here"}


def _matrix(rows: int, columns: int, spread: int, values: tuple[int, ...]) -> Layer:
    rng = np.random.default_rng(1)
    weights = rng.choice(np.array(values), (rows, columns))
    return Layer(weights, rng.integers(-spread, spread + 1, rows))


def _few_clbs(name: str, layer: Layer) -> Work:
    """The same layer with as few carry chains as its CLBs have LUTs for."""
    rows, columns = layer.weights.shape
    work = _layer_work(f"{name}_few_clbs", f"binary {rows} x {columns}, compared, fewest CLBs", layer, None)
    return replace(work, contenders={"hwq": lambda: own(lambda: _netlist(layer, True, "slices"))})


def _layer_work(
    name: str,
    title: str,
    layer: Layer,
    target: float | None,
    *,
    registered: bool = True,
    limits: Mapping[str, float] | None = None,
    quoted: tuple[tuple[str, float, str], ...] = (),
    note: str = "",
) -> Work:
    rows, columns = layer.weights.shape
    share = 1 << (-(-layer.weights.size // SAMPLE) - 1).bit_length()
    makers: dict[str, Callable[[], Circuit | Row]] = {
        "hwq": lambda: own(lambda: _netlist(layer, registered)),
        "behavioural": lambda: _plain([layer], share),
    }
    if available() and layer.weights.size <= 4096:
        # Without registers Yosys does not finish it in minutes.
        makers |= {f"alkaid:{n} stages": partial(alkaid, *layer.bits(), n) for n in ALKAID_STAGES if registered}
    elif available() and quoted:
        makers["alkaid:own estimate"] = lambda: estimate([layer.bits()])
    return Work(
        name,
        title,
        "registered" if registered else "combinational",
        {"x": Port(Bipolar(), columns)},
        {"y": Port(BIT, rows)},
        lambda values: {"y": layer.run(values["x"])},
        makers,
        rows * columns,
        target,
        quoted,
        limits or {},
        note,
    )


def _netlist(layer: Layer, registered: bool, goal: Goal = "luts") -> tuple[Netlist, int]:
    made = unrolled_layer(layer.weights, Bipolar(), layer.outputs(), registered=registered, goal=goal)
    return made.netlist, made.latency


def _plain(layers: Sequence[Layer], share: int) -> Circuit:
    """The plain description, of a sample where there are many products: one row of ``share`` in every layer, which all read the inputs."""
    columns = layers[0].weights.shape[1]
    rows = [-(-len(layer.weights) // share) for layer in layers]
    weights = [np.pad(layer.weights[:n], ((0, 0), (0, columns - layer.weights.shape[1]))) for layer, n in zip(layers, rows, strict=True)]
    thresholds = [
        np.zeros(n, np.int64) if layer.thresholds is None else layer.thresholds[:n] for layer, n in zip(layers, rows, strict=True)
    ]
    sample = Layer(np.concatenate(weights), np.concatenate(thresholds))
    made = behavioural.comparisons(sample.weights, np.concatenate(thresholds))
    if share == 1:
        return made
    return replace(made, outputs={"y": Port(BIT, sum(rows))}, coded=lambda port, y, inputs: sample.run(inputs["x"]), scale=share)


# -- a network


def _network_work() -> Work:
    title = "TFC_1W1A, all four layers, 784-64-64-64-10, a frame a cycle"
    sums = Integer((2 * 64).bit_length(), True)

    def expected(values: Values) -> Values:
        x = values["x"]
        for layer in tfc_layers():
            y = layer.run(x)
            x = 2 * y - 1
        return {"y": y}

    quoted = (("da4ml", 51_772, f"anchors: {ANCHORS}; depth 50, 135 s"),)
    makers: dict[str, Callable[[], Circuit | Row]] = {"hwq": lambda: own(_network), "behavioural": lambda: _plain(tfc_layers(), 64)}
    if available():
        makers["alkaid:own estimate"] = lambda: estimate([layer.bits() for layer in tfc_layers()])
    return Work(
        TFC,
        title,
        "registered",
        {"x": Port(Bipolar(), 784)},
        {"y": Port(sums, 10)},
        expected,
        makers,
        59_008,
        23_000,
        quoted,
        {"seconds": 90},
        "FF include the 784 of the input registers; stream buffers apart",
    )


def _network() -> tuple[Netlist, int]:
    layers = [Unrolled(layer.weights, Bipolar(), tuple(layer.outputs())) for layer in tfc_layers()]
    made = unrolled_network(layers)
    return made.netlist, made.latency


@lru_cache(maxsize=1)
def tfc_layers() -> tuple[Layer, ...]:
    """Matrices and thresholds of the trained network. Raises :class:`InputError` where its file is not here."""
    if not MODEL.is_file():
        raise InputError("BENCH-MODEL", f"{MODEL} is not here", hint="This work needs the trained network.")
    with tempfile.TemporaryDirectory(prefix="hwq-bench-") as name:
        run_command("compile", str(MODEL), "--target", TARGET, "-o", name)
        network = load_model(Path(name) / "network.hwq").network
    contractions = [node for node in network.nodes if isinstance(node.op, Conv)]
    thresholds = [node for node in network.nodes if isinstance(node.op, Threshold)]
    levels = [node.op.thresholds[:, 0] for node in thresholds if isinstance(node.op, Threshold)]
    weights = [node.op.weights[:, 0, 0, :].astype(np.int64) for node in contractions if isinstance(node.op, Conv)]
    return tuple(Layer(w, t) for w, t in zip(weights, [*levels, None], strict=True))
