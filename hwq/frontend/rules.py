"""All rules of the algebra by op name, and what is said about ops that have none."""

from __future__ import annotations

from hwq.errors import InputError
from hwq.frontend.rules_conv import CONV_RULES
from hwq.frontend.rules_dense import DENSE_RULES
from hwq.frontend.rules_elementwise import ELEMENTWISE_RULES
from hwq.frontend.rules_host import HOST_RULES
from hwq.frontend.rules_layout import LAYOUT_RULES
from hwq.frontend.rules_pool import POOL_RULES
from hwq.frontend.rules_quantizers import QUANTIZER_RULES
from hwq.frontend.step import Rule, Step

__all__ = ["RULES", "refusal"]

RULES: dict[str, Rule] = {**ELEMENTWISE_RULES, **QUANTIZER_RULES, **LAYOUT_RULES, **DENSE_RULES, **CONV_RULES, **POOL_RULES, **HOST_RULES}

NOT_YET = {
    "Conv": ("a convolution", "Dense layers are supported: Linear, MatMul, Gemm"),
    "ConvTranspose": ("a transposed convolution", "Dense layers are supported: Linear, MatMul, Gemm"),
    "MaxPool": ("pooling", "Dense layers are supported"),
    "AveragePool": ("pooling", "Dense layers are supported"),
    "GlobalAveragePool": ("pooling", "Dense layers are supported"),
    "GlobalMaxPool": ("pooling", "Dense layers are supported"),
    "ReduceMean": ("a mean over axes", "Dense layers are supported"),
    "ReduceSum": ("a sum over axes", "Dense layers are supported"),
    "Concat": ("joining tensors", "Write the network as a chain of layers"),
    "Split": ("splitting a tensor", "Write the network as a chain of layers"),
    "Slice": ("cutting a tensor", "Write the network as a chain of layers"),
    "Gather": ("selecting from a tensor", "Write the network as a chain of layers"),
    "Pad": ("padding", "Dense layers are supported"),
    "Resize": ("resizing", "Dense layers are supported"),
    "LSTM": ("a recurrent layer", "Unroll it into dense layers"),
    "GRU": ("a recurrent layer", "Unroll it into dense layers"),
    "RNN": ("a recurrent layer", "Unroll it into dense layers"),
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
    what, hint = NOT_YET.get(step.node.op, ("the operator", "Replace it by supported ones, or end the model before it"))
    verb = "is not supported yet" if step.node.op in NOT_YET else "is not supported"
    return step.error("OP-UNSUPPORTED", f"{what} ({step.node.op}) {verb}", hint)
