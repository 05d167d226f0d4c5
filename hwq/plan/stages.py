"""Which nodes of a Network become one stage: an op that adds up takes the staircase behind it along."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.network.graph import Network, Node
from hwq.network.ops import (
    Add,
    ArgMax,
    BorderAffine,
    Concat,
    Conv,
    Flatten,
    Lookup,
    Mul,
    Op,
    Pad,
    Pool,
    Requantize,
    Split,
    Threshold,
    TopK,
    Upsample,
)

__all__ = ["Stage", "is_depthwise", "stages_of"]

KINDS: dict[type[Op], str] = {
    Conv: "mvu",
    Pool: "pool",
    Add: "add",
    Mul: "mul",
    Concat: "concat",
    Split: "split",
    Upsample: "upsample",
    Pad: "pad",
    Flatten: "flatten",
    ArgMax: "argmax",
    TopK: "topk",
    Threshold: "elementwise",
    Requantize: "elementwise",
    Lookup: "elementwise",
    BorderAffine: "elementwise",
}


def is_depthwise(op: Op) -> bool:
    """Whether every output channel of a convolution reads one input channel of several."""
    return isinstance(op, Conv) and op.groups > 1 and op.weights.shape[3] == 1


@dataclass(frozen=True)
class Stage:
    """One stage of the dataflow: the node that heads it, and the activation fused behind it."""

    node: Node
    activation: Node | None = None

    @property
    def name(self) -> str:
        """Name of the head node."""
        return self.node.name

    @property
    def kind(self) -> str:
        """What is built: ``mvu``, ``depthwise``, ``pool``, ``add``, ``mul``, ``concat``, ``split``, ``upsample``, ``pad``, ``flatten``,
        ``elementwise``, ``argmax`` or ``topk``."""
        return "depthwise" if is_depthwise(self.node.op) else KINDS[type(self.node.op)]

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors the stage reads."""
        return self.node.inputs

    @property
    def source(self) -> str:
        """The first tensor the stage reads."""
        return self.node.inputs[0]

    @property
    def targets(self) -> tuple[str, ...]:
        """Tensors the stage writes; "" is one that is dropped."""
        return (self.activation or self.node).outputs

    @property
    def target(self) -> str:
        """The first tensor the stage writes."""
        return self.targets[0]


def stages_of(network: Network) -> tuple[Stage, ...]:
    """Stages in topological order. The sums of a contraction, a sum pool or a join with one reader, a staircase, are fused with it."""
    fused: set[str] = set()
    stages = []
    for node in network.nodes:
        if node.name in fused:
            continue
        activation = _activation(network, node)
        if activation is not None:
            fused.add(activation.name)
        stages.append(Stage(node, activation))
    return tuple(stages)


def _activation(network: Network, node: Node) -> Node | None:
    if not isinstance(node.op, Conv | Add | Mul) and not (isinstance(node.op, Pool) and node.op.mode == "sum"):
        return None
    readers = network.consumers(node.outputs[0])
    alone = len(readers) == 1 and node.outputs[0] not in network.outputs
    return readers[0] if alone and isinstance(readers[0].op, Threshold | Requantize) else None
