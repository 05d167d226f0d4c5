"""Small branching networks with hand-made plans and report documents, for drawings and pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwq.network.file import network_hash
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Add, Conv, Pool, Threshold, Window
from hwq.numerics.encoding import Bipolar, Integer
from hwq.plan.dataflow import dataflow_of
from hwq.plan.plan import FifoPlan, Plan, StagePlan, StreamPlan
from hwq.plan.stages import stages_of
from hwq.plan.units import Fifo, WindowUnit

UINT2, UINT8 = Integer(2, False), Integer(8, False)


def conv_nodes(
    rng: np.random.Generator, name: str, source: str, i: int, o: int, kernel: int = 3, stride: int = 1, levels: int = 3
) -> list[Node]:
    """A bipolar convolution that keeps the size, and thresholds behind it: tensor ``<name>.out``."""
    pad = kernel // 2
    weights = 2 * rng.integers(0, 2, (o, kernel, kernel, i)) - 1
    conv = Conv(weights, Bipolar(), (stride, stride), (pad, pad, pad, pad))
    return [Node(name, conv, (source,), (f"{name}.acc",)), threshold_node(rng, f"{name}.act", f"{name}.acc", f"{name}.out", o, levels)]


def threshold_node(rng: np.random.Generator, name: str, source: str, target: str, channels: int, levels: int = 3, spread: int = 12) -> Node:
    """Random staircases to UINT2."""
    t = np.sort(rng.integers(-spread, spread, (channels, levels)), axis=1)
    return Node(name, Threshold(t, np.ones_like(t), np.zeros(channels, np.int64), UINT2), (source,), (target,))


def residual_network(blocks: int = 2, *, size: int = 8, channels: int = 4, prefix: str = "", name: str = "residual") -> Network:
    """A stem, residual blocks of two convolutions, a global pool, a fully connected layer."""
    rng = np.random.default_rng(3)
    nodes = conv_nodes(rng, f"{prefix}stem", "x", 3, channels)
    x = f"{prefix}stem.out"
    for k in range(blocks):
        pre = f"{prefix}block{k}."
        nodes += conv_nodes(rng, f"{pre}conv1", x, channels, channels)
        nodes += conv_nodes(rng, f"{pre}conv2", f"{pre}conv1.out", channels, channels)
        nodes.append(Node(f"{pre}add", Add(np.ones((2, 1), np.int64)), (f"{pre}conv2.out", x), (f"{pre}sum",)))
        nodes.append(threshold_node(rng, f"{pre}act", f"{pre}sum", f"{pre}out", channels))
        x = f"{pre}out"
    nodes.append(Node(f"{prefix}pool", Pool("sum", Window((size, size))), (x,), (f"{prefix}mean",)))
    weights = rng.integers(-1, 2, (5, 1, 1, channels))
    nodes.append(Node(f"{prefix}fc", Conv(weights, Integer(2, True, True)), (f"{prefix}mean",), ("y",)))
    return Network(name, (NetworkInput("x", (size, size, 3), UINT8),), tuple(nodes), ("y",))


def plan_of(network: Network, fifo: int = 40) -> Plan:
    """One lane everywhere, buffers that hold a window, FIFOs of ``fifo`` words."""
    streams = tuple(StreamPlan(n) for n in (*(i.name for i in network.inputs), *network.outputs))
    plan = Plan(network_hash(network), "vu9p", 300.0, streams, tuple(StagePlan(s.name) for s in stages_of(network)))
    units = dataflow_of(network, plan).units
    buffers = {u.name: u.geometry.least_buffer + 3 for u in units if isinstance(u, WindowUnit)}
    stages = tuple(replace(s, buffer=buffers.get(s.name, 2), depth=4) for s in plan.stages)
    return replace(plan, stages=stages, fifos=tuple(FifoPlan(u.name, fifo) for u in units if isinstance(u, Fifo)))


def report_of(network: Network, plan: Plan) -> dict[str, Any]:
    """What ``report.json`` would say, cycles by the number of firings."""
    layers = []
    for u in dataflow_of(network, plan).units:
        if hasattr(u, "stage"):
            cycles = u.geometry.firings if isinstance(u, WindowUnit) else 64
            layers.append({"name": u.name, "op": u.stage.kind, "pe": 1, "simd": 1, "pixels": 1, "style": "folded", "cycles": cycles})
            layers[-1]["resources"] = {"lut": 12, "bram36": 0.5}
    slowest = max(layers, key=lambda layer: layer["cycles"])
    return {
        "name": "top",
        "target": "vu9p",
        "part": "xcvu9p",
        "clock_mhz": 300.0,
        "fps": 1000.0,
        "cycles_per_frame": slowest["cycles"],
        "latency_cycles": 99,
        "bottleneck": slowest["name"],
        "layers": layers,
        "resources": {"lut": 100, "bram36": 3.5},
        "utilisation": {"lut": 0.25},
        "hashes": {"network": "ab", "plan": "cd"},
    }
