"""Mirrors vanish into staircases and weights, and no output bit changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv, Pool, Requantize, Threshold, Window
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.numerics.rounding import Rounding
from hwq.transform.mirror import fold_mirrors, mirrored_channels
from hwq.transform.orient import orient


def mirror(flags: np.ndarray, out: Encoding) -> Threshold | Requantize:
    levels = (out.hi - out.lo) // out.step
    if levels > 15:
        return Requantize(np.where(flags, -1, 1), np.where(flags, out.lo + out.hi, 0), 0, Rounding.FLOOR, out.lo, out.hi, out)
    points = np.tile(out.lo + out.step * np.arange(1, levels + 1), (len(flags), 1))
    return Threshold(points, np.where(flags[:, None], -1, np.ones_like(points)), np.where(flags, levels, 0), out)


def network(seed: int, out: Encoding, rounding: Rounding = Rounding.FLOOR, padding: int = 1) -> Network:
    """Conv, staircase, mirror, pool, mirror, conv."""
    r = np.random.default_rng(seed)
    flags = np.array([True, *(r.random(4) < 0.5)])
    if out.bits > 4:
        act: Threshold | Requantize = Requantize(r.integers(-9, 10, 5), r.integers(-99, 99, 5), 3, rounding, out.lo, out.hi, out)
    else:
        levels = (out.hi - out.lo) // out.step
        act = Threshold(np.sort(r.integers(-15, 15, (5, levels)), axis=1), np.ones((5, levels), np.int64), np.zeros(5, np.int64), out)
    nodes = (
        Node("a", Conv(r.integers(-3, 4, (5, 3, 3, 2)), Integer(3, True, narrow=True)), ("x",), ("s",)),
        Node("act", act, ("s",), ("c",)),
        Node("in", mirror(flags, out), ("c",), ("m",)),
        Node("pool", Pool("max", Window((2, 2))), ("m",), ("p",)),
        Node("out", mirror(flags, out), ("p",), ("q",)),
        Node("b", Conv(r.choice([-1, 1], (4, 3, 3, 5)), Bipolar(), padding=(padding,) * 4), ("q",), ("y",)),
    )
    return Network("n", (NetworkInput("x", (8, 8, 2), Integer(3, True)),), nodes, ("y",))


@given(
    st.integers(0, 10**6),
    st.sampled_from([Bipolar(), Integer(2, False), Integer(8, False), Integer(8, True), Integer(4, True, narrow=True)]),
)
def test_folding_changes_no_output(seed: int, out: Encoding) -> None:
    before = network(seed, out)
    after = fold_mirrors(before)
    x = {"x": np.random.default_rng(seed).integers(-4, 4, (20, 8, 8, 2))}
    expected = before.run(x)["y"]
    np.testing.assert_array_equal(after.run(x)["y"], expected)
    np.testing.assert_array_equal(orient(after).run(x)["y"], expected)
    names = [n.name for n in after.nodes]
    assert "in" not in names
    assert ("out" not in names) == (out.lo + out.hi == 0)


def test_codes_that_someone_else_reads_keep_their_mirror() -> None:
    n = network(1, Integer(2, False))
    also = Network("n", n.inputs, n.nodes, ("y", "c"))
    assert [k.name for k in fold_mirrors(also).nodes] == [k.name for k in n.nodes]


@pytest.mark.parametrize("out", [Integer(2, False), Integer(8, False)])
def test_only_exact_mirrors_count_as_such(out: Encoding) -> None:
    flags = np.array([True, False])
    op = mirror(flags, out)
    found = mirrored_channels(op, out)
    assert found is not None
    np.testing.assert_array_equal(found, flags)
    assert mirrored_channels(mirror(~flags & flags, out), out) is None
    assert mirrored_channels(op, Integer(9, False)) is None
