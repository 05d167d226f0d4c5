"""Balance: memories moved from a resource that runs short to one that does not, lanes left as they are."""

from __future__ import annotations

from collections.abc import Mapping

from hwq.plan.candidates import Candidates, Fold, price
from hwq.plan.resources import Resources

__all__ = ["balanced", "overuse"]

MOVES = 1000


def overuse(cost: Resources, allowance: Resources) -> dict[str, float]:
    """What of ``cost`` goes beyond ``allowance``, as shares of it."""
    return {name: share for name, share in cost.fraction_of(allowance).items() if share > 1}


def balanced(
    folds: Mapping[str, Fold], total: Resources, candidates: Mapping[str, Candidates], allowance: Resources, prices: Mapping[str, float]
) -> tuple[dict[str, Fold], Resources]:
    """``folds`` of cost ``total`` with other memories, one move after the other, until all fits or no move helps.

    Each move takes from the resource that is shortest, at the least price a share, and brings no other one over its allowance.
    """
    folds = dict(folds)
    for _ in range(MOVES):
        over = overuse(total, allowance)
        if not over:
            break
        short = max(over, key=lambda r: over[r])
        best: tuple[float, str, Fold, Resources] | None = None
        for name, fold in folds.items():
            for other in candidates[name].alternatives(fold):
                gain = getattr(fold.cost, short) - getattr(other.cost, short)
                after = _exchanged(total, fold.cost, other.cost)
                if gain <= 0 or any(r not in over for r in overuse(after, allowance)):
                    continue
                rate = (price(other.cost, prices) - price(fold.cost, prices)) / gain
                if best is None or rate < best[0]:
                    best = rate, name, other, after
        if best is None:
            break
        _, name, other, total = best
        folds[name] = other
    return folds, total


def _exchanged(total: Resources, out: Resources, into: Resources) -> Resources:
    return Resources(**{name: amount + getattr(into, name) - getattr(out, name) for name, amount in total.as_dict().items()})
