"""Torch operators that see more than one element: contractions, norms, reductions; and the operators of hwq.quant."""

from __future__ import annotations

import numpy as np

from hwq.errors import InputError
from hwq.frontend.aten import Call, handles
from hwq.frontend.exported import Ref

__all__: list[str] = []


@handles("aten.linear")
def _linear(c: Call) -> None:
    weight = c.step("Transpose", c.tensor("weight"), perm=[1, 0])
    if not c.has("bias"):
        c.result("MatMul", c.tensor("input"), weight)
    else:
        c.result("Add", c.step("MatMul", c.tensor("input"), weight), c.tensor("bias"))


@handles("aten.mm")
def _mm(c: Call) -> None:
    c.result("MatMul", c.tensor("self"), c.tensor("mat2"))


@handles("aten.matmul")
def _matmul(c: Call) -> None:
    c.result("MatMul", c.tensor("self"), c.tensor("other"))


@handles("aten.addmm")
def _addmm(c: Call) -> None:
    product, bias = c.step("MatMul", c.tensor("mat1"), c.tensor("mat2")), c.tensor("self")
    if c.get("alpha", 1) != 1:
        product = c.step("Mul", product, c.number(c.get("alpha")))
    if c.get("beta", 1) != 1:
        bias = c.step("Mul", bias, c.number(c.get("beta")))
    c.result("Add", product, bias)


@handles(
    "aten.batch_norm",
    "aten._native_batch_norm_legit_no_training",
    "aten._native_batch_norm_legit",
    "aten.native_batch_norm",
    "aten.cudnn_batch_norm",
    "aten._batch_norm_no_update",
)
def _batch_norm(c: Call) -> None:
    if c.get("training", False):
        raise InputError(
            "TRAIN-MODE",
            "this batch norm was exported in train mode, where it depends on the batch",
            where=c.layer,
            hint="Call module.eval() before the export",
        )
    if not (c.has("running_mean") and c.has("running_var")):
        raise InputError("BATCHNORM-STATS", "the batch norm has no running statistics", where=c.layer, hint="Use track_running_stats=True")
    channels = c.shape_of("input")[1]
    dtype = c.dtype_of("running_mean")
    gamma = c.tensor("weight") if c.has("weight") else c.builder.constant(np.ones(channels, dtype))
    beta = c.tensor("bias") if c.has("bias") else c.builder.constant(np.zeros(channels, dtype))
    inputs = (c.tensor("input"), gamma, beta, c.tensor("running_mean"), c.tensor("running_var"))
    c.result("BatchNormalization", *inputs, epsilon=float(c.get("eps", 1e-5)))


@handles("aten.dropout", "aten.native_dropout", "aten.feature_dropout", "aten.alpha_dropout", "aten.feature_alpha_dropout")
def _dropout(c: Call) -> None:
    if c.get("train", False) and c.get("p", 0.5):
        raise InputError(
            "TRAIN-MODE", "this dropout was exported in train mode", where=c.layer, hint="Call module.eval() before the export"
        )
    c.result("Identity", c.tensor("input"))


@handles("aten.softmax", "aten._softmax", "aten.log_softmax", "aten._log_softmax")
def _softmax(c: Call) -> None:
    c.result("LogSoftmax" if "log" in c.node.target else "Softmax", c.tensor("self"), axis=c.axis(c.get("dim"), len(c.shape)))


@handles("aten.argmax")
def _argmax(c: Call) -> None:
    rank = len(c.shape_of("self"))
    if not c.has("dim"):
        raise InputError("OP-UNSUPPORTED", "argmax over all axes mixes the frames of a batch", where=c.layer, hint="Write argmax(dim=1)")
    c.result("ArgMax", c.tensor("self"), axis=c.axis(c.get("dim"), rank), keepdims=int(c.get("keepdim", False)), select_last_index=0)


@handles("aten.max.dim", "aten.min.dim")
def _max_dim(c: Call) -> None:
    kind = "Max" if ".max." in c.node.target else "Min"
    axis = c.axis(c.get("dim"), len(c.shape_of("self")))
    keep = int(c.get("keepdim", False))
    c.result(f"Reduce{kind}", c.tensor("self"), axes=[axis], keepdims=keep)
    c.result(f"Arg{kind}", c.tensor("self"), index=1, axis=axis, keepdims=keep, select_last_index=0)


@handles("aten.topk")
def _topk(c: Call) -> None:
    axis = c.axis(c.get("dim", -1), len(c.shape))
    k = c.builder.constant(np.asarray([c.get("k")], np.int64), "k")
    outputs = [c.builder.unique(o) if o else "" for o in c.node.outputs]
    attributes = {"axis": axis, "largest": int(c.get("largest", True)), "sorted": int(c.get("sorted", True))}
    c.builder.emit("TopK", c.layer, (c.tensor("self"), k), outputs, attributes)
    for tensor, name in zip(c.node.outputs, outputs, strict=True):
        if tensor:
            c.builder.bind(tensor, name)


@handles("aten.mean", "aten.sum", "aten.amax", "aten.amin", "aten.max", "aten.min")
def _reduce(c: Call) -> None:
    op = {"mean": "ReduceMean", "sum": "ReduceSum", "amax": "ReduceMax", "amin": "ReduceMin", "max": "ReduceMax", "min": "ReduceMin"}
    kind = op[c.node.target.split(".")[1]]
    if isinstance(c.node.arguments.get("other"), Ref):
        c.result(kind.removeprefix("Reduce"), c.tensor("self"), c.tensor("other"))
        return
    rank = len(c.shape_of("self"))
    dims = c.get("dim")
    axes = [c.axis(d, rank) for d in ([dims] if isinstance(dims, int) else dims or range(rank))]
    if 0 in axes and c.tensor("self") in c.builder.live:
        raise InputError("BATCH-AXIS", "it reduces over the frames of the batch", where=c.layer, hint="Name the other axes: dim=(2, 3)")
    c.result(kind, c.tensor("self"), axes=axes, keepdims=int(c.get("keepdim", False)))


@handles("hwq.quantize")
def _hwq_quantize(c: Call) -> None:
    zero, bits = c.builder.constant(np.float64(0)), c.builder.constant(np.float64(c.get("bits")))
    signed, narrow = int(c.get("signed")), int(c.get("narrow"))
    c.result("Quant", c.tensor("x"), c.tensor("scale"), zero, bits, signed=signed, narrow=narrow, rounding_mode="ROUND")


@handles("hwq.bipolar")
def _hwq_bipolar(c: Call) -> None:
    c.result("BipolarQuant", c.tensor("x"), c.builder.constant(np.float64(1)))


@handles("hwq.linear")
def _hwq_linear(c: Call) -> None:
    c.result("MatMul", c.tensor("x"), _codes(c))


@handles("hwq.linear_saturating")
def _hwq_linear_saturating(c: Call) -> None:
    scale = float(c.builder.constants[c.tensor("input_scale")])
    accumulation = {"bits": int(c.get("bits")), "chunk": int(c.get("chunk"))}
    c.result("MatMul", c.tensor("x"), _codes(c), accumulation=accumulation, input_scale=scale)


def _codes(c: Call) -> str:
    """The integer weights, turned to (I, O), as they are stored."""
    codes = c.builder.constants.get(c.tensor("codes"))
    if codes is None or codes.ndim != 2:
        raise InputError("GRAPH-DAMAGED", "a layer of hwq.quant has no integer weights", where=c.layer)
    return c.builder.constant(np.ascontiguousarray(codes.T), "codes")
