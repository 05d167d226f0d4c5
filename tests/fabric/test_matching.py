"""Maximum matching against an exhaustive search and known graphs."""

from __future__ import annotations

import random
from functools import cache

import pytest
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


def size(neighbours: list[list[int]], start: list[int] | None = None) -> int:
    partner = maximum_matching(neighbours, start)
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


def start_of(vertices: int, edges: Edges) -> list[int]:
    """The matching that takes each of ``edges`` in turn whose ends are both free."""
    partner = [-1] * vertices
    for a, b in edges:
        if a != b and partner[a] < 0 and partner[b] < 0:
            partner[a], partner[b] = b, a
    return partner


@pytest.mark.parametrize("density", [1.0, 1.3, 1.8])
def test_no_start_is_too_bad(density: float) -> None:
    rng = random.Random(2)
    for _ in range(250):
        n = rng.randint(4, 11)
        edges = [(rng.randrange(n), rng.randrange(n)) for _ in range(int(density * n))]
        neighbours = graph(n, edges)
        most = most_edges(neighbours)
        assert [size(neighbours, start_of(n, taken)) for taken in (edges, edges[::-1], edges[:1], [])] == [most] * 4


def test_paths_whose_middle_edges_are_taken_first() -> None:
    # Of a path of 2k + 1 edges the second, fourth, ... are taken: one augmenting path turns all of them round.
    for k in (1, 2, 7):
        edges = [(v, v + 1) for v in range(2 * k + 1)]
        assert size(graph(2 * k + 2, edges), start_of(2 * k + 2, edges[1::2])) == k + 1


@pytest.mark.parametrize(("cycle", "stem", "out"), [(c, s, o) for c in (3, 5, 9) for s in (0, 2, 4) for o in range(1, c)])
def test_a_way_out_of_a_flower(cycle: int, stem: int, out: int) -> None:
    # A free vertex, a stem of an even number of edges to an odd cycle, and a free vertex at one of the cycle's others: whichever it
    # is, one way round the cycle reaches it.
    tip = stem
    ring = [tip, *range(stem + 1, stem + cycle)]
    edges = [(v, v + 1) for v in range(stem)] + list(zip(ring, [*ring[1:], tip], strict=True))
    last = stem + cycle
    edges.append((ring[out], last))
    taken = [(v, v + 1) for v in range(1, stem, 2)] + [(ring[k], ring[k + 1]) for k in range(1, cycle, 2)]
    neighbours = graph(last + 1, edges)
    assert size(neighbours, start_of(last + 1, taken)) == (last + 1) // 2
    mirrored = graph(last + 1, [(last - a, last - b) for a, b in edges])
    assert size(mirrored, start_of(last + 1, [(last - a, last - b) for a, b in taken])) == (last + 1) // 2


def test_a_blossom_within_a_blossom() -> None:
    # A triangle's base and ends in a cycle of five whose tip is free, and a free vertex at the triangle's far corner.
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (1, 3), (2, 5), (5, 6), (6, 2), (6, 7)]
    neighbours = graph(8, edges)
    assert size(neighbours, start_of(8, [(1, 2), (3, 4), (5, 6)])) == 4 == most_edges(neighbours)


def test_where_leaves_first_is_not_enough() -> None:
    # Lowest degree first leaves three of these nine alone.
    neighbours = graph(9, [(1, 3), (1, 4), (1, 8), (2, 3), (2, 6), (2, 7), (4, 5), (5, 8), (6, 7)])
    assert size(neighbours) == 4 == most_edges(neighbours)


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
