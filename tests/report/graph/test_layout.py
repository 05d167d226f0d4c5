"""Layered drawings: ranks, distances, straight lines, no crossing that a better order avoids."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.report.graph.layout import COLUMN_GAP, Link, layered

SIZE = (100.0, 40.0)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[Link]]:
    """Random acyclic graphs with boxes of several sizes, some links with labels."""
    count = draw(st.integers(1, 14))
    sizes = draw(st.lists(st.tuples(st.floats(20, 200), st.floats(10, 90)), min_size=count, max_size=count))
    pairs = draw(st.lists(st.sampled_from(list(itertools.combinations(range(count), 2)) or [(0, 0)]), max_size=25))
    labels = draw(st.lists(st.sampled_from([(0.0, 0.0), (60.0, 14.0)]), min_size=len(pairs), max_size=len(pairs)))
    return sizes, [Link(a, b, label) for (a, b), label in zip(pairs, labels, strict=True) if a < b]


def overlaps(a: tuple[float, float], sa: tuple[float, float], b: tuple[float, float], sb: tuple[float, float]) -> bool:
    """Whether two boxes, by centre and size, share a point inside."""
    return abs(a[0] - b[0]) < (sa[0] + sb[0]) / 2 - 0.2 and abs(a[1] - b[1]) < (sa[1] + sb[1]) / 2 - 0.2


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_box_or_label_lies_over_another_and_edges_lead_down(graph: tuple[list[tuple[float, float]], list[Link]]) -> None:
    sizes, links = graph
    layout = layered(sizes, links)
    boxes = list(zip(layout.centres, sizes, strict=True))
    boxes += [(c, link.label) for c, link in zip(layout.labels, links, strict=True) if link.label[0]]
    for (a, sa), (b, sb) in itertools.combinations(boxes, 2):
        assert not overlaps(a, sa, b, sb)
    for (x, y), (w, h) in boxes:
        assert -0.1 <= x - w / 2 <= x + w / 2 <= layout.width + 0.1
        assert -0.1 <= y - h / 2 <= y + h / 2 <= layout.height + 0.1
    for link, route in zip(links, layout.routes, strict=True):
        assert route[0][1] == pytest.approx(layout.centres[link.source][1] + sizes[link.source][1] / 2)
        assert route[-1][1] == pytest.approx(layout.centres[link.target][1] - sizes[link.target][1] / 2)
        ends = [y for _, top, bottom in route for y in (top, bottom)]
        assert ends == sorted(ends)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_passing_edges_keep_their_distance_to_boxes(graph: tuple[list[tuple[float, float]], list[Link]]) -> None:
    sizes, links = graph
    layout = layered(sizes, links)
    for link, route in zip(links, layout.routes, strict=True):
        for x, top, bottom in route[1:-1]:
            for n, ((cx, cy), (w, h)) in enumerate(zip(layout.centres, sizes, strict=True)):
                if n not in (link.source, link.target) and top < cy + h / 2 and bottom > cy - h / 2:
                    assert abs(x - cx) >= w / 2 + COLUMN_GAP - 0.2


def test_the_main_line_of_a_residual_network_is_straight() -> None:
    links, last = [], 0
    for n in range(1, 61, 3):
        links += [Link(last, n), Link(n, n + 1), Link(n + 1, n + 2, (50.0, 14.0)), Link(last, n + 2)]
        last = n + 2
    layout = layered([SIZE] * 61, links)
    assert len({x for x, _ in layout.centres}) == 1
    skips = [route for link, route in zip(links, layout.routes, strict=True) if link.target - link.source == 3]
    assert all(len({x for x, _, _ in route[1:-1]}) == 1 for route in skips)


def test_branches_of_a_fork_do_not_cross() -> None:
    # Two branches of three, given in the opposite order at the join.
    links = [Link(0, 1), Link(0, 2), Link(1, 3), Link(2, 4), Link(4, 5), Link(3, 6), Link(5, 7), Link(6, 7)]
    layout = layered([SIZE] * 8, links)
    x = [c[0] for c in layout.centres]
    assert (x[1] < x[2]) == (x[3] < x[4]) == (x[6] < x[5])


def test_a_second_input_stands_right_above_its_reader() -> None:
    links = [Link(0, 1), Link(1, 2), Link(2, 4), Link(3, 4)]
    layout = layered([SIZE] * 5, links)
    assert layout.centres[3][1] == layout.centres[2][1]


def test_a_link_that_leads_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="leads backwards"):
        layered([SIZE, SIZE], [Link(1, 0)])
