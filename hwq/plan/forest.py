"""The cheapest choice of one option a node, where pairs of neighbours have prices too: exact on forests, by descent on graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forest"]

ROUNDS = 4

Prices = NDArray[np.float64]


class Forest:
    """Nodes 0, 1, ... with ``own[n]``, the price of every option of node n; :meth:`join` adds prices of pairs."""

    def __init__(self, own: Sequence[Prices]) -> None:
        self.own = [np.asarray(o, float) for o in own]
        self.pairs: dict[tuple[int, int], Prices] = {}

    def join(self, a: int, b: int, prices: Prices) -> None:
        """Add ``prices`` (options of a x options of b) for a pair of nodes."""
        if a > b:
            a, b, prices = b, a, prices.T
        self.pairs[a, b] = self.pairs.get((a, b), 0.0) + prices

    def solve(self) -> list[int]:
        """Number of the option chosen of every node: the cheapest whole, or near it where pairs close cycles."""
        closing = self._closing()
        tree = {pair: p for pair, p in self.pairs.items() if pair not in closing}
        choice = self._exact(tree, {})
        # Without the later node of every closing pair the rest is a forest.
        joints = sorted({b for _, b in closing})
        if not joints:
            return choice
        cost = self._price(choice)
        for _ in range(ROUNDS):
            choice = self._exact(self.pairs, {j: choice[j] for j in joints})
            for j in joints:
                choice[j] = int(self._conditional(j, choice).argmin())
            before, cost = cost, self._price(choice)
            if cost >= before:
                break
        return choice

    def _closing(self) -> set[tuple[int, int]]:
        """Pairs that close a cycle, in order of their nodes."""
        root = list(range(len(self.own)))

        def find(n: int) -> int:
            while root[n] != n:
                root[n] = root[root[n]]
                n = root[n]
            return n

        closing = set()
        for a, b in sorted(self.pairs, key=lambda p: (p[1], p[0])):
            left, right = find(a), find(b)
            if left == right:
                closing.add((a, b))
            root[left] = right
        return closing

    def _exact(self, pairs: Mapping[tuple[int, int], Prices], fixed: Mapping[int, int]) -> list[int]:
        """The cheapest choice of the nodes not ``fixed``, between which ``pairs`` form a forest."""
        own = [o.copy() for o in self.own]
        near: list[dict[int, Prices]] = [{} for _ in own]
        for (a, b), p in pairs.items():
            if a in fixed and b not in fixed:
                own[b] += p[fixed[a]]
            elif b in fixed and a not in fixed:
                own[a] += p[:, fixed[b]]
            elif a not in fixed:
                near[a][b], near[b][a] = p, p.T
        parent, order = self._rooted(near, fixed)
        behind: dict[int, NDArray[np.intp]] = {}
        for n in reversed(order):
            up = parent[n]
            if up >= 0:
                total = near[up][n] + own[n]
                behind[n] = total.argmin(1)
                own[up] += total.min(1)
        choice = [fixed.get(n, 0) for n in range(len(own))]
        for n in order:
            choice[n] = int(own[n].argmin()) if parent[n] < 0 else int(behind[n][choice[parent[n]]])
        return choice

    @staticmethod
    def _rooted(near: Sequence[Mapping[int, Prices]], fixed: Mapping[int, int]) -> tuple[dict[int, int], list[int]]:
        """Parent of every free node (-1: a root), and the nodes with parents first."""
        parent: dict[int, int] = {}
        order: list[int] = []
        for start in range(len(near)):
            if start in fixed or start in parent:
                continue
            parent[start] = -1
            waiting = [start]
            while waiting:
                n = waiting.pop()
                order.append(n)
                for other in near[n]:
                    if other not in parent:
                        parent[other] = n
                        waiting.append(other)
        return parent, order

    def _conditional(self, node: int, choice: Sequence[int]) -> Prices:
        """Prices of the options of ``node`` when all others stay."""
        total = self.own[node].copy()
        for (a, b), p in self.pairs.items():
            if a == node:
                total += p[:, choice[b]]
            elif b == node:
                total += p[choice[a]]
        return total

    def _price(self, choice: Sequence[int]) -> float:
        own = sum(float(o[k]) for o, k in zip(self.own, choice, strict=True))
        return own + sum(float(p[choice[a], choice[b]]) for (a, b), p in self.pairs.items())
