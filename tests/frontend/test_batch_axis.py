"""What computes across the frames of a batch is refused: in hardware every frame is alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hwq.errors import HwqError
from hwq.frontend.live import live_graph
from hwq.frontend.lower import lower
from hwq.frontend.onnx_reader import read_onnx
from hwq.quant import Bipolar, Linear, Uniform, freeze
from tests.frontend.onnx_models import Graph


def codes(caught: Any) -> set[str]:
    return {e.code for e in caught.value.entries()}


@pytest.mark.parametrize(("op", "axis"), [("Softmax", 0), ("Softmax", -2), ("LogSoftmax", 0), ("TopK", 0)])
def test_scores_compared_across_frames_are_refused(op: str, axis: int) -> None:
    g = Graph(shape=(1, 4))
    scores = g.matmul(g.quant("x"), np.eye(4))
    operands = [g.constant([1], np.int64)] if op == "TopK" else []
    g.add(op, scores, *operands, name="across", axis=axis, outputs=1 + len(operands))
    with pytest.raises(HwqError, match="across") as caught:
        lower(read_onnx(g.model(f"t{g.count - 1}")))
    assert codes(caught) == {"BATCH-AXIS"}


class Net(nn.Module):
    def __init__(self, tail: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.quantizer = Uniform(4, signed=False, scale=1.0)
        self.layer = Linear(4, 3, weight=Bipolar())
        self.tail = tail

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tail(self.layer(self.quantizer(x)))


def compiled(tail: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    return lower(live_graph(freeze(Net(tail).eval()), torch.ones(2, 4)))


@pytest.mark.parametrize(
    "tail",
    [lambda y: torch.softmax(y, 0), lambda y: y.reshape(1, -1), lambda y: y.flatten(), lambda y: y * y.shape[0]],
    ids=["softmax", "reshape", "flatten", "factor"],
)
def test_a_torch_module_that_mixes_frames_is_refused(tail: Callable[[torch.Tensor], torch.Tensor]) -> None:
    with pytest.raises(HwqError) as caught:
        compiled(tail)
    assert codes(caught) == {"BATCH-AXIS"}


def test_a_reshape_within_a_frame_is_accepted() -> None:
    assert compiled(lambda y: y.reshape(y.shape[0], 3, 1).flatten(1)).outputs[0].shape == (3,)
    assert compiled(lambda y: y.reshape(-1, 1, 3)).outputs[0].shape == (1, 3)
