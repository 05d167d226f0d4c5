from __future__ import annotations

from dataclasses import replace

import pytest

from hwq.plan.balance import balanced, overuse
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.folding import Folder, Folding
from hwq.plan.resources import Resources
from hwq.plan.stages import stages_of
from hwq.target.boards import load_device
from tests.plan import convnets

VU9P = load_device("vu9p").capacity
PRICES = {name: 1.0 / amount for name, amount in VU9P.as_dict().items()}
# LUTs dear: everything goes to block RAM first.
LUTS_DEAR = {**PRICES, "lut": 1.0, "lutram": 1.0}


def folder(draft: PlanDraft | None = None) -> Folder:
    network = convnets.cnv()
    return Folder(network, draft or PlanDraft(), {"x": 64, network.outputs[0]: 64})


def folded(f: Folder, cycles: int = 200_000) -> Folding:
    folding = f.fold(cycles, LUTS_DEAR)
    assert folding is not None
    return folding


def spent(f: Folder, folding: Folding) -> Resources:
    return f._total(folding.folds)


def test_what_fits_is_left_alone() -> None:
    f = folder()
    folding = folded(f)
    assert balanced(folding.folds, folding.cost, f.candidates, VU9P, PRICES) == (folding.folds, folding.cost)


@pytest.mark.parametrize("blocks", [40, 20, 0])
def test_memories_move_from_block_ram_to_luts(blocks: int) -> None:
    f = folder()
    folding = folded(f)
    assert folding.cost.bram36 > 40
    allowance = replace(VU9P, bram36=blocks)
    folds, cost = balanced(folding.folds, folding.cost, f.candidates, allowance, PRICES)
    assert not overuse(cost, allowance)
    for name, fold in folds.items():
        was = folding.folds[name]
        assert (fold.pe, fold.simd, fold.pixels) == (was.pe, was.simd, was.pixels)
    real = spent(f, Folding(folds, cost))
    assert cost.as_dict() == pytest.approx(real.as_dict())


def test_no_move_makes_another_resource_short() -> None:
    f = folder()
    folding = folded(f)
    allowance = replace(VU9P, bram36=0, lut=folding.cost.lut + 1000)
    _, cost = balanced(folding.folds, folding.cost, f.candidates, allowance, PRICES)
    assert set(overuse(cost, allowance)) == {"bram36"}
    assert cost.bram36 < folding.cost.bram36


def test_what_a_draft_fixes_does_not_move() -> None:
    names = [s.name for s in stages_of(convnets.cnv())]
    f = folder(PlanDraft(stages={n: StageDraft(n, memory="block", constants="lutram", buffer_memory="block") for n in names}))
    folding = folded(f)
    folds, _ = balanced(folding.folds, folding.cost, f.candidates, replace(VU9P, bram36=0), PRICES)
    assert folds == folding.folds
