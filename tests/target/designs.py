"""Small networks, plans and written folders for the tests of target and verify."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import ArgMax, Conv, Threshold
from hwq.numerics.encoding import Bipolar
from hwq.plan.device import Device
from hwq.plan.goal import Goal
from hwq.plan.plan import Plan
from hwq.plan.planner import plan_network
from hwq.target.boards import load_device
from hwq.target.design import Design, elaborate
from hwq.target.package import write_package


def mlp(
    *, name: str = "tiny", widths: tuple[int, ...] = (20, 12, 5), layers: tuple[str, ...] = ("fc1", "fc2"), argmax: bool = False
) -> Network:
    """Bipolar layers with random thresholds between; the last layer gives its accumulators, or the index of the largest."""
    rng = np.random.default_rng(7)
    nodes = []
    source = "x"
    for n, layer in enumerate(layers):
        i, o = widths[n], widths[n + 1]
        weights = 2 * rng.integers(0, 2, (o, 1, 1, i)) - 1
        nodes.append(Node(layer, Conv(weights, Bipolar()), (source,), (f"{layer}.acc",)))
        source = f"{layer}.acc"
        if n < len(layers) - 1:
            t = rng.integers(-2, 3, (o, 1))
            nodes.append(
                Node(f"{layer}.act", Threshold(t, np.ones_like(t), np.zeros(o, np.int64), Bipolar()), (source,), (f"{layer}.out",))
            )
            source = f"{layer}.out"
    if argmax:
        nodes.append(Node("top", ArgMax(), (source,), ("y",)))
        source = "y"
    return Network(name, (NetworkInput("x", (1, 1, widths[0]), Bipolar()),), tuple(nodes), (source,))


def model_of(network: Network) -> Model:
    """A Model around ``network`` that takes and gives its integers."""
    inputs = tuple(ModelInput(i.name, i.shape, "int64", ()) for i in network.inputs)
    outputs = tuple(ModelOutput(o, o, network.tensors[o].shape, "int64", ()) for o in network.outputs)
    return Model(network, inputs, outputs)


def device() -> Device:
    """The device that all tests plan for."""
    return load_device("vu9p")


def plan_for(network: Network, fps: float | None = None) -> Plan:
    """The default plan, or the cheapest that reaches ``fps``."""
    return plan_network(network, device(), Goal(fps))


# Names that must not reach Verilog, Tcl, a path or a shell.
HOSTILE_LAYERS = ("always", 'fc "; rm -rf ~; "', "blocks[0].fc", "../../etc/passwd", "café `evil $(id)", "n" * 300, "a b", "a\nb")


def write(network: Network, folder: Path, *, plan: Plan | None = None, inline_bits: int = 1 << 17, name: str | None = None) -> Design:
    """Elaborate and write ``network``."""
    design = elaborate(network, plan or plan_for(network), name=name, inline_bits=inline_bits)
    write_package(design, model_of(network), folder, device())
    return design
