"""All rules of the algebra by op name, and what is said about ops that have none."""

from __future__ import annotations

from hwq.errors import InputError
from hwq.frontend.rules_channels import CHANNEL_RULES
from hwq.frontend.rules_conv import CONV_RULES
from hwq.frontend.rules_dense import DENSE_RULES
from hwq.frontend.rules_elementwise import ELEMENTWISE_RULES
from hwq.frontend.rules_host import HOST_RULES
from hwq.frontend.rules_layout import LAYOUT_RULES
from hwq.frontend.rules_pool import POOL_RULES
from hwq.frontend.rules_quantizers import QUANTIZER_RULES
from hwq.frontend.rules_spatial import SPATIAL_RULES
from hwq.frontend.step import Rule, Step

__all__ = ["RULES", "refusal"]

RULES: dict[str, Rule] = {
    **ELEMENTWISE_RULES,
    **QUANTIZER_RULES,
    **LAYOUT_RULES,
    **CHANNEL_RULES,
    **SPATIAL_RULES,
    **DENSE_RULES,
    **CONV_RULES,
    **POOL_RULES,
    **HOST_RULES,
}

UNSUPPORTED = {
    "ConvTranspose": ("a transposed convolution", "Use nearest-neighbour upsampling and a convolution behind it"),
    "DepthToSpace": ("moving channels to pixels", "Use nearest-neighbour upsampling and a convolution behind it"),
    "SpaceToDepth": ("moving pixels to channels", "Use a convolution with a stride"),
    "LpPool": ("a pool by another norm", "Use MaxPool or AveragePool"),
    "GridSample": ("resampling", "Use nearest-neighbour resizing by whole factors"),
    "RoiAlign": ("resampling", "End the model before it"),
    "NonMaxSuppression": ("a choice by the data", "End the model before it and do it on the host"),
    "Loop": ("a loop", "Unroll it before the export"),
    "Scan": ("a loop", "Unroll it before the export"),
    "If": ("a branch by the data", "Export the branch that is used"),
    "LSTM": ("a recurrent layer", "Unroll it, or use one-dimensional convolutions"),
    "GRU": ("a recurrent layer", "Unroll it, or use one-dimensional convolutions"),
    "RNN": ("a recurrent layer", "Unroll it, or use one-dimensional convolutions"),
    "QLinearMatMul": ("the fused integer operator", "Export the model in QDQ form (QuantizeLinear, DequantizeLinear)"),
    "QLinearConv": ("the fused integer operator", "Export the model in QDQ form (QuantizeLinear, DequantizeLinear)"),
    "QGemm": ("the fused integer operator", "Export the model in QDQ form (QuantizeLinear, DequantizeLinear)"),
    "MatMulInteger": ("the fused integer operator", "Export the model in QDQ form (QuantizeLinear, DequantizeLinear)"),
    "ConvInteger": ("the fused integer operator", "Export the model in QDQ form (QuantizeLinear, DequantizeLinear)"),
    "DynamicQuantizeLinear": ("quantization with a scale computed from the data", "Use static quantization"),
    "LayerNormalization": ("a norm computed from the data", "Use batch normalisation"),
    "InstanceNormalization": ("a norm computed from the data", "Use batch normalisation"),
}


def refusal(step: Step) -> InputError:
    """The error for an op without a rule; readers write one of a foreign operator domain as ``domain::op``."""
    if step.attribute("hwq_reason"):  # a reader knows better
        return step.error("OP-UNSUPPORTED", step.attribute("hwq_reason"), step.attribute("hwq_hint") or None)
    domain, foreign, op = step.node.op.rpartition("::")
    if foreign:
        message = f"the operator {op} of the domain {domain!r} is not supported"
        return step.error("OP-UNSUPPORTED", message, "Export the model with standard ONNX operators and QONNX's or QCDQ's quantizers")
    what, hint = UNSUPPORTED.get(step.node.op, ("the operator", "Replace it by supported ones, or end the model before it"))
    return step.error("OP-UNSUPPORTED", f"{what} ({step.node.op}) is not supported", hint)
