"""Maximum matching in a general graph: which LUTs share sites at best."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence

__all__ = ["maximum_matching"]

FREE = -1
EVEN, ODD = 1, 2


def maximum_matching(neighbours: Sequence[Sequence[int]], start: Sequence[int] | None = None) -> list[int]:
    """The partner of every vertex, -1 for none, of a matching with the most edges; ``neighbours`` is symmetric, without loops.

    ``start`` is a matching to begin with, in the same form; its matched vertices stay matched. Without one, a greedy start
    takes vertices of the lowest degree first (Karp and Sipser, 1981). Then augmenting paths through blossoms (Edmonds, 1965)
    are found breadth first with a union-find structure. A search that fails leaves a tree that no later augmentation touches,
    so all failures together cost O(edges); a success costs as much as it has to look at.
    """
    partner = _greedy(neighbours) if start is None else list(start)
    search = _Search(neighbours, partner)
    for vertex in range(len(neighbours)):
        if partner[vertex] == FREE:
            search.augment(vertex)
    return partner


def _greedy(neighbours: Sequence[Sequence[int]]) -> list[int]:
    partner = [FREE] * len(neighbours)
    degree = [len(n) for n in neighbours]
    queue = [(d, v) for v, d in enumerate(degree) if d]
    heapq.heapify(queue)
    while queue:
        d, v = heapq.heappop(queue)
        if partner[v] != FREE or d != degree[v]:
            continue
        free = [u for u in neighbours[v] if partner[u] == FREE]
        if not free:
            continue
        u = min(free, key=lambda x: (degree[x], x))
        partner[v], partner[u] = u, v
        for taken in (v, u):
            for other in neighbours[taken]:
                if partner[other] == FREE:
                    degree[other] -= 1
                    heapq.heappush(queue, (degree[other], other))
    return partner


class _Search:
    """Alternating trees grown from one free vertex at a time.

    A vertex at an even distance from the root is EVEN, the others ODD; an odd cycle (blossom) is contracted to its base,
    and its ODD vertices become EVEN too. ``before[v]`` is the vertex that v takes as a partner if it loses its own.
    """

    def __init__(self, neighbours: Sequence[Sequence[int]], partner: list[int]) -> None:
        self.neighbours, self.partner = neighbours, partner
        count = len(partner)
        self.label, self.before, self.base = [0] * count, [FREE] * count, list(range(count))
        self.seen, self.clock = [0] * count, 0
        self.queue: deque[int] = deque()
        self.touched: list[int] = []

    def augment(self, root: int) -> bool:
        """Match ``root`` by an augmenting path if there is one."""
        self.touched, self.queue = [root], deque([root])
        self.label[root] = EVEN
        while self.queue:
            v = self.queue.popleft()
            for u in self.neighbours[v]:
                if self.label[u] == 0:
                    self._touch(u, v)
                    if self.partner[u] == FREE:
                        self._flip(u)
                        self._forget()
                        return True
                    self._make_even(self.partner[u])
                elif self.label[u] == EVEN and self._find(u) != self._find(v):
                    base = self._meeting(u, v)
                    self._contract(u, v, base)
                    self._contract(v, u, base)
        return False  # the labels stay: no path leads out of this tree, so later searches must not enter it

    def _touch(self, u: int, v: int) -> None:
        self.label[u], self.before[u] = ODD, v
        self.touched.append(u)

    def _make_even(self, v: int) -> None:
        if self.label[v] == 0:
            self.touched.append(v)
        self.label[v] = EVEN
        self.queue.append(v)

    def _flip(self, end: int) -> None:
        """Exchange matched and free edges from the free vertex ``end`` back to the root."""
        while end != FREE:
            start = self.before[end]
            following = self.partner[start]
            self.partner[end], self.partner[start] = start, end
            end = following

    def _forget(self) -> None:
        for v in self.touched:
            self.label[v], self.before[v], self.base[v] = 0, FREE, v

    def _find(self, v: int) -> int:
        root = v
        while self.base[root] != root:
            root = self.base[root]
        while self.base[v] != root:
            self.base[v], v = root, self.base[v]
        return root

    def _meeting(self, u: int, v: int) -> int:
        """The first base common to the ways from ``u`` and ``v`` to the root."""
        self.clock += 1
        while u != FREE or v != FREE:
            if u != FREE:
                u = self._find(u)
                if self.seen[u] == self.clock:
                    return u
                self.seen[u] = self.clock
                u = self.before[self.partner[u]] if self.partner[u] != FREE else FREE
            u, v = v, u
        raise RuntimeError("two trees at a time: a search that failed did not see all of its tree")

    def _contract(self, v: int, over: int, base: int) -> None:
        """Put the way from ``v`` to ``base`` into the blossom that the edge (v, over) closes."""
        while self._find(v) != base:
            self.before[v] = over
            over = self.partner[v]
            if self.label[over] == ODD:
                self._make_even(over)
            for w in (v, over):
                if self._find(w) == w:
                    self.base[w] = base
            v = self.before[over]
