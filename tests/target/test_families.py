"""Designs for 7 series: their carry cells, no slices of UltraScale, accepted by Yosys for that family, exact as cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwq.errors import InputError, Problems
from hwq.network.graph import Network
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.goal import Goal
from hwq.plan.planner import plan_network
from hwq.target.boards import load_device
from hwq.target.design import Design, elaborate
from hwq.target.package import write_package
from hwq.target.synthesis import synthesize
from hwq.target.tools import yosys
from hwq.verify.ladder import verify
from tests.gateware.cases import chain, dense
from tests.target.designs import model_of

NETWORKS = {"INT8": ("INT8", 8, "INT8"), "BIPOLAR": ("BIPOLAR", 24, "BIPOLAR")}
STAGE = StageDraft("conv0", pe=2, simd=4)
needs_yosys = pytest.mark.skipif(yosys() is None, reason="needs Yosys")


def network_of(kind: str) -> Network:
    x, mw, w = NETWORKS[kind]
    return chain(x, mw, dense(np.random.default_rng(3), mw, 4, w))


def design_of(kind: str, board: str = "arty-a7-100", primitives: str = "portable") -> Design:
    network, device = network_of(kind), load_device(board)
    draft = PlanDraft(stages={"conv0": replace(STAGE, simd=8 if kind == "BIPOLAR" else 4)})
    plan = plan_network(network, device, Goal(), base=draft)
    return elaborate(network, plan, primitives=primitives, family=device.family)


@pytest.mark.parametrize("primitives", ["portable", "structural", "unisim"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_the_text_names_no_cell_that_the_family_lacks(kind: str, primitives: str) -> None:
    text = design_of(kind, primitives=primitives).verilog
    assert "CARRY8" not in text
    assert "DSP48E2" not in text
    assert "dsp48e2" not in text
    assert "CARRY4" in text or kind == "INT8"


def test_ultrascale_keeps_its_own() -> None:
    assert "DSP48E2" in design_of("INT8", "vu9p").verilog
    assert "CARRY8" in design_of("BIPOLAR", "vu9p").verilog


@needs_yosys
@pytest.mark.parametrize("kind", [pytest.param("INT8", marks=pytest.mark.slow), "BIPOLAR"])
def test_synthesis_finds_every_cell(kind: str) -> None:
    design = design_of(kind)
    modules = synthesize({f"{design.top}.v": design.verilog} | {f.name: f.text for f in design.memories}, design.top, family="xc7")
    inside = (c["type"] for m in modules.values() if not {"blackbox", "whitebox"} & set(m["attributes"]) for c in m["cells"].values())
    types = set(inside)
    assert "CARRY4" in types or any("carry4" in t for t in types)
    assert ("DSP48E1" in types) == (kind == "INT8")
    assert types <= modules.keys()


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_cells_give_the_codes_of_the_golden_network(kind: str, tmp_path: Path) -> None:
    design = design_of(kind)
    write_package(design, model_of(design.network), tmp_path / "d", load_device("arty-a7-100"))
    certificate = verify(tmp_path / "d", engines=["batch"], frames=60, primitives="structural")
    assert certificate.bit_exact
    assert certificate.cycles_exact


@pytest.mark.parametrize("field", ["multiplier", "accumulator"])
def test_slices_that_are_not_there_are_refused(field: str) -> None:
    draft = PlanDraft(stages={"conv0": replace(STAGE, **{field: "dsp"})})
    with pytest.raises(Problems, match=f"{field} is 'dsp'.*family 7series"):
        plan_network(network_of("INT8"), load_device("pynq-z2"), base=draft)


def test_a_plan_of_another_family_is_refused() -> None:
    network = network_of("INT8")
    plan = plan_network(network, load_device("vu9p"), base=PlanDraft(stages={"conv0": STAGE}))
    with pytest.raises(InputError, match="family 7series") as caught:
        elaborate(network, plan, family="7series")
    assert caught.value.code == "TARGET-SLICES"
    assert "CARRY8" in elaborate(network, replace(plan, target="vu9p")).verilog


@pytest.mark.parametrize(("primitives", "macros"), [("portable", 2), ("structural", 1), ("unisim", 0)])
def test_vivado_gets_the_macros_that_the_text_asks_for(primitives: str, macros: int, tmp_path: Path) -> None:
    design = design_of("BIPOLAR", primitives=primitives)
    folder = write_package(design, model_of(design.network), tmp_path / "d", load_device("arty-a7-100"))
    assert (folder / "vivado.tcl").read_text().count("-verilog_define") == macros
    assert ("`HWQ_UNISIM`: " in (folder / "INTERFACE.md").read_text()) == (macros > 0)
    assert design.verilog.count("\n// parts made of") == 1
