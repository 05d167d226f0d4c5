"""No design without the proof that none of its words is ever stuck."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hwq.errors import InputError
from hwq.plan.plan import FifoPlan
from hwq.target.design import elaborate
from tests.plan.convnets import residual
from tests.target.designs import device, model_of, plan_for, write_package


def test_a_skip_fifo_too_shallow_for_its_branch_is_never_emitted() -> None:
    network = residual(8, 4)
    plan = plan_for(network, 1e5)
    skip = max(plan.fifos, key=lambda f: f.depth)
    starved = replace(plan, fifos=tuple(FifoPlan(f.name, 1) if f == skip else f for f in plan.fifos))
    with pytest.raises(InputError, match="deadlock") as error:
        elaborate(network, starved)
    assert error.value.code == "PLAN-DEADLOCK"
    assert error.value.where == skip.name


def test_the_report_holds_the_proof(tmp_path: Path) -> None:
    network = residual(8, 4)
    design = elaborate(network, plan_for(network, 1e5))
    write_package(design, model_of(network), tmp_path / "d", device())
    proof = json.loads((tmp_path / "d" / "report.json").read_text())["proof"]
    assert proof["cycles"] == proof["period"] * design.prediction.interval
    assert len(proof["digest"]) == 64
    assert proof["obligations"]
