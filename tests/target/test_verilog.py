"""Emitted Verilog: the same on every run, clean in every tool, safe from the user's names."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hwq.errors import InputError
from hwq.numerics.encoding import Integer
from hwq.target import verilog
from hwq.target.design import Design, elaborate
from hwq.target.primitives import PRIMITIVES
from hwq.target.tools import icarus, verilator, yosys
from hwq.target.verilog_bench import bench_text
from tests.network.networks import TERNARY, dense_network
from tests.target.designs import HOSTILE_LAYERS, mlp, plan_for

SCRIPT = """
import hashlib
from hwq.target.design import elaborate
from tests.target.designs import mlp, plan_for
design = elaborate(mlp(), plan_for(mlp()), inline_bits=64)
print(hashlib.sha256(design.verilog.encode()).hexdigest(), [f.sha256 for f in design.memories])
"""


@pytest.fixture(scope="module")
def designs() -> list[Design]:
    """One design a kind of lane, one with memory files and one with hostile names."""
    networks = [
        mlp(argmax=True),
        dense_network((20, 6, 4), x=TERNARY, w=TERNARY, a=TERNARY, name="ternary"),
        dense_network((9, 6, 4), x=Integer(4, False), w=Integer(3, True), a=Integer(2, False), name="integers"),
        mlp(name="module", widths=(20, *[6] * len(HOSTILE_LAYERS)), layers=HOSTILE_LAYERS),
    ]
    folded = mlp(name="folded")
    return [elaborate(n, plan_for(n)) for n in networks] + [elaborate(folded, plan_for(folded, fps=300e6 / 60), inline_bits=64)]


def test_the_text_does_not_depend_on_the_hash_seed() -> None:
    root = Path(__file__).parents[2]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=root, env={"PYTHONHASHSEED": s}, capture_output=True, text=True, check=True
        ).stdout
        for s in ("1", "2")
    }
    assert len(outputs) == 1


def test_every_module_begins_with_the_name_of_the_top(designs: list[Design]) -> None:
    for design in designs:
        modules = re.findall(r"^module (\S+?)\(", design.verilog, re.MULTILINE)
        assert len(modules) == len(set(modules)) > 3
        assert all(m == design.top or m.startswith(f"{design.top}_") for m in modules)


def test_the_header_names_hashes_and_versions_but_no_date_or_path(designs: list[Design]) -> None:
    header = designs[-1].verilog[: designs[-1].verilog.index("`timescale")]
    assert "network sha256" in header
    assert "plan    sha256" in header
    assert designs[-1].memories[0].sha256 in header
    assert "/" not in header.replace("//", "")
    assert "202" not in re.sub(r"[0-9a-f]{64}", "", header)


def test_hostile_layer_names_do_not_reach_the_text(designs: list[Design]) -> None:
    design = designs[3]
    assert design.top != "module"
    assert set(HOSTILE_LAYERS) <= set(design.modules)
    assert len({design.modules[layer] for layer in HOSTILE_LAYERS}) == len(HOSTILE_LAYERS)
    assert design.verilog.isascii()
    for forbidden in ('"; rm', "../", "$(", "`evil"):
        assert forbidden not in design.verilog
    assert all(re.fullmatch(r"[A-Za-z]\w{0,120}", m, re.ASCII) for m in design.modules.values())


@pytest.mark.skipif(verilator() is None, reason="no Verilator here")
def test_verilator_lints_without_a_warning(designs: list[Design], tmp_path: Path) -> None:
    tool = verilator()
    assert tool is not None
    for design in designs:
        path = tmp_path / f"{design.top}.v"
        path.write_text(design.verilog)
        command = [*tool.command, "--lint-only", "-Wall", "--top-module", design.top, path.name]
        done = subprocess.run(command, cwd=tmp_path, env=tool.environ(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "%Warning" not in done.stderr


@pytest.mark.skipif(icarus() is None, reason="no Icarus here")
def test_icarus_compiles_as_verilog_2001_without_a_warning(designs: list[Design], tmp_path: Path) -> None:
    for design in designs:
        (tmp_path / "d.v").write_text(design.verilog)
        done = subprocess.run(
            ["iverilog", "-g2001", "-Wall", "-t", "null", "d.v"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(yosys() is None, reason="no Yosys here")
def test_yosys_reads_it_without_a_warning(designs: list[Design], tmp_path: Path) -> None:
    tool = yosys()
    assert tool is not None
    for design in designs:
        (tmp_path / f"{design.top}.v").write_text(design.verilog)
        for memory in design.memories:
            (tmp_path / memory.name).write_text(memory.text)
    script = "".join(f"read_verilog {d.top}.v\nhierarchy -check -top {d.top}\nproc\ncheck -assert\ndesign -reset\n" for d in designs)
    (tmp_path / "s.ys").write_text(script)
    done = subprocess.run([*tool.command, "-q", "s.ys"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr


def test_a_yosys_that_fails_is_told_as_an_error_of_hwq(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, -9, "", "out of memory")

    monkeypatch.setattr(verilog.subprocess, "run", killed)
    with pytest.raises(InputError, match="status -9 on the elaborated design: out of memory") as refused:
        verilog.emit_verilog({"m": ""}, {}, "header")
    assert refused.value.code == "TOOL-YOSYS"


def test_the_bench_names_the_memory_files_when_nothing_moves(designs: list[Design]) -> None:
    design = designs[-1]
    names = [f.name for f in design.memories]
    text = bench_text(design.top, (*design.inputs, *design.outputs), design.ports, 2, names)
    assert f"this one reads {', '.join(names)}" in text
    assert "8'hff : 8'hff" not in text


@pytest.fixture(scope="module")
def forms() -> dict[str, Design]:
    """One design in every form of its parts of fabric, with slices in two of them."""
    network = mlp(name="forms", widths=(16, 6, 4))
    plan = plan_for(network, fps=300e6 / 40)
    slices = replace(plan, stages=(replace(plan.stages[0], simd=4, buffer=8, accumulator="dsp"), *plan.stages[1:]))
    # Verilator has no model of the vendor's slice.
    return {p: elaborate(network, plan if p == "unisim" else slices, primitives=p) for p in PRIMITIVES}


@pytest.mark.skipif(verilator() is None, reason="no Verilator here")
@pytest.mark.parametrize(("primitives", "macros"), [("portable", "HWQ_FABRIC"), ("structural", "HWQ_MODELS"), ("unisim", "HWQ_MODELS")])
def test_verilator_lints_every_form_without_a_warning(forms: dict[str, Design], primitives: str, macros: str, tmp_path: Path) -> None:
    tool = verilator()
    assert tool is not None
    (tmp_path / "forms.v").write_text(forms[primitives].verilog)
    command = [*tool.command, "--lint-only", "-Wall", "--default-language", "1364-2001", f"-D{macros}", "--top-module", "forms", "forms.v"]
    done = subprocess.run(command, cwd=tmp_path, env=tool.environ(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(yosys() is None, reason="no Yosys here")
def test_yosys_reads_every_form_without_a_warning(forms: dict[str, Design], tmp_path: Path) -> None:
    tool = yosys()
    assert tool is not None
    script = ""
    for primitives, macros in (("portable", ""), ("portable", "-DHWQ_FABRIC"), ("portable", "-DHWQ_FABRIC -DHWQ_UNISIM"), ("unisim", "")):
        (tmp_path / f"{primitives}.v").write_text(forms[primitives].verilog)
        cells = "read_verilog -lib +/xilinx/cells_sim.v +/xilinx/cells_xtra.v\n" if "UNISIM" in macros or primitives == "unisim" else ""
        script += f"{cells}read_verilog {macros} {primitives}.v\nhierarchy -check -top forms\nproc\ncheck -assert\ndesign -reset\n"
    (tmp_path / "s.ys").write_text(script)
    done = subprocess.run([*tool.command, "-q", "s.ys"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr


def test_the_forms_hold_what_they_are_named_for(forms: dict[str, Design]) -> None:
    portable, structural, unisim = (forms[p].verilog for p in PRIMITIVES)
    assert "`ifdef HWQ_FABRIC" in portable
    assert "HWQ_FABRIC" not in structural + unisim
    assert "forms_hwq_lut" in structural
    assert "forms_hwq_dsp48e2 #" in structural
    assert "forms_hwq_lut" not in unisim
