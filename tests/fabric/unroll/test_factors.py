"""Shared sums of binary matrices: every row's heap is the number of agreements."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.unroll.bicliques import bicliques
from hwq.fabric.unroll.clusters import cells, nested
from hwq.fabric.unroll.factors import by_clusters, by_triples
from hwq.fabric.unroll.sums import Heap, Sums

matrices = st.builds(
    lambda rows, columns, seed: np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (rows, columns)),
    st.integers(1, 12),
    st.integers(1, 60),
    st.integers(0, 1 << 30),
)


def values(sums: Sums, x: np.ndarray) -> np.ndarray:
    """Values of all rows' heaps (rows, n) for input bits (columns, n)."""
    signals = np.zeros((sums.signals, x.shape[1]), np.int64)
    signals[: len(x)] = x
    for gate in sums.gates:
        total = sum(signals[v >> 1] ^ (v & 1) for v in gate.literals)
        bits = {"count": range(3), "parity": [0], "carry": [1]}[gate.kind]
        for k, bit in enumerate(bits):
            signals[gate.made + k] = total >> bit & 1
    return np.array([value(heap, signals) for heap in sums.rows])


def value(heap: Heap, signals: np.ndarray) -> np.ndarray:
    terms = [(signals[s] ^ inverted) << k for k, column in enumerate(heap.columns) for s, inverted in column.items()]
    return sum(terms, np.full(signals.shape[1], heap.constant))


def agreements(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (weights.astype(int) @ (2 * x - 1) + weights.shape[1]) // 2


def inputs(columns: int) -> np.ndarray:
    x = np.random.default_rng(0).integers(0, 2, (columns, 50))
    x[:, 0], x[:, 1] = 0, 1
    return x


@settings(max_examples=60, deadline=None)
@given(matrices, st.integers(0, 3))
def test_clusters_leave_the_agreements_in_each_row(weights: np.ndarray, levels: int) -> None:
    x = inputs(weights.shape[1])
    assert (values(by_clusters(weights, levels), x) == agreements(weights, x)).all()


@settings(max_examples=60, deadline=None)
@given(matrices, st.data())
def test_triples_leave_what_matters_of_the_agreements(weights: np.ndarray, data: st.DataObject) -> None:
    extra = [data.draw(st.sampled_from([None, 0, 1])) for _ in weights]
    x = inputs(weights.shape[1])
    for got, exact, more in zip(values(by_triples(weights, extra), x), agreements(weights, x), extra, strict=True):
        assert (got == (exact if more is None else ((exact + more) >> 1 << 1) - more)).all()


def test_rows_keep_fewer_than_seven_literals_a_column() -> None:
    weights = np.random.default_rng(2).choice(np.array([-1, 1], np.int8), (8, 100))
    for sums in (by_clusters(weights, 2), by_triples(weights)):
        assert max(max(h.heights) for h in sums.rows) < 7


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 10), st.integers(7, 90), st.integers(0, 1 << 30), st.sampled_from([1, 2, 7]))
def test_bicliques_are_common_up_to_sign_and_disjoint(rows: int, columns: int, seed: int, size: int) -> None:
    matrix = np.random.default_rng(seed).choice(np.array([-1, 0, 1], np.int8), (rows, columns))
    used = np.zeros(matrix.shape, bool)
    for found in bicliques(matrix, size):
        assert len(found.members) >= 2
        assert len(set(found.columns)) == size
        own = np.array([matrix[row, list(found.columns)] * (-1 if opposite else 1) for row, opposite in found.members])
        assert (own == own[0]).all()
        assert own.all()
        for row, _ in found.members:
            assert not used[row, list(found.columns)].any()
            used[row, list(found.columns)] = True


def test_a_planted_biclique_is_found_whole() -> None:
    matrix = np.zeros((9, 70), np.int8)
    pattern = np.array([1, -1, 1, 1, -1, 1, -1])
    for row, sign in ((1, 1), (4, -1), (7, 1)):
        matrix[row, 60:67] = sign * pattern
    (found,) = bicliques(matrix, 7)
    assert sorted(row for row, _ in found.members) == [1, 4, 7]
    assert sorted(found.columns) == list(range(60, 67))
    assert {row: opposite for row, opposite in found.members if row != 4} == dict.fromkeys((1, 7), not dict(found.members)[4])


@given(matrices)
@settings(max_examples=30, deadline=None)
def test_cells_are_the_columns_on_which_a_cluster_agrees(weights: np.ndarray) -> None:
    for partition in nested(weights, 2):
        assert sorted(row for cluster in partition for row in cluster) == list(range(len(weights)))
        for cluster in partition:
            parts = cells(weights, cluster)
            assert sorted(c for part in parts for c in part.columns) == list(range(weights.shape[1]))
            for part in parts:
                own = weights[list(cluster)][:, list(part.columns)]
                assert (own * own[0] == (own * own[0])[:, :1]).all()
