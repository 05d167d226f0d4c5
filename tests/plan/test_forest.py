from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.plan.forest import Forest


def made(seed: int, sizes: list[int], pairs: list[tuple[int, int]]) -> Forest:
    rng = np.random.default_rng(seed)
    forest = Forest([rng.integers(0, 50, n) for n in sizes])
    for a, b in pairs:
        forest.join(a, b, rng.integers(0, 50, (sizes[a], sizes[b])))
    return forest


def cheapest(forest: Forest) -> float:
    """Price of the best choice, by trying all."""
    return min(forest._price(c) for c in itertools.product(*(range(len(o)) for o in forest.own)))


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=6)


@given(st.integers(0, 999), sizes, st.data())
@settings(max_examples=60, deadline=None)
def test_a_forest_is_solved_exactly(seed: int, n: list[int], data: st.DataObject) -> None:
    # Every node but the first may hang on an earlier one.
    parents = [data.draw(st.integers(-1, k - 1)) for k in range(1, len(n))]
    pairs = [(p, k) for k, p in enumerate(parents, 1) if p >= 0]
    forest = made(seed, n, [(b, a) if (a + b) % 2 else (a, b) for a, b in pairs])
    assert forest._price(forest.solve()) == cheapest(forest)


@given(st.integers(0, 999), sizes, st.data())
@settings(max_examples=60, deadline=None)
def test_a_choice_on_a_graph_cannot_be_bettered_at_one_node(seed: int, n: list[int], data: st.DataObject) -> None:
    every = list(itertools.combinations(range(len(n)), 2))
    pairs = [p for p in every if data.draw(st.booleans())]
    forest = made(seed, n, pairs)
    choice = forest.solve()
    assert all(0 <= k < size for k, size in zip(choice, n, strict=True))
    joints = {b for _, b in forest._closing()}
    assert all(forest._conditional(j, choice).min() == forest._conditional(j, choice)[choice[j]] for j in joints)


def test_prices_of_one_pair_add_up() -> None:
    forest = Forest([np.zeros(2), np.zeros(2)])
    forest.join(0, 1, np.array([[0.0, 9.0], [9.0, 1.0]]))
    forest.join(1, 0, np.array([[5.0, 0.0], [0.0, 0.0]]))
    assert forest.solve() == [1, 1]


def test_a_diamond_whose_branches_pull_apart() -> None:
    # 0 feeds 1 and 2, which meet in 3: all like each other, 0 would rather stand alone.
    alike = np.array([[0.0, 10.0], [10.0, 0.0]])
    forest = Forest([np.array([1.0, 0.0]), np.array([0.0, 3.0]), np.array([0.0, 3.0]), np.array([0.0, 3.0])])
    for a, b in ((0, 1), (0, 2), (1, 3), (2, 3)):
        forest.join(a, b, alike)
    assert forest.solve() == [0, 0, 0, 0]
