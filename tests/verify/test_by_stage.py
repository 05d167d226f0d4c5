"""Designs verified stage by stage: each alone, on golden streams, wrong ones named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.target import stage_top
from hwq.target.folder import load_folder
from hwq.target.stage_top import find_stage, stage_alone
from hwq.verify import stages as stages_module
from hwq.verify.by_stage import verify_by_stage
from hwq.verify.stages import chosen_stages, verify_stages

LAYERS = ["fc1", "blocks[1].fc", "fc3"]


def test_every_stage_alone_is_bit_exact_and_takes_the_predicted_cycles(built: Path) -> None:
    seen: list[str] = []
    certificate = verify_by_stage(built, ["all"], frames=3, jobs=2, progress=lambda text, fraction: seen.append(text))
    assert certificate.bit_exact, certificate.failure
    assert certificate.cycles_exact
    assert [s.stage for s in certificate.stages] == LAYERS
    assert all(s.cycles_predicted == s.cycles_simulated and s.stalls == ("none", "both") and s.frames == 3 for s in certificate.stages)
    assert seen[0] == "0 of 3 stages"
    assert seen[-1].startswith("3 of 3 stages")
    document = json.loads((built / "verify.json").read_text())
    assert [s["stage"] for s in document["stages"]] == LAYERS


def test_real_frames_reach_the_stage(built: Path) -> None:
    x = np.random.default_rng(3).choice([-1, 1], (4, 1, 1, 40))
    certificate = verify_by_stage(built, ["fc3"], inputs={"x": x}, frames=2, write=False)
    assert [(s.stage, s.frames, s.bit_exact) for s in certificate.stages] == [("fc3", 2, True)]


def test_a_wrong_stage_is_named(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = load_folder(built)
    # The design computes with one weight turned round; the golden streams stay.
    whole = stages_module.stage_alone

    def spoiled(network, plan, stage):  # type: ignore[no-untyped-def]
        part, alone = whole(network, plan, stage)
        if stage.name == "blocks[1].fc":
            part.nodes[0].op.weights[0] *= -1
        return part, alone

    monkeypatch.setattr(stages_module, "stage_alone", spoiled)
    integers = {"x": np.random.default_rng(3).choice([-1, 1], (40, 1, 1, 40))}
    golden = folder.network.run(integers, keep=["fc1.out", "blocks[1].fc.out"])
    monkeypatch.setattr(type(folder.network), "run", lambda self, x, keep: {t: golden[t] for t in keep})
    (verdict,) = verify_stages(folder, chosen_stages(folder.network, ["blocks[1].fc"]), integers)
    assert not verdict.bit_exact
    assert verdict.failure is not None
    assert (verdict.failure.kind, verdict.failure.layer) == ("mismatch", "blocks[1].fc.act")


def test_an_unknown_stage_is_refused_with_the_nearest_name(built: Path) -> None:
    with pytest.raises(InputError, match=r"no stage 'block1.fc'. Nearest is 'blocks\[1\].fc'") as refused:
        verify_by_stage(built, ["block1.fc"])
    assert refused.value.code == "STAGE-UNKNOWN"


def test_the_layer_of_a_fused_activation_names_its_stage(built: Path) -> None:
    network = load_folder(built).network
    assert find_stage(network, "fc1.act").name == "fc1"
    assert [s.name for s in chosen_stages(network, ["fc3", "fc1.act", "fc1"])] == ["fc1", "fc3"]


def test_a_stage_alone_keeps_its_plan_and_gets_wide_enough_buses(built: Path) -> None:
    folder = load_folder(built)
    for stage in chosen_stages(folder.network, ["all"]):
        part, plan = stage_alone(folder.network, folder.plan, stage)
        assert plan.stages == (folder.plan.stage(stage.name),)
        cycles = stage_top._cycles(part, plan, stage)
        for stream in plan.streams:
            bits = part.tensors[stream.name].shape[2] * stage_top.pitch_of(part.tensors[stream.name].encoding.bits)
            assert bits <= stream.bus_bits * cycles


def test_a_long_run_is_made_under_the_strictest_stalls_alone(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages_module, "LONG_RUN", 1)
    (verdict,) = verify_by_stage(built, ["fc3"], write=False).stages
    assert verdict.stalls == ("both",)
