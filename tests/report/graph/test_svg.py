"""Drawings of networks and designs: everything named, nothing outside its box, hostile names harmless, equal bytes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from hwq.report.graph.metrics import text_width
from hwq.report.graph.scene import design_scene, network_scene
from hwq.report.graph.svg import draw
from tests.report.networks import plan_of, report_of, residual_network
from tests.target.designs import HOSTILE_LAYERS, mlp

NS = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """All texts of a drawing."""
    return [e.text or "" for e in ET.fromstring(svg).iter(f"{NS}text")]


@pytest.fixture(scope="module")
def design() -> str:
    """The drawing of a residual design."""
    network = residual_network()
    plan = plan_of(network)
    return draw(design_scene(network, plan, report_of(network, plan)))


def test_a_network_shows_every_stage_with_operation_shape_encoding() -> None:
    network = residual_network()
    found = texts(draw(network_scene(network)))
    for stage in ("stem", "block0.conv1", "block1.add", "pool", "fc"):
        assert stage in found
    assert "conv 3x3, pad 1, then 3 thresholds" in found
    assert "8x8x3 → 8x8x4" in found
    assert "sum pool 8x8" in found
    assert "gives UINT2, 0..3" in found
    assert "input 8x8x3, UINT8" in found


def test_a_design_shows_folding_cycles_depths_and_its_bottleneck(design: str) -> None:
    found = texts(design)
    assert "PE 1 x SIMD 1, folded, weights in lutram" in found
    assert "FIFO 40 x 2 bit" in found
    assert "9 216 cycles a frame" in found
    assert any("buffer 79 words" in t for t in found)
    assert design.count('<rect class="hot"') == 1


def test_skip_connections_are_drawn_apart(design: str) -> None:
    assert design.count('<path class="skip"') == 2
    assert '<text class="skiplabel"' in design


def test_colours_stand_in_every_element_for_renderers_without_style_sheets(design: str) -> None:
    root = ET.fromstring(design)
    shapes = [e for tag in ("rect", "path", "text") for e in root.iter(f"{NS}{tag}")]
    for e in shapes:
        assert re.fullmatch("#[0-9a-f]{6}", e.get("stroke" if e.get("fill") == "none" else "fill", "")), e.attrib
    assert len(shapes) > 50
    assert "var(" not in design


def test_the_style_sheet_only_darkens(design: str) -> None:
    style = next(ET.fromstring(design).iter(f"{NS}style")).text or ""
    assert style.startswith("@media (prefers-color-scheme:dark){")
    used = {e.get("class") for e in ET.fromstring(design).iter() if e.get("class")}
    assert used <= set(re.findall(r"svg \.(\w+)\{", style))


def test_no_text_is_wider_than_its_box(design: str) -> None:
    network = mlp(widths=(20,) * (len(HOSTILE_LAYERS) + 1), layers=HOSTILE_LAYERS)
    for svg in (design, draw(network_scene(network))):
        cards, box = 0, (0.0, 0.0)
        for e in ET.fromstring(svg).iter():
            if e.tag == f"{NS}rect" and e.get("class") in ("card", "hot"):
                cards += 1
                box = (float(e.attrib["x"]), float(e.attrib["x"]) + float(e.attrib["width"]))
            if cards and e.tag == f"{NS}text":
                size, bold = (13, True) if e.get("class") == "title" else (11, e.get("class") == "hottext")
                left = float(e.attrib["x"])
                assert box[0] < left
                assert left + text_width(e.text or "", size, bold=bold) < box[1]
        assert cards


def test_hostile_names_stay_text() -> None:
    names = ("<script>alert(1)</script>", 'a"onload="x', "a&amp;b", "nul\0\x1b[31m", "]]>", *HOSTILE_LAYERS)
    network = mlp(name="<script>", widths=(6,) * (len(names) + 1), layers=names)
    svg = draw(network_scene(network))
    kinds = {e.tag.removeprefix(NS) for e in ET.fromstring(svg).iter()}
    assert kinds == {"svg", "title", "style", "rect", "g", "path", "text"}
    assert "<script>alert(1)</script>" in texts(svg)


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from tests.report.networks import *;from hwq.report.graph.scene import design_scene;from hwq.report.graph.svg import draw;"
        "n=residual_network();p=plan_of(n);print(draw(design_scene(n,p,report_of(n,p))))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("0", "7")
    }
    assert len(runs) == 1
