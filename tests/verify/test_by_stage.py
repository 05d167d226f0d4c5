"""Designs verified stage by stage: each alone, on golden streams, wrong ones named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.report.certificate import certificate_text
from hwq.target import stage_top
from hwq.target.folder import load_folder
from hwq.target.stage_top import find_stage, stage_alone
from hwq.verify import stages as stages_module
from hwq.verify.by_stage import UNCOVERED, verify_by_stage
from hwq.verify.stages import chosen_stages
from tests.verify.conftest import rehash, weights_of

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


def test_the_stage_that_the_folder_has_wrong_is_named(planted: Callable[[str], Path]) -> None:
    certificate = verify_by_stage(planted("blocks[1].fc"), ["all"], frames=20)
    assert not certificate.bit_exact
    assert [s.bit_exact for s in certificate.stages] == [True, False, True]
    assert certificate.failure is not None
    assert (certificate.failure.kind, certificate.failure.layer) == ("mismatch", "blocks[1].fc.act")


def test_a_memory_file_of_the_folder_is_what_the_stage_reads(with_memories: Path, tmp_path: Path) -> None:
    folder = tmp_path / "altered"
    shutil.copytree(with_memories, folder)
    module = json.loads((folder / "report.json").read_text())["modules"]["fc1"]
    assert [(s.module, s.bit_exact) for s in verify_by_stage(folder, ["fc1"], write=False).stages] == [(module, True)]
    memory = folder / f"{weights_of(folder, 'fc1')}.mem"
    memory.write_text("".join(f"{int(w, 16) ^ 1:x}\n" for w in memory.read_text().split()))
    rehash(folder, memory.name)
    assert not verify_by_stage(folder, ["fc1"], write=False).bit_exact


def test_a_folder_without_the_stage_is_not_bit_exact(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(built, folder)
    (folder / "three.v").write_text("module broken; endmodule\n")
    rehash(folder, "three.v")
    certificate = verify_by_stage(folder, ["all"])
    assert not certificate.bit_exact
    assert [(s.bit_exact, s.stalls, s.cycles_predicted) for s in certificate.stages] == [(False, (), None)] * 3
    text = certificate_text(json.loads((folder / "verify.json").read_text()))
    for layer, module in certificate_modules(folder):
        assert f"three.v has no module {module}: stage {layer!r} cannot be verified" in text


def certificate_modules(folder: Path) -> list[tuple[str, str]]:
    modules = json.loads((folder / "report.json").read_text())["modules"]
    return [(layer, modules[layer]) for layer in LAYERS]


def test_the_certificate_says_what_single_stages_leave_out(built: Path) -> None:
    certificate = verify_by_stage(built, ["fc3"], write=False)
    assert certificate.uncovered == f"{UNCOVERED} and 2 more stages"
    assert f"not covered: {UNCOVERED} and 2 more stages" in certificate_text(certificate.to_json())


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
