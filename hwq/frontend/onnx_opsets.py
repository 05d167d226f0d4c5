"""What older opsets wrote otherwise: their nodes in the words of the newest one."""

from __future__ import annotations

from dataclasses import replace

from hwq.frontend.source import SourceNode

__all__ = ["modernised"]

OLD_RESIZE = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def modernised(node: SourceNode, opset: int) -> SourceNode:
    """``node`` of a model of ``opset`` with the inputs and the attributes that say the same today.

    Upsample and the Resize of opset 10 become Resize; a Split without sizes says into how many parts; Softmax its axis.
    """
    attributes = dict(node.attributes)
    if node.op == "Upsample" and len(node.inputs) == 2:
        return replace(node, op="Resize", inputs=(node.inputs[0], "", node.inputs[1]), attributes={**attributes, **OLD_RESIZE})
    if node.op == "Resize" and opset < 11 and len(node.inputs) == 2:
        return replace(node, inputs=(node.inputs[0], "", node.inputs[1]), attributes={**attributes, **OLD_RESIZE})
    if node.op == "Split" and len(node.inputs) < 2 and not {"split", "num_outputs"} & set(attributes):
        return replace(node, attributes={**attributes, "num_outputs": len(node.outputs)})
    if node.op in ("Softmax", "LogSoftmax") and "axis" not in attributes:
        return replace(node, attributes={**attributes, "axis": 1 if opset < 13 else -1})
    return node
