"""Operations in words."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.network.ops import Add, Concat, Conv, Op, Pool, Split, TopK, Upsample, Window
from hwq.numerics.encoding import Bipolar
from hwq.report.operation import operation, shape_text


def conv(shape: tuple[int, ...], **options: object) -> Conv:
    return Conv(np.ones(shape, np.int64), Bipolar(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("op", "words"),
    [
        (conv((4, 1, 1, 9)), "dense"),
        (conv((4, 3, 3, 9), padding=(1, 1, 1, 1)), "conv 3x3, pad 1"),
        (conv((4, 1, 5, 9), stride=(1, 2), padding=(0, 2, 0, 1), dilation=(1, 3)), "conv 1x5, stride 1x2, pad 0,2,0,1, dilation 1x3"),
        (conv((4, 3, 3, 2), groups=2), "conv 3x3, 2 groups"),
        (conv((4, 3, 3, 1), groups=4), "depthwise 3x3"),
        (Pool("max", Window((3, 3), (2, 2))), "max pool 3x3, stride 2"),
        (Add(np.ones((2, 1), np.int64)), "add"),
        (Concat(), "concat"),
        (Split((3, 5)), "split 3+5"),
        (Upsample((2, 2)), "upsample 2 times"),
        (TopK(5), "top 5"),
    ],
)
def test_words(op: Op, words: str) -> None:
    assert operation(op) == words


def test_one_pixel_is_written_by_its_channels() -> None:
    assert shape_text((1, 1, 10)) == "10"
    assert shape_text((1, 8, 10)) == "1x8x10"
