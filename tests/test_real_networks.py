"""Networks trained by others, from their file to Verilog: bit-exact in cocotb at several foldings, digits classified right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwq
from hwq.network.graph import Network
from hwq.network.ops import Conv
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.stages import stages_of


def folding(network: Network, name: str) -> PlanDraft | None:
    """As fast as the bus (None), lanes that divide nothing, or one lane for every product."""
    layers = {s.name: s.node.op for s in stages_of(network) if isinstance(s.node.op, Conv)}
    if name == "ragged":
        return PlanDraft(stages={n: StageDraft(n, pe=max(1, op.mh // 9), simd=max(1, op.mw // 3)) for n, op in layers.items()})
    if name == "parallel":
        return PlanDraft(stages={n: StageDraft(n, pe=op.mh, simd=op.mw) for n, op in layers.items()})
    return None


CASES = [
    pytest.param("TFC_1W1A", "fastest"),
    pytest.param("TFC_1W1A", "ragged", marks=pytest.mark.slow),
    pytest.param("TFC_1W1A", "parallel", marks=pytest.mark.slow),
    pytest.param("TFC_2W2A", "fastest", marks=pytest.mark.slow),
    pytest.param("TFC_2W2A", "ragged", marks=pytest.mark.slow),
    pytest.param("TFC_2W2A", "parallel", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "fold"), CASES)
def test_cocotb_is_bit_exact_under_stalls_and_every_cycle_is_predicted(shared_models: Path, tmp_path: Path, name: str, fold: str) -> None:
    model = hwq.read(shared_models / f"{name}.onnx")
    plan = hwq.plan(model, "vu9p", draft=folding(model.network, fold))
    if fold == "parallel":
        assert all((s.pe, s.simd) == (op.mh, op.mw) for s in plan.stages if isinstance(op := model.network.node(s.name).op, Conv))
    folder = hwq.elaborate(model, plan).write(tmp_path / "out")
    digits, reference = np.load(shared_models / "mnist_first4.npz"), np.load(shared_models / f"{name}.npz")
    x = np.concatenate([digits["x"], reference["x"]])
    labels = np.concatenate([digits["y"], reference["y"].argmax(1)])
    certificate = hwq.verify(folder, engines=("cocotb",), inputs={model.inputs[0].name: x}, labels=labels)
    assert certificate.bit_exact
    assert certificate.cycles_exact
    assert [e.frames for e in certificate.engines] == [len(x)] * 2
    assert certificate.accuracy is not None
    assert certificate.accuracy["golden"] == certificate.accuracy["rtl"] == 1.0
