"""The page of a design: complete, self-contained, hostile names harmless."""

from __future__ import annotations

from html.parser import HTMLParser

from hwq.report.page import design_page
from tests.report.networks import plan_of, report_of, residual_network


class Tags(HTMLParser):
    """Collects elements, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page(**options: str) -> Tags:
    network = residual_network(**options)  # type: ignore[arg-type]
    plan = plan_of(network)
    return Tags(design_page(report_of(network, plan), network, plan, "block0.conv1"))


def test_the_page_has_figures_graph_stages_buffers_and_resources() -> None:
    found = page()
    assert found.tags.count("svg") == 1
    assert found.tags.count("h2") == 5
    assert found.tags.count("table") == 4
    words = " ".join(found.texts)
    for text in ("frames a second", "block1.conv2", "conv 3x3, pad 1, then 3 thresholds", "The largest is the buffer of", "25 %"):
        assert text in words


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    found = page(prefix="<img src=x onerror=alert(1)>", name="</title><script>alert(1)</script>")
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    assert not {"src", "href", "onerror"} & {name for name, _ in found.attributes}
    assert "</title><script>alert(1)</script>" in found.texts
