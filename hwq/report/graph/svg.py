"""A scene as SVG: readable on light and dark ground, every text inside its box, the same bytes on every run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from html import escape

from hwq.report.graph.layout import Link, layered
from hwq.report.graph.metrics import fitted, text_width
from hwq.report.graph.scene import Card, Scene, Wire
from hwq.report.table import printable

__all__ = ["draw"]

TITLE_SIZE, TEXT_SIZE, LABEL_SIZE = 13.0, 11.0, 10.0
LINE = 15.0
INSET, STRIPE = 10.0, 5.0
NARROWEST, WIDEST = 150.0, 330.0
LABEL_ROOM = 230.0
MARGIN = 16.0
BAR = 3.0
PORT_SPREAD = 12.0  # between edges that meet at one side of a box

STYLE = """
svg{--ground:#fff;--card:#f7f8fa;--rim:#c3c9d2;--ink:#1a1f27;--dim:#4c5665;--wire:#7d8795;--skip:#2563c4;--hot:#d4380d;--hotfill:#fff1ea;
--product:#3b76c4;--pool:#2f9e6b;--join:#9258c8;--other:#8a8f98;--port:#c08a1e}
@media (prefers-color-scheme:dark){svg{--ground:#14171c;--card:#20252d;--rim:#48515e;--ink:#eceff4;--dim:#aab4c2;--wire:#808b9b;
--skip:#7fb0ff;--hot:#ff7a45;--hotfill:#3a2118;--product:#5b9bf0;--pool:#46c48c;--join:#b98af0;--other:#9aa1ab;--port:#e0ae4a}}
text{font-family:'DejaVu Sans',Verdana,'Segoe UI',Helvetica,Arial,sans-serif;fill:var(--dim);font-size:11px}
.ground{fill:var(--ground)}.card{fill:var(--card);stroke:var(--rim)}.hot{fill:var(--hotfill);stroke:var(--hot);stroke-width:2}
.title{fill:var(--ink);font-size:13px;font-weight:bold}.label{font-size:10px;text-anchor:middle}.skiplabel{fill:var(--skip)}
.wire{fill:none;stroke:var(--wire);stroke-width:1.3}.skip{fill:none;stroke:var(--skip);stroke-width:1.8}
.head{fill:var(--wire)}.skiphead{fill:var(--skip)}.bar{fill:var(--rim)}.hottext{fill:var(--hot);font-weight:bold}.hotbar{fill:var(--hot)}
.product{fill:var(--product)}.pool{fill:var(--pool)}.join{fill:var(--join)}.other{fill:var(--other)}.port{fill:var(--port)}
""".strip()


def draw(scene: Scene) -> str:
    """The SVG text. Wires that pass by other stages are drawn in a colour of their own: skip connections."""
    cards = [_fit(card) for card in scene.cards]
    wires = [_fit_label(wire) for wire in scene.wires]
    # One width for all stages: what stands above one another then lines up.
    stage_width = max((_width(card) for card in cards if card.family != "port"), default=NARROWEST)
    sizes = [(_width(card) if card.family == "port" else stage_width, _height(card)) for card in cards]
    links = [Link(w.source, w.target, (text_width(w.label, LABEL_SIZE) + 8 if w.label else 0.0, LABEL_SIZE + 4)) for w in wires]
    layout = layered(sizes, links)
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    extent = f'viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {extent} role="img">',
        f"<title>{_text(scene.summary)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{_n(width)}" height="{_n(height)}"/>',
        f'<g transform="translate({_n(MARGIN)},{_n(MARGIN)})">',
    ]
    is_skip = [len(route) > 3 for route in layout.routes]
    leaves, arrives = _ports(layout.routes, wires)
    # The straight ones last: they are what the eye follows.
    for n in sorted(range(len(wires)), key=lambda n: not is_skip[n]):
        parts.append(_wire(layout.routes[n], leaves[n], arrives[n], is_skip[n]))
    for n, wire in enumerate(wires):
        if wire.label:
            parts.extend(_label(wire.label, layout.labels[n], links[n].label, is_skip[n]))
    for card, size, centre in zip(cards, sizes, layout.centres, strict=True):
        parts.extend(_card(card, size, centre))
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _fit(card: Card) -> Card:
    room = WIDEST - 2 * INSET - STRIPE
    lines = tuple(fitted(line.replace(" -> ", " → "), TEXT_SIZE, room, bold=card.is_bottleneck) for line in card.lines)
    return Card(fitted(card.title, TITLE_SIZE, room, bold=True), lines, card.family, card.share, card.is_bottleneck)


def _fit_label(wire: Wire) -> Wire:
    return Wire(wire.source, wire.target, fitted(wire.label, LABEL_SIZE, LABEL_ROOM))


def _width(card: Card) -> float:
    widest = max([text_width(card.title, TITLE_SIZE, bold=True), *(text_width(t, TEXT_SIZE, bold=card.is_bottleneck) for t in card.lines)])
    return min(WIDEST, max(NARROWEST, round(widest + 2 * INSET + STRIPE + 1)))


def _height(card: Card) -> float:
    return 12.0 + LINE * (1 + len(card.lines)) + (BAR + 5 if card.share is not None else 0.0)


def _card(card: Card, size: tuple[float, float], centre: tuple[float, float]) -> Iterator[str]:
    width, height = size
    x, y = centre[0] - width / 2, centre[1] - height / 2
    kind = "hot" if card.is_bottleneck else "card"
    yield f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="5"/>'
    yield f'<rect class="{card.family}" x="{_n(x + 1)}" y="{_n(y + 5)}" width="{_n(STRIPE - 1)}" height="{_n(height - 10)}" rx="1.5"/>'
    left, base = x + INSET + STRIPE, y + 18
    yield f'<text class="title" x="{_n(left)}" y="{_n(base)}">{_text(card.title)}</text>'
    for n, line in enumerate(card.lines, 1):
        hot = ' class="hottext"' if card.is_bottleneck and n == len(card.lines) else ""
        yield f'<text{hot} x="{_n(left)}" y="{_n(base + n * LINE)}">{_text(line)}</text>'
    if card.share is not None:
        room = width - 2 * INSET - STRIPE
        at = y + height - BAR - 6
        yield f'<rect class="bar" x="{_n(left)}" y="{_n(at)}" width="{_n(room)}" height="{_n(BAR)}" rx="1.5"/>'
        fill = "hotbar" if card.is_bottleneck else card.family
        yield f'<rect class="{fill}" x="{_n(left)}" y="{_n(at)}" width="{_n(max(1.0, room * card.share))}" height="{_n(BAR)}" rx="1.5"/>'


def _ports(routes: tuple[tuple[tuple[float, float, float], ...], ...], wires: list[Wire]) -> tuple[dict[int, float], dict[int, float]]:
    """Where every wire leaves and arrives: side by side, in the order of the places they come from or go to."""
    leaves: dict[int, float] = {}
    arrives: dict[int, float] = {}
    for places, end, near in ((leaves, 0, 1), (arrives, -1, -2)):
        groups: dict[int, list[int]] = {}
        for n, wire in enumerate(wires):
            groups.setdefault(wire.source if end == 0 else wire.target, []).append(n)
        for group in groups.values():
            middle = routes[group[0]][end][0]
            ordered = sorted(group, key=lambda n: (routes[n][near][0], n))
            straight = next((k for k, n in enumerate(ordered) if abs(routes[n][near][0] - middle) < 1), (len(ordered) - 1) / 2)
            places.update({n: middle + (k - straight) * PORT_SPREAD for k, n in enumerate(ordered)})
    return leaves, arrives


def _wire(route: tuple[tuple[float, float, float], ...], leaves: float, arrives: float, is_skip: bool) -> str:
    """A smooth line through the vertical pieces of ``route``, with an arrow head at its end."""
    tip = route[-1][1]
    pieces = [(leaves, *route[0][1:]), *route[1:-1], (arrives, tip - 5, tip - 5)]
    path = [f"M{_n(pieces[0][0])} {_n(pieces[0][2])}"]
    for (x0, _, y0), (x1, y1, y2) in itertools.pairwise(pieces):
        if abs(x0 - x1) < 0.6:
            path.append(f"L{_n(x1)} {_n(y1)}")
        else:
            bend = (y1 - y0) * 0.55
            path.append(f"C{_n(x0)} {_n(y0 + bend)} {_n(x1)} {_n(y1 - bend)} {_n(x1)} {_n(y1)}")
        if y2 > y1:
            path.append(f"V{_n(y2)}")
    line, head = ("skip", "skiphead") if is_skip else ("wire", "head")
    arrow = f"M{_n(arrives)} {_n(tip)}l-3.5 -6h7z"
    return f'<path class="{line}" d="{"".join(path)}"/><path class="{head}" d="{arrow}"/>'


def _label(text: str, centre: tuple[float, float], size: tuple[float, float], is_skip: bool) -> Iterator[str]:
    x, y = centre
    yield f'<rect class="ground" x="{_n(x - size[0] / 2)}" y="{_n(y - size[1] / 2)}" width="{_n(size[0])}" height="{_n(size[1])}"/>'
    yield f'<text class="label{" skiplabel" * is_skip}" x="{_n(x)}" y="{_n(y + 3.5)}">{_text(text)}</text>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    """``text`` as XML can hold it: names are the user's."""
    return escape(printable(text))
