"""Layered drawing of a directed acyclic graph: ranks by longest path, order by barycentres, straight main lines.

Sugiyama's scheme with two layers a rank: one of the vertices, and before it one of the labels of the edges that arrive, so that
a label has room of its own. Edges over several ranks pass through narrow places in the layers between. What the strongest edges
join forms vertical lines (as in Brandes and Koepf, Fast and simple horizontal coordinate assignment), each moved as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Layout", "Link", "layered"]

COLUMN_GAP = 26.0
LANE = 12.0  # room of an edge that passes a layer
ROW_GAP = 17.0
ORDER_SWEEPS = 10
PLACE_SWEEPS = 40
FAR = 1e9
# How strongly an edge pulls its ends into one vertical line.
MAIN, HALF_MAIN, PASSING, SHORT = 1000.0, 60.0, 300.0, 1.0


@dataclass(frozen=True)
class Link:
    """An edge between two vertices, by index, with room (width, height) for a label; no label where the width is 0."""

    source: int
    target: int
    label: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Layout:
    """Where everything stands, y downwards.

    ``centres`` are the middles (x, y) of the vertices; ``labels`` those of the links' labels. A route is a list of vertical
    pieces (x, from y, to y), from the source's lower side to the target's upper side.
    """

    centres: tuple[tuple[float, float], ...]
    labels: tuple[tuple[float, float], ...]
    routes: tuple[tuple[tuple[float, float, float], ...], ...]
    width: float
    height: float


def layered(sizes: Sequence[tuple[float, float]], links: Sequence[Link]) -> Layout:
    """Layout of vertices of the given (width, height); ``links`` lead from lower to higher indices.

    Raises ``ValueError`` for a link that does not.
    """
    for link in links:
        if not 0 <= link.source < link.target < len(sizes):
            raise ValueError(f"link {link.source} -> {link.target} leads backwards")
    grid = _Grid(sizes, links)
    grid.order()
    grid.place()
    return grid.layout()


@dataclass(frozen=True)
class _Pull:
    """A piece of an edge between two neighbouring layers."""

    upper: int
    lower: int
    weight: float


class _Grid:
    """Vertices, labels and passing edges ("places") in layers."""

    def __init__(self, sizes: Sequence[tuple[float, float]], links: Sequence[Link]) -> None:
        self.sizes, self.links = list(sizes), list(links)
        ranks = _ranks(len(sizes), links)
        self.layer_of = [2 * r for r in ranks]
        self.chains: list[list[int]] = []
        self.pulls: list[_Pull] = []
        weights = _weights(ranks, links)
        for link, weight in zip(links, weights, strict=True):
            self.chains.append(self._chain(link, weight))
        self.layers: list[list[int]] = [[] for _ in range(max(self.layer_of, default=0) + 1)]
        for place in _depth_first(len(self.sizes), self.pulls):
            self.layers[self.layer_of[place]].append(place)
        self.up: list[list[_Pull]] = [[] for _ in self.sizes]
        self.down: list[list[_Pull]] = [[] for _ in self.sizes]
        for pull in self.pulls:
            self.down[pull.upper].append(pull)
            self.up[pull.lower].append(pull)
        self.x = [0.0] * len(self.sizes)

    def _chain(self, link: Link, weight: float) -> list[int]:
        """The places of a link from its source to its target, new ones between them."""
        last = self.layer_of[link.target]
        chain = [link.source]
        for layer in range(self.layer_of[link.source] + 1, last):
            is_label = layer == last - 1 and link.label[0] > 0
            self.sizes.append(link.label if is_label else (LANE, 0.0))
            self.layer_of.append(layer)
            chain.append(len(self.sizes) - 1)
        chain.append(link.target)
        is_long = len(chain) > 3
        for n, (upper, lower) in enumerate(itertools.pairwise(chain)):
            inside = is_long and 0 < n < len(chain) - 2
            self.pulls.append(_Pull(upper, lower, PASSING if inside else weight))
        return chain

    # -- order within the layers

    def order(self) -> None:
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(ORDER_SWEEPS):
            downwards = sweep % 2 == 0
            for layer in self.layers if downwards else reversed(self.layers):
                self._sort(layer, self.up if downwards else self.down)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _sort(self, layer: list[int], side: list[list[_Pull]]) -> None:
        position = self._positions()

        def barycentre(place: int) -> float:
            others = [position[p.upper if p.lower == place else p.lower] for p in side[place]]
            return sum(others) / len(others) if others else position[place]

        keys = {place: barycentre(place) for place in layer}
        layer.sort(key=lambda place: (keys[place], position[place]))

    def _positions(self) -> dict[int, float]:
        """Place within its layer, as a share of it, so that layers of different sizes compare."""
        return {place: (n + 0.5) / len(layer) for layer in self.layers for n, place in enumerate(layer)}

    def _crossings(self) -> int:
        position = self._positions()
        by_layer: dict[int, list[tuple[float, float]]] = {}
        for p in self.pulls:
            by_layer.setdefault(self.layer_of[p.upper], []).append((position[p.upper], position[p.lower]))
        return sum(_inversions([low for _, low in sorted(pairs)]) for pairs in by_layer.values())

    # -- horizontal places

    def place(self) -> None:
        """Move every block towards what its pulls want, between its neighbours, until little changes."""
        blocks, block_of = self._blocks()
        position = {place: n for layer in self.layers for n, place in enumerate(layer)}
        for block in blocks:  # as far to the left as they go
            self._move(block, max(0.0, *(self._limit(p, position, -1) for p in block)))
        for sweep in range(PLACE_SWEEPS):
            for block in blocks if sweep % 2 else reversed(blocks):
                low = max(self._limit(p, position, -1) for p in block)
                high = min(self._limit(p, position, 1) for p in block)
                self._move(block, max(low, min(high, self._wanted(block, block_of))))

    def _blocks(self) -> tuple[list[list[int]], dict[int, int]]:
        """Places that stand in one vertical line: along the strongest pulls that do not cross. Left ones come first."""
        above = {p.lower: p.upper for p in self._aligned()}
        head: dict[int, int] = {}
        for place in (p for layer in self.layers for p in layer):
            head[place] = head[above[place]] if place in above else place
        blocks: dict[int, list[int]] = {}
        for place, first in head.items():
            blocks.setdefault(first, []).append(place)
        return _left_to_right(blocks, head, self.layers), head

    def _aligned(self) -> list[_Pull]:
        """Pulls that become straight: one up and one down a place, none across another."""
        position = {place: n for layer in self.layers for n, place in enumerate(layer)}
        taken: dict[int, list[tuple[int, int]]] = {}
        ups: set[int] = set()
        downs: set[int] = set()
        chosen = []
        for p in sorted(self.pulls, key=lambda p: -p.weight):
            a, b = position[p.upper], position[p.lower]
            others = taken.setdefault(self.layer_of[p.upper], [])
            if p.upper in downs or p.lower in ups or any((a - c) * (b - d) < 0 for c, d in others):
                continue
            others.append((a, b))
            downs.add(p.upper)
            ups.add(p.lower)
            chosen.append(p)
        return chosen

    def _limit(self, place: int, position: dict[int, int], side: int) -> float:
        """How far ``place`` may go to the left (-1) or right (1): up to its neighbour's distance."""
        layer, n = self.layers[self.layer_of[place]], position[place] + side
        if not 0 <= n < len(layer):
            return side * FAR
        other = layer[n]
        return self.x[other] - side * ((self.sizes[place][0] + self.sizes[other][0]) / 2 + COLUMN_GAP)

    def _wanted(self, block: list[int], block_of: dict[int, int]) -> float:
        """Mean place of what pulls at ``block`` from outside; where it stands when nothing does."""
        total = mass = 0.0
        for place in block:
            for p in (*self.up[place], *self.down[place]):
                other = p.upper if p.lower == place else p.lower
                if block_of[other] != block_of[place]:
                    total += p.weight * self.x[other]
                    mass += p.weight
        return total / mass if mass else self.x[block[0]]

    def _move(self, block: list[int], x: float) -> None:
        for place in block:
            self.x[place] = x

    # -- the result

    def layout(self) -> Layout:
        edge = min((x - size[0] / 2 for x, size in zip(self.x, self.sizes, strict=True)), default=0.0)
        x = [round(v - edge, 1) for v in self.x]
        tops, heights, bottom = self._rows(x)
        count = len(self.sizes) - sum(len(c) - 2 for c in self.chains)
        middle = [tops[layer] + heights[layer] / 2 for layer in self.layer_of]
        width = max((v + size[0] / 2 for v, size in zip(x, self.sizes, strict=True)), default=0.0)
        routes = []
        for chain in self.chains:
            route = []
            for place in chain:
                layer = self.layer_of[place]
                half = self.sizes[place][1] / 2 if place in (chain[0], chain[-1]) else heights[layer] / 2
                route.append((x[place], middle[place] - half, middle[place] + half))
            first, last = route[0], route[-1]
            routes.append(((first[0], first[2], first[2]), *route[1:-1], (last[0], last[1], last[1])))
        labels = tuple((x[c[-2]], middle[c[-2]]) for c in self.chains)
        return Layout(tuple(zip(x[:count], middle[:count], strict=True)), labels, tuple(routes), width, bottom)

    def _rows(self, x: list[float]) -> tuple[list[float], list[float], float]:
        """Upper side and height of every layer, and the lower end of all; wide bends get higher gaps."""
        heights = [max((self.sizes[p][1] for p in layer), default=0.0) for layer in self.layers]
        reach = [0.0] * len(self.layers)
        for p in self.pulls:
            layer = self.layer_of[p.upper]
            reach[layer] = max(reach[layer], abs(x[p.upper] - x[p.lower]))
        tops, at = [], 0.0
        for height, bend in zip(heights, reach, strict=True):
            tops.append(round(at, 1))
            at += height + ROW_GAP + min(24.0, bend * 0.05)
        return tops, heights, (tops[-1] + heights[-1]) if tops else 0.0


def _ranks(count: int, links: Sequence[Link]) -> list[int]:
    """Longest path from the sources; a vertex without any source stands right above its first reader."""
    ranks = [0] * count
    for link in sorted(links, key=lambda k: k.target):
        ranks[link.target] = max(ranks[link.target], ranks[link.source] + 1)
    fed = {link.target for link in links}
    for vertex in range(count):
        readers = [ranks[link.target] for link in links if link.source == vertex]
        if vertex not in fed and readers:
            ranks[vertex] = min(readers) - 1
    return ranks


def _weights(ranks: Sequence[int], links: Sequence[Link]) -> list[float]:
    """Pull of every link: strongest where it is the main way out of its source and the main way into its target."""
    below = [0] * len(ranks)
    for link in sorted(links, key=lambda k: -k.source):
        below[link.source] = max(below[link.source], below[link.target] + 1)

    def preference(n: int) -> tuple[int, int, int]:
        link = links[n]
        return (ranks[link.target] - ranks[link.source], below[link.source] - below[link.target], n)

    main_out: dict[int, int] = {}
    main_in: dict[int, int] = {}
    for n in sorted(range(len(links)), key=preference):
        main_out.setdefault(links[n].source, n)
        main_in.setdefault(links[n].target, n)
    both = [(main_out[k.source] == n) + (main_in[k.target] == n) for n, k in enumerate(links)]
    return [(SHORT, HALF_MAIN, MAIN)[b] for b in both]


def _depth_first(count: int, pulls: Sequence[_Pull]) -> list[int]:
    """All places, children right behind their parents: an order with few crossings to begin with."""
    children: list[list[int]] = [[] for _ in range(count)]
    is_root = [True] * count
    for p in pulls:
        children[p.upper].append(p.lower)
        is_root[p.lower] = False
    seen: dict[int, None] = {}
    for root in (n for n in range(count) if is_root[n]):
        stack = [root]
        while stack:
            place = stack.pop()
            if place not in seen:
                seen[place] = None
                stack.extend(reversed(children[place]))
    return list(seen)


def _inversions(values: Sequence[float]) -> int:
    """Pairs in the wrong order."""
    return sum(a > b for n, a in enumerate(values) for b in values[n + 1 :])


def _left_to_right(blocks: dict[int, list[int]], head: dict[int, int], layers: list[list[int]]) -> list[list[int]]:
    """Blocks in an order in which every one comes behind all that stand to its left in some layer."""
    rights: dict[int, list[int]] = {first: [] for first in blocks}
    waits = dict.fromkeys(blocks, 0)
    for layer in layers:
        for left, right in itertools.pairwise(layer):
            rights[head[left]].append(head[right])
            waits[head[right]] += 1
    ready = [first for first, count in waits.items() if not count]
    for first in ready:
        for right in rights[first]:
            waits[right] -= 1
            if not waits[right]:
                ready.append(right)
    return [blocks[first] for first in ready]
