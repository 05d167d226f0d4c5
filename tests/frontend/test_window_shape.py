"""The geometry of sliding windows: every window starts in the image or in the padding before it, and no further one fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.frontend.window_shape import WindowShape


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 7), st.integers(1, 3), st.integers(0, 5), st.integers(0, 5), st.booleans())
def test_the_number_of_windows(size: int, kernel: int, stride: int, dilation: int, before: int, after: int, up: bool) -> None:
    reach = (kernel - 1) * dilation + 1
    if up:  # only pools round up, whose padding is smaller than a window
        before, after = before % reach, after % reach
    attributes = {"strides": [stride], "dilations": [dilation], "pads": [before, after], "ceil_mode": int(up)}
    starts = [p for p in range(-before, size + after, stride) if p + reach <= size + after]
    if up and starts and starts[-1] + reach < size + after and starts[-1] + stride < size:
        starts.append(starts[-1] + stride)
    if not starts:
        if not up:
            with pytest.raises(ValueError, match="fits nowhere"):
                WindowShape.of(attributes, [size], [kernel])
        return
    shape = WindowShape.of(attributes, [size], [kernel])
    assert shape.out == (len(starts),)
    assert shape.overhang == (max(0, starts[-1] + reach - size - after),)


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 7), st.sampled_from(["SAME_UPPER", "SAME_LOWER"]))
def test_same_makes_one_window_a_stride(size: int, kernel: int, stride: int, mode: str) -> None:
    shape = WindowShape.of({"strides": [stride], "auto_pad": mode}, [size], [kernel])
    (before,), (after,) = shape.before, shape.after
    assert shape.out == (-(-size // stride),)
    assert after - before in ((0, 1) if mode == "SAME_UPPER" else (0, -1))


@pytest.mark.parametrize(
    "attributes", [{"strides": [1, 1]}, {"strides": [0]}, {"dilations": [-1]}, {"pads": [1]}, {"pads": [-1, 0]}, {"auto_pad": "ALL"}]
)
def test_numbers_that_make_no_window_are_refused(attributes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"window|strides|dilations|padding|auto_pad"):
        WindowShape.of(attributes, [8], [3])
