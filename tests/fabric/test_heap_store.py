"""Stored schedules: each does its work, and better than the search."""

from __future__ import annotations

import re

import pytest

from hwq.fabric.heap import schedule_of
from hwq.fabric.heap_milp import solve, solve_by_stages
from hwq.fabric.heap_programme import Wanted
from hwq.fabric.heap_schedule import Schedule, levelled, price_of, priced
from hwq.fabric.heap_search import search
from hwq.fabric.heap_solve import Shape, improve
from hwq.fabric.heap_store import PATH, key, read, stored


def shape_of(name):
    """(heights, width, every, goal, rows) of a stored name."""
    heights, width, every, goal, rows = re.fullmatch(r"([\d,]*) width (\d+) every (\d+) (\w+) rows (.+)", name).groups()
    pair = re.fullmatch(r"\((\d+), (\d+)\)", rows)
    limit = (int(pair[1]), int(pair[2])) if pair else int(rows)
    return tuple(map(int, heights.split(","))), int(width), int(every), goal, limit


@pytest.mark.parametrize("name", sorted(read(PATH)))
def test_a_stored_schedule_levels_its_heap_for_no_more(name):
    heights, width, every, goal, rows = shape_of(name)
    kept = priced(heights, stored(heights, width, every, goal, rows), width, every)
    assert levelled(kept.left, rows)
    assert price_of(kept, goal) <= price_of(search(heights, width, every, goal, rows), goal)
    assert schedule_of(heights, width, every, goal, rows) == kept


def test_empty_columns_below_do_not_change_a_shape():
    assert key((0, 0, 5, 3, 0), 9, 1, "luts", 1) == (key((5, 3), 7, 1, "luts", 1)[0], 2)
    raised = schedule_of((0, 256), 10, True)
    assert (raised.luts, raised.left) == (schedule_of((256,), 9, True).luts, (0, *(1,) * 9))


def test_the_solver_finds_no_more_where_the_search_is_best():
    plan, better = improve(Shape((7,), 3, 1), seconds=5)
    assert (plan.luts, better) == (2, False)


def test_the_solver_reaches_the_smallest_counters_of_15_and_31_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("hwq.fabric.heap_solve.PATH", tmp_path / "schedules.json")
    # Two bits a site at most, so 15 to 4 takes six sites at least.
    plan, _ = improve(Shape((15,), 4, 1), seconds=20)
    assert 6 <= plan.luts <= 7


def test_a_heap_solved_stage_by_stage_keeps_its_limit_of_carries():
    for stages, atoms in [(4, "64p2tT"), (3, "2tT")]:
        plan = solve_by_stages(Wanted((20,), 5, 1, 1, stages, halves=3, atoms=atoms), seconds=60)
        assert plan.left == (1,) * 5
        assert plan.halves <= 3
        # A chain that is a ternary adder.
        assert any("tT" in placed.kind for stage in plan.stages for placed in stage)


def test_a_heap_solved_stage_by_stage_takes_at_most_a_site_more_than_one_solved_at_once():
    wanted = Wanted((13,), 4, 1, 1, 3, halves=3)
    whole, parts = solve(wanted, seconds=60), solve_by_stages(wanted, seconds=60)
    assert parts.luts <= whole.luts + 1
    assert max(parts.halves, whole.halves) <= 3


def test_a_heap_that_carries_cannot_level_has_no_schedule():
    assert solve_by_stages(Wanted((31,), 5, 1, 1, 1, halves=1), seconds=60) is None


def test_of_schedules_that_keep_a_limit_of_carries_the_one_of_fewest_luts_is_best():
    small, even = (Schedule((256,), (), (), luts, 0, halves, 0, 7) for luts, halves in ((145, 38), (139, 40)))
    free, limited = Shape((256,), 9, 1, "slices"), Shape((256,), 9, 1, "slices", halves=40)
    assert free.price(small) < free.price(even)
    assert limited.price(even) < limited.price(small)
    assert limited.price(even) < limited.price(Schedule((256,), (), (), 131, 0, 54, 0, 6))
