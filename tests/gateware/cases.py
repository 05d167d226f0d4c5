"""Small networks of one or two layers and plans for them, as the gateware tests need them."""

from __future__ import annotations

import numpy as np

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Accumulation, Conv, Exact, Op, Requantize, Threshold
from hwq.numerics.encoding import Encoding, parse_encoding
from hwq.numerics.rounding import Rounding
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.plan import Plan, StagePlan, StreamPlan
from hwq.plan.units import Edge, Unit


def values(rng: np.random.Generator, encoding: Encoding, shape: tuple[int, ...]) -> np.ndarray:
    """Random integers of an encoding, its rails among them."""
    x = rng.choice(np.arange(encoding.lo, encoding.hi + 1, encoding.step), shape).astype(np.int64)
    flat = x.reshape(-1)
    flat[:2] = (encoding.lo, encoding.hi)[: len(flat)]
    return x


def dense(rng: np.random.Generator, mw: int, mh: int, weights: str, accumulation: Accumulation | None = None) -> Conv:
    """A fully connected layer with random weights."""
    encoding = parse_encoding(weights)
    return Conv(values(rng, encoding, (mh, 1, 1, mw)), encoding, accumulation=accumulation or Exact())


def staircase(
    rng: np.random.Generator, channels: int, out: str, *, reach: int, steps: str = "up", base: bool = False, shared: bool = False
) -> Threshold:
    """Random thresholds within ``reach``, one of them never reached: ``steps`` up, down or mixed."""
    encoding = parse_encoding(out)
    rows, count = 1 if shared else channels, (encoding.hi - encoding.lo) // encoding.step
    thresholds = np.sort(rng.integers(-reach, reach + 1, (rows, count)), axis=1)
    thresholds[0, -1] = 1 << 40
    sign = {"up": np.ones, "down": lambda shape, dtype: -np.ones(shape, dtype)}.get(steps)
    signs = sign((rows, count), np.int64) if sign else rng.choice([-1, 1], (rows, count)).astype(np.int64)
    first = np.full(rows, count, np.int64) if steps == "down" else (signs < 0).sum(1).astype(np.int64)
    return Threshold(thresholds, signs, first if steps != "up" or base else np.zeros(rows, np.int64), encoding)


def requantizer(rng: np.random.Generator, channels: int, out: str, shift: int, rounding: Rounding = Rounding.FLOOR) -> Requantize:
    """Random multipliers and offsets, clipped to the encoding."""
    encoding = parse_encoding(out)
    multiplier = rng.integers(-(1 << shift), 1 << shift, channels)
    offset = rng.integers(-(1 << (shift + 2)), 1 << (shift + 2), channels)
    return Requantize(multiplier, offset, shift, rounding, encoding.lo, encoding.hi, encoding)


def chain(source: str, channels: int, *ops: Op, name: str = "n") -> Network:
    """``ops`` one behind the other on an input of ``channels`` channels."""
    nodes = []
    tensor = "x"
    for k, op in enumerate(ops):
        nodes.append(Node(f"{op.kind}{k}", op, (tensor,), (f"t{k}",)))
        tensor = f"t{k}"
    return Network(name, (NetworkInput("x", (1, 1, channels), parse_encoding(source)),), tuple(nodes), (tensor,))


def plan_of(network: Network, *stages: StagePlan, bus: int = 64, out_bus: int = 64, fifos: tuple = ()) -> Plan:
    """A plan with the given stages."""
    streams = [StreamPlan(i.name, bus) for i in network.inputs] + [StreamPlan(o, out_bus) for o in network.outputs]
    return Plan("0" * 64, "test", 100.0, tuple(streams), stages, fifos)


def image_network(inputs: dict[str, tuple[str, tuple[int, int, int]]], *nodes: Node, outputs: tuple[str, ...] = ("y",)) -> Network:
    """``nodes`` on inputs by name: encoding and shape (H, W, C)."""
    made = tuple(NetworkInput(name, shape, parse_encoding(encoding)) for name, (encoding, shape) in inputs.items())
    return Network("n", made, nodes, outputs)


def first_unit(network: Network, kind: type[Unit], stage: StagePlan, bus: int = 8, out_bus: int = 64) -> tuple[Unit, Dataflow]:
    """The only unit of ``kind`` in the dataflow of ``network``, whose one stage has the plan ``stage``."""
    dataflow = dataflow_of(network, plan_of(network, stage, bus=bus, out_bus=out_bus))
    (unit,) = (u for u in dataflow.units if isinstance(u, kind))
    return unit, dataflow


def edges_of(dataflow: Dataflow, unit: Unit) -> tuple[list[Edge], list[Edge]]:
    """Edges that ``unit`` reads, and writes."""
    return [dataflow.edges[e] for e in unit.inputs], [dataflow.edges[e] for e in unit.outputs]
