"""The seam: a design of separate modules is the same hardware as one of parts in place."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from hwq.gateware.mvu import MvuStage
from hwq.gateware.parts import Parts, SeparateParts, convert_modules, rtlil_module
from hwq.numerics.encoding import Bipolar
from hwq.plan.dataflow import dataflow_of
from hwq.plan.plan import StagePlan
from hwq.plan.units import Mvu
from tests.gateware.cases import chain, dense, plan_of, staircase
from tests.gateware.prover import yosys


def stage_text(name: str, parts: Parts, seed: int) -> str:
    """RTLIL of a small matrix-vector stage with everything it needs."""
    rng = np.random.default_rng(seed)
    network = chain("BIPOLAR", 6, dense(rng, 6, 4, "BIPOLAR"), staircase(rng, 4, "BIPOLAR", reach=2))
    plan = plan_of(network, StagePlan("conv0", 2, 3, buffer=4))
    dataflow = dataflow_of(network, plan)
    unit = next(u for u in dataflow.units if isinstance(u, Mvu))
    stage = MvuStage(unit, dataflow.edges[unit.inputs[0]], dataflow.edges[unit.outputs[0]], Bipolar(), Bipolar(), parts)
    if isinstance(parts, SeparateParts):
        return "\n".join(convert_modules(stage, name, parts).values())
    return rtlil_module(stage, name)


@pytest.mark.parametrize("seed", [0, 1])
def test_instances_of_separate_modules_equal_the_parts_in_place(seed):
    text = stage_text("flat", Parts(), 0) + stage_text("instanced", SeparateParts(), seed)
    script = (
        "setattr -mod -unset top *\nproc\nflatten\nmemory_map\nopt_clean\nequiv_make flat instanced both\n"
        "hierarchy -top both\nopt_clean\nequiv_simple\nequiv_induct -seq 12\nequiv_status -assert"
    )
    code, output = yosys(text, script)
    assert code == 0 or "unproven" in output, output[-2000:]
    # Another seed is another network: the comparison must see it.
    assert (code == 0) == (seed == 0)


def test_garbage_collection_is_as_it_was_after_a_conversion_that_fails_too() -> None:
    stage_text("first", SeparateParts(), 0)
    assert gc.isenabled()
    with pytest.raises(TypeError):
        convert_modules(None, "none", SeparateParts())
    assert gc.isenabled()
    gc.disable()
    try:
        stage_text("second", SeparateParts(), 0)
        assert not gc.isenabled()
    finally:
        gc.enable()
