"""Which nodes of a Network become one stage: a contraction takes the staircase behind it along."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.network.graph import Network, Node
from hwq.network.ops import ArgMax, Conv, Requantize, Threshold

__all__ = ["Stage", "stages_of"]


@dataclass(frozen=True)
class Stage:
    """One stage of the dataflow: the node that heads it, and the activation fused behind a contraction."""

    node: Node
    activation: Node | None = None

    @property
    def name(self) -> str:
        """Name of the head node."""
        return self.node.name

    @property
    def kind(self) -> str:
        """``mvu``, ``elementwise`` or ``argmax``."""
        if isinstance(self.node.op, Conv):
            return "mvu"
        return "argmax" if isinstance(self.node.op, ArgMax) else "elementwise"

    @property
    def source(self) -> str:
        """Tensor the stage reads."""
        return self.node.inputs[0]

    @property
    def target(self) -> str:
        """Tensor the stage writes."""
        return (self.activation or self.node).outputs[0]


def stages_of(network: Network) -> tuple[Stage, ...]:
    """Stages in topological order. An accumulator tensor with one reader, a staircase, is fused."""
    fused: set[str] = set()
    stages = []
    for node in network.nodes:
        if node.name in fused:
            continue
        activation = None
        if isinstance(node.op, Conv):
            readers = network.consumers(node.outputs[0])
            if len(readers) == 1 and node.outputs[0] not in network.outputs and isinstance(readers[0].op, Threshold | Requantize):
                activation = readers[0]
                fused.add(activation.name)
        stages.append(Stage(node, activation))
    return tuple(stages)
