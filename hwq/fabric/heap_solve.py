"""Solves heaps offline and keeps what is better than the search finds: ``python -m hwq.fabric.heap_solve 16,32 --width 7 --every 1``.

Without a heap it goes through :data:`SHAPES`. The results go to ``schedules.json`` beside this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwq.fabric.heap_milp import solve, solve_by_stages
from hwq.fabric.heap_programme import Wanted
from hwq.fabric.heap_schedule import Schedule, price_of, priced
from hwq.fabric.heap_search import search
from hwq.fabric.heap_store import PATH, key, read, stored, text_of, write

__all__ = ["SHAPES", "Shape", "improve", "main"]

GOALS = ("luts", "levels", "slices")


@dataclass(frozen=True)
class Shape:
    """A heap to solve: see :func:`hwq.fabric.heap.schedule_of`.

    ``halves``: CARRY8 halves that a schedule of the goal "slices" may fill; fewer count for nothing then, so that it takes fewest LUTs.
    """

    heights: tuple[int, ...]
    width: int
    every: int = 1
    goal: str = "luts"
    rows: int | tuple[int, int] = 1
    halves: int | None = None

    def price(self, schedule: Schedule) -> tuple[float, ...]:
        """What the goal makes least: :func:`hwq.fabric.heap_schedule.price_of`."""
        first, *others = price_of(schedule, self.goal)
        return (first if self.halves is None else max(first, self.halves / 2), *others)


#: Popcounts, and the heaps behind fused adders of binary lanes (``simd / 2`` carries, ``chains`` sums), with an adder of
#: their own or an accumulator's; a lane of 64 ternary weights that come with their sum.
SHAPES = (
    *(Shape((n,), n.bit_length(), every) for n in (8, 16, 32, 64, 128, 256) for every in (0, 1)),
    Shape((256,), 9, 1, "slices", halves=40),
    *(Shape((k, n // 2), n.bit_length(), every) for n in (16, 32, 64, 128) for k in (n // 8, n // 4) for every in (0, 1)),
    *(Shape((n // 8, n // 2), n.bit_length(), rows=rows) for n in (32, 64, 128) for rows in ((4, 2), (2, 2))),
    *(Shape((1, 9, 33, 1, 1, 1, 1), 8, rows=rows) for rows in (1, (4, 2), (2, 2))),
)


def improve(shape: Shape, seconds: float, more_stages: int = 1) -> tuple[Schedule, bool]:
    """The best schedule known for a shape, and whether the solver just found it."""
    place = (shape.heights, shape.width, shape.every, shape.goal, shape.rows)
    best = search(*place)
    known = stored(*place)
    if known is not None:
        best = min(best, priced(shape.heights, known, shape.width, shape.every), key=shape.price)
    stages = len(best.stages)
    found = [_solved(shape, n, seconds, best) for n in range(max(1, stages - 1), stages + more_stages + 1)]
    better = min((s for s in found if s is not None), key=shape.price, default=best)
    if shape.price(better) < shape.price(best):
        name, low = key(*place)
        shifted = [tuple(type(p)(p.kind, p.column - low, p.times) for p in stage) for stage in better.stages]
        write(PATH, {**read(PATH), name: [text_of(stage) for stage in shifted]})
        return better, True
    return best, False


def _solved(shape: Shape, stages: int, seconds: float, best: Schedule) -> Schedule | None:
    """For slices, stage after stage: with the CARRY8 given, or about as many as LUTs fill."""
    wanted = Wanted(shape.heights, shape.width, shape.every, shape.rows, stages)
    if shape.goal != "slices":
        return solve(wanted, seconds)
    full = -(-best.luts // 8)
    limits = (shape.halves,) if shape.halves is not None else (2 * (full + 2), 2 * (full + 3))
    found = [s for s in (solve_by_stages(replace(wanted, halves=n), seconds) for n in limits) if s is not None]
    return min(found, key=shape.price, default=None)


def _rows(text: str) -> int | tuple[int, int]:
    first, _, others = text.partition(",")
    return (int(first), int(others)) if others else int(first)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads heights, least column first, separated by commas."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("heights", nargs="?")
    parser.add_argument("--width", type=int)
    parser.add_argument("--every", type=int, default=1, help="flip-flops after so many stages, 0: combinational")
    parser.add_argument("--goal", choices=GOALS, default="luts")
    parser.add_argument("--rows", type=_rows, default=1, help="rows left; two numbers: of column 0, of the others")
    parser.add_argument("--halves", type=int, help="of goal slices: CARRY8 halves it may fill, for fewest LUTs")
    parser.add_argument("--seconds", type=float, default=30, help="for every programme that is solved")
    given = parser.parse_args(arguments)
    shapes: tuple[Shape, ...] = SHAPES
    if given.heights:
        heights = tuple(map(int, given.heights.split(",")))
        width = given.width or sum(h << k for k, h in enumerate(heights)).bit_length()
        shapes = (Shape(heights, width, given.every, given.goal, given.rows, given.halves),)
    for shape in shapes:
        improve(shape, given.seconds)


if __name__ == "__main__":
    main()
