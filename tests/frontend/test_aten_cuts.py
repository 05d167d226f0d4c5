"""Cuts, selections and padding: the source graph computes what torch computes, exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as f

from hwq.errors import HwqError
from hwq.frontend.live import live_graph
from tests.frontend.test_aten_windows import IMAGE, Wrapped, check, integers

Function = Callable[[torch.Tensor], torch.Tensor]

FUNCTIONS: dict[str, Function] = {
    "pad": lambda x: f.pad(x, (1, 2, 0, 3), value=-1.5),
    "pad channels": lambda x: f.pad(x, (0, 0, 0, 0, 1, 2)),
    "pad by nothing": lambda x: f.pad(x, (0, 0)),
    "crop": lambda x: f.pad(x, (-1, -2, 0, 1)),
    "split": lambda x: x.split(4, 1)[1] - 1,
    "split into sizes": lambda x: x.split([1, 2, 3], 1)[2] + x.split([3, 1, 2], 1)[0],
    "chunk": lambda x: torch.add(*x.chunk(2, 1)),
    "chunk, ragged": lambda x: x.chunk(4, 3)[3] + 0,
    "tensor_split": lambda x: x.tensor_split(4, 1)[0] - x.tensor_split((2, 4), 1)[1],
    "unbind": lambda x: x.unbind(1)[2] * x.unbind(1)[3],
    "slice": lambda x: x[:, 1:5, ::2, -3:],
    "slice to the end": lambda x: x[:, :, 3:],
    "narrow": lambda x: x.narrow(1, -2, 2),
    "select": lambda x: x[:, -1] + x.select(2, 3)[:, :1],
    "index": lambda x: x[:, [2, 0, 5]],
    "index select": lambda x: x.index_select(3, torch.tensor([1, 1, 0])),
    "flip": lambda x: x.flip(2, 3),
    "channel shuffle": lambda x: f.channel_shuffle(x, 3),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_equals_torch(name: str) -> None:
    check(Wrapped(FUNCTIONS[name]).eval(), integers(*IMAGE))


def test_an_embedding_is_a_gather() -> None:
    table = torch.nn.Embedding(16, 5)
    graph = check(table.eval(), torch.tensor([[1, 2, 15], [0, 0, 3]]))
    assert [(n.op, n.name) for n in graph.nodes if n.op == "Gather"] == [("Gather", graph.nodes[0].name)]


BATCH: dict[str, Function] = {
    "cat": lambda x: torch.cat([x, x], 0),
    "stack": lambda x: torch.stack([x, x]),
    "select": lambda x: x[0],
    "slice": lambda x: x[1:],
    "slice of one frame": lambda x: x[:1],
    "split": lambda x: x.split(1)[0],
    "flip": lambda x: x.flip(0),
    "index": lambda x: x[[0]],
    "mean": lambda x: x.mean(),
    "sum": lambda x: x.sum(0),
    "pad": lambda x: f.pad(x, (0, 0, 0, 0, 0, 0, 0, 1)),
}


@pytest.mark.parametrize("name", BATCH)
def test_work_on_the_batch_axis_is_refused(name: str) -> None:
    with pytest.raises(HwqError) as caught:
        live_graph(Wrapped(BATCH[name]).eval(), integers(*IMAGE))
    assert {e.code for e in caught.value.entries()} == {"BATCH-AXIS"}


def test_selecting_by_a_mask_and_along_two_axes_is_kept_for_the_algebra_to_refuse() -> None:
    graph = live_graph(Wrapped(lambda x: x[:, [0, 1], [2, 3]]).eval(), integers(*IMAGE))
    kept = next(n for n in graph.nodes if n.op.startswith("aten."))
    assert "several axes" in kept.attributes["hwq_reason"]
