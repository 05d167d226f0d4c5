"""Maximum matching against an exhaustive search and known graphs."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from hwq.fabric.matching import maximum_matching

Edges = list[tuple[int, int]]


def graph(vertices: int, edges: Edges) -> list[list[int]]:
    found: list[set[int]] = [set() for _ in range(vertices)]
    for a, b in edges:
        if a != b:
            found[a].add(b)
            found[b].add(a)
    return [sorted(f) for f in found]


def most_edges(neighbours: list[list[int]]) -> int:
    """By trying everything: the first free vertex stays alone or takes any free neighbour."""

    @cache
    def best(free: frozenset[int]) -> int:
        if not free:
            return 0
        v = min(free)
        rest = free - {v}
        return max([best(rest), *(1 + best(rest - {u}) for u in neighbours[v] if u in rest)])

    return best(frozenset(range(len(neighbours))))


def size(neighbours: list[list[int]]) -> int:
    partner = maximum_matching(neighbours)
    for v, u in enumerate(partner):
        assert u == -1 or (partner[u] == v and u in neighbours[v])
    return sum(u >= 0 for u in partner) // 2


@given(
    st.integers(1, 11).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=24))
    )
)
def test_as_many_edges_as_an_exhaustive_search(case: tuple[int, Edges]) -> None:
    neighbours = graph(*case)
    assert size(neighbours) == most_edges(neighbours)


def test_odd_cycles_joined_by_bridges() -> None:
    # Triangles in a row, each joined to the next: only through their blossoms can the two ends be matched.
    triangles = 40
    edges = [(3 * t + a, 3 * t + b) for t in range(triangles) for a, b in ((0, 1), (1, 2), (0, 2))]
    edges += [(3 * t + 2, 3 * t + 3) for t in range(triangles - 1)]
    assert size(graph(3 * triangles, edges)) == 3 * triangles // 2


def test_a_star_has_one_and_nothing_has_none() -> None:
    assert size(graph(50, [(0, v) for v in range(1, 50)])) == 1
    assert maximum_matching([]) == []
    assert maximum_matching([[], []]) == [-1, -1]


def test_petersen_graph_is_matched_whole() -> None:
    edges = [(k, (k + 1) % 5) for k in range(5)] + [(5 + k, 5 + (k + 2) % 5) for k in range(5)] + [(k, k + 5) for k in range(5)]
    assert size(graph(10, edges)) == 5
