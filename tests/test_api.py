"""The public face: read, plan, elaborate, estimate, write, verify, compile."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hwq
from hwq.errors import InputError, Problems
from hwq.network.file import network_hash
from hwq.plan.plan import FifoPlan
from hwq.target.boards import device_names
from tests.network.networks import dense_network


def test_every_name_is_there_and_documented() -> None:
    for name in hwq.__all__:
        assert getattr(hwq, name).__doc__, name


def test_the_functions_stay_functions_when_the_packages_of_their_names_are_loaded() -> None:
    import hwq.plan.planner
    import hwq.verify.ladder

    assert hwq.plan.__module__ == "hwq.api.building"
    assert hwq.verify.__module__ == "hwq.api.verification"


def test_importing_hwq_loads_nothing_heavy() -> None:
    script = "import sys, hwq; print([m for m in ('numpy', 'amaranth', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_quant_and_zoo_are_there_without_an_import_of_their_own() -> None:
    code = "import hwq; assert {'quant', 'zoo'} <= set(dir(hwq)); print(hwq.zoo.NETWORKS['cnv'].name, hwq.quant.Uniform(4).encoding.name)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["cnv", "INT4"]
    with pytest.raises(AttributeError, match="has no attribute 'zoos'"):
        hwq.zoos  # noqa: B018


def test_a_plan_that_breaks_the_rules_is_no_design() -> None:
    network = dense_network((16, 9, 4))
    plan = hwq.plan(network, style="folded")
    fifo = FifoPlan(f"{network.outputs[0]}.axi_out.converter", 1 << 20)
    wrong = replace(plan, stages=(replace(plan.stages[0], pe=10), *plan.stages[1:]), fifos=(fifo,))
    with pytest.raises(Problems, match=r"pe is 10, expected 1\.\.9") as refused:
        hwq.elaborate(network, wrong)
    assert "depth is 1048576, expected 1..4096" in str(refused.value)


def test_network_times_plan_is_a_design(tmp_path: Path) -> None:
    network = dense_network((16, 9, 4), seed=2)
    plan = hwq.plan(network, target="vu9p", fps=10e6)
    design = hwq.elaborate(network, plan)
    assert design.prediction.interval <= 30
    assert hwq.estimate(network, plan).total.lut > 0
    folder = design.write(tmp_path / "out")
    certificate = hwq.verify(folder, engines=["amaranth"], frames=3)
    assert certificate.bit_exact
    assert certificate.cycles_exact
    again = hwq.read(folder)
    assert network_hash(again.network) == network_hash(network)


def test_a_plan_never_changes_the_network(tmp_path: Path) -> None:
    network = dense_network((16, 9, 4), seed=2)
    x = np.ones((1, 1, 1, 16), np.int64)
    for fps in (None, 1e6):
        folder = hwq.compile(hwq.elaborate(network, hwq.plan(network, fps=fps)).model, target="vu9p", fps=fps).write(tmp_path / "out")
        np.testing.assert_array_equal(hwq.read(folder).network.run({"x": x})["acc1"], network.run({"x": x})["acc1"])


def test_the_effective_options_are_in_the_report(tmp_path: Path) -> None:
    import json

    model = hwq.elaborate(dense_network((16, 4)), hwq.plan(dense_network((16, 4)))).model
    folder = hwq.compile(model, target="vu9p", fps=2e6, clock_mhz=250, name="renamed").write(tmp_path / "out")
    report = json.loads((folder / "report.json").read_text())
    assert report["options"]["fps"] == 2e6
    assert report["clock_mhz"] == 250
    assert report["model"]["name"] == "renamed"


def test_the_plan_says_the_target_when_nobody_else_does() -> None:
    network = dense_network((16, 4))
    other = next(name for name in device_names() if name != "vu9p")
    plan = hwq.plan(network, target=other)
    assert hwq.plan(network, draft=plan).target == other
    assert hwq.plan(network, target="vu9p", draft=plan).target == "vu9p"
    assert hwq.plan(network).target == "vu9p"


def test_a_plan_of_another_network_is_refused() -> None:
    plan = hwq.plan(dense_network((16, 4)))
    with pytest.raises(InputError, match="another network"):
        hwq.plan(dense_network((16, 4), seed=9), draft=plan)


def test_a_target_is_refused_before_the_model_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no target"):
        hwq.compile(tmp_path / "missing.onnx", target="vu9")


def test_codes_are_checked_by_verify(tmp_path: Path) -> None:
    network = dense_network((16, 4))
    folder = hwq.elaborate(network, hwq.plan(network)).write(tmp_path / "out")
    with pytest.raises(InputError, match="BIPOLAR"):
        hwq.verify(folder, engines=["amaranth"], inputs={"x": np.zeros((1, 1, 1, 16), np.int64)}, codes=True)


def test_source_golden_and_rtl_of_a_real_network(shared_models: Path, tmp_path: Path) -> None:
    folder = hwq.compile(shared_models / "TFC_1W1A.onnx", target="vu9p").write(tmp_path / "out")
    with np.load(shared_models / "TFC_1W1A.npz") as data:
        x, y = data["x"], data["y"]
    model = hwq.read(folder)
    certificate = hwq.verify(
        folder, engines=["amaranth"], frames=1, inputs={model.inputs[0].name: x}, labels=y.argmax(1), reference=y.reshape(len(y), 10)
    )
    assert certificate.bit_exact
    assert certificate.agreement is not None
    assert certificate.agreement["reference"]["same_class"] == len(x)
    assert certificate.agreement["source"]["codes_different"] == 0


@pytest.mark.parametrize("source", ["model.pt", Path("model.onnx")])
def test_an_example_beside_a_file_is_refused_with_the_name_of_target(source: str | Path) -> None:
    with pytest.raises(InputError, match="target='zcu104'") as refused:
        hwq.compile(source, "zcu104")
    assert refused.value.code == "EXAMPLE-INPUT"


@pytest.mark.parametrize(
    "goal", [{"fps": "1e5"}, {"latency": "5us"}, {"budget": "lut=40%"}, {"budget": {"lut": "40%"}}, {"clock_mhz": "fast"}, {"fps": True}]
)
def test_goals_that_are_no_numbers_are_told_plainly(goal: dict[str, object]) -> None:
    with pytest.raises(InputError) as refused:
        hwq.plan(dense_network((16, 4)), **goal)
    assert (refused.value.code, refused.value.where) == ("GOAL-VALUE", next(iter(goal)))


def test_numpy_numbers_are_goals(tmp_path: Path) -> None:
    model = hwq.elaborate(dense_network((16, 4)), hwq.plan(dense_network((16, 4)))).model
    hwq.compile(model, fps=np.float32(1e5), budget={"lut": np.float32(0.5)}).write(tmp_path / "out")


def test_a_repr_is_one_short_line() -> None:
    network = dense_network((16, 9, 4))
    design = hwq.elaborate(network, hwq.plan(network))
    for thing in (network, design.model, design, design.hardware):
        assert len(repr(thing)) < 120, thing
        assert network.name in repr(thing)
    assert f"cycles a frame: {design.prediction.interval}," in repr(design)
