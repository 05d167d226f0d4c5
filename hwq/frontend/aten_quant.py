"""The convolutions of hwq.quant: ONNX's Conv on integer codes."""

from __future__ import annotations

from typing import Any

from hwq.errors import InputError
from hwq.frontend.aten import Call, handles

__all__: list[str] = []


@handles("hwq.conv")
def _hwq_conv(c: Call) -> None:
    c.result("Conv", c.tensor("x"), c.tensor("codes"), **_geometry(c))


@handles("hwq.conv_saturating")
def _hwq_conv_saturating(c: Call) -> None:
    scale = float(c.builder.constants[c.tensor("input_scale")])
    accumulation = {"bits": int(c.get("bits")), "chunk": int(c.get("chunk"))}
    c.result("Conv", c.tensor("x"), c.tensor("codes"), accumulation=accumulation, input_scale=scale, **_geometry(c))


def _geometry(c: Call) -> dict[str, Any]:
    codes = c.builder.constants.get(c.tensor("codes"))
    if codes is None or codes.ndim not in (3, 4):
        raise InputError("GRAPH-DAMAGED", "a convolution of hwq.quant has no integer weights", where=c.layer)
    lists = {"strides": c.get("stride"), "pads": c.get("padding"), "dilations": c.get("dilation")}
    geometry = {name: [int(v) for v in values] for name, values in lists.items()}
    return {**geometry, "group": int(c.get("groups")), "kernel_shape": list(codes.shape[2:])}
