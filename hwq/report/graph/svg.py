"""A scene as SVG: readable on light and dark ground, every text inside its box, the same bytes on every run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
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

# What is drawn in which colour: on light ground, where it stands in every element for renderers that know no more than SVG; on dark.
COLOURS = {
    "ground": ("#ffffff", "#14171c"),
    "card": ("#f7f8fa", "#20252d"),
    "rim": ("#c3c9d2", "#48515e"),
    "ink": ("#1a1f27", "#eceff4"),
    "dim": ("#4c5665", "#aab4c2"),
    "wire": ("#7d8795", "#808b9b"),
    "skip": ("#2563c4", "#7fb0ff"),
    "hot": ("#d4380d", "#ff7a45"),
    "hotfill": ("#fff1ea", "#3a2118"),
    "product": ("#3b76c4", "#5b9bf0"),
    "pool": ("#2f9e6b", "#46c48c"),
    "join": ("#9258c8", "#b98af0"),
    "other": ("#8a8f98", "#9aa1ab"),
    "port": ("#c08a1e", "#e0ae4a"),
}
FONT = "'DejaVu Sans',Verdana,'Segoe UI',Helvetica,Arial,sans-serif"


@dataclass(frozen=True)
class _Look:
    """Colours by name, and the attributes of a class of elements that are no colours."""

    fill: str
    stroke: str = ""
    more: str = ""


LOOKS = {
    **{name: _Look(name) for name in ("ground", "product", "pool", "join", "other", "port")},
    "card": _Look("card", "rim"),
    "hot": _Look("hotfill", "hot", 'stroke-width="2"'),
    "bar": _Look("rim"),
    "hotbar": _Look("hot"),
    "wire": _Look("none", "wire", 'stroke-width="1.3"'),
    "skip": _Look("none", "skip", 'stroke-width="1.8"'),
    "head": _Look("wire"),
    "skiphead": _Look("skip"),
    "title": _Look("ink", "", 'font-size="13" font-weight="bold"'),
    "line": _Look("dim"),
    "hottext": _Look("hot", "", 'font-weight="bold"'),
    "label": _Look("dim", "", 'font-size="10" text-anchor="middle"'),
    "skiplabel": _Look("skip", "", 'font-size="10" text-anchor="middle"'),
}


def _look(name: str) -> str:
    """The attributes of an element of class ``name``."""
    look = LOOKS[name]
    stroke = f' stroke="{COLOURS[look.stroke][0]}"' if look.stroke else ""
    fill = COLOURS[look.fill][0] if look.fill in COLOURS else look.fill
    return f'class="{name}" fill="{fill}"{stroke}' + (f" {look.more}" if look.more else "")


def _dark() -> str:
    """The style sheet: other colours where the reader's screen is dark, and nothing else."""
    rules = []
    for name, look in LOOKS.items():
        parts = ((p, c) for p, c in (("fill", look.fill), ("stroke", look.stroke)) if c in COLOURS)
        rules.append(f"svg .{name}{{{';'.join(f'{p}:{COLOURS[c][1]}' for p, c in parts)}}}")
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"


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
        f"<style>{_dark()}</style>",
        f'<rect {_look("ground")} width="{_n(width)}" height="{_n(height)}"/>',
        f'<g font-family="{FONT}" font-size="11" transform="translate({_n(MARGIN)},{_n(MARGIN)})">',
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
    yield f'<rect {_look(kind)} x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="5"/>'
    yield f'<rect {_look(card.family)} x="{_n(x + 1)}" y="{_n(y + 5)}" width="{_n(STRIPE - 1)}" height="{_n(height - 10)}" rx="1.5"/>'
    left, base = x + INSET + STRIPE, y + 18
    yield f'<text {_look("title")} x="{_n(left)}" y="{_n(base)}">{_text(card.title)}</text>'
    for n, line in enumerate(card.lines, 1):
        is_hot = card.is_bottleneck and n == len(card.lines)
        yield f'<text {_look("hottext" if is_hot else "line")} x="{_n(left)}" y="{_n(base + n * LINE)}">{_text(line)}</text>'
    if card.share is not None:
        room = width - 2 * INSET - STRIPE
        at = y + height - BAR - 6
        yield f'<rect {_look("bar")} x="{_n(left)}" y="{_n(at)}" width="{_n(room)}" height="{_n(BAR)}" rx="1.5"/>'
        fill = "hotbar" if card.is_bottleneck else card.family
        yield f'<rect {_look(fill)} x="{_n(left)}" y="{_n(at)}" width="{_n(max(1.0, room * card.share))}" height="{_n(BAR)}" rx="1.5"/>'


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
    return f'<path {_look(line)} d="{"".join(path)}"/><path {_look(head)} d="{arrow}"/>'


def _label(text: str, centre: tuple[float, float], size: tuple[float, float], is_skip: bool) -> Iterator[str]:
    x, y = centre
    yield f'<rect {_look("ground")} x="{_n(x - size[0] / 2)}" y="{_n(y - size[1] / 2)}" width="{_n(size[0])}" height="{_n(size[1])}"/>'
    yield f'<text {_look("skiplabel" if is_skip else "label")} x="{_n(x)}" y="{_n(y + 3.5)}">{_text(text)}</text>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    """``text`` as XML can hold it: names are the user's."""
    return escape(printable(text))
