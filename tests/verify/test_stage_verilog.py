"""A stage's module is the folder's own, or the stage is not verified."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hwq.target.design import Design, elaborate
from hwq.target.folder import load_folder
from hwq.target.stage_top import find_stage, stage_alone
from hwq.verify.certificate import Failure
from hwq.verify.stage_verilog import FolderVerilog, Placed, split_modules
from tests.verify.conftest import rehash

STAGE = "fc3"


@pytest.fixture(scope="module")
def alone(built: Path) -> Design:
    """The design of one stage of the folder."""
    folder = load_folder(built)
    part, plan = stage_alone(folder.network, folder.plan, find_stage(folder.network, STAGE))
    return elaborate(part, plan, name=part.name)


def placed(built: Path, alone: Design, into: Path, old: str, new: str) -> Placed | Failure:
    """What comes of the folder once ``old`` stands as ``new`` in its Verilog; STAGE in both is the stage's module."""
    folder = into / "folder"
    shutil.copytree(built, folder)
    module = json.loads((folder / "report.json").read_text())["modules"][STAGE]
    text = (folder / "three.v").read_text()
    old, new = old.replace("STAGE", module), new.replace("STAGE", module)
    assert old in text
    (folder / "three.v").write_text(text.replace(old, new, 1))
    rehash(folder, "three.v")
    return FolderVerilog(load_folder(folder)).place(alone, STAGE)


def below(modules: dict[str, str], top: str) -> set[str]:
    """``top`` and the modules that it uses, directly or not."""
    found, queue = {top}, [top]
    while queue:
        words = {word.lstrip("\\") for word in modules[queue.pop()].split()}
        queue += sorted(words & modules.keys() - found)
        found |= words & modules.keys()
    return found


def test_all_that_the_stage_needs_is_the_folders(built: Path, alone: Design) -> None:
    folder = load_folder(built)
    got = FolderVerilog(folder).place(alone, STAGE)
    assert isinstance(got, Placed)
    whole, _, _ = split_modules((built / "three.v").read_text())
    modules, _, twice = split_modules(got.verilog)
    own = {name for name in modules if name in whole}
    assert got.module == folder.report["modules"][STAGE]
    # The stage, a processing element and what it is made of: all of the folder's below the stage.
    assert own == below(whole, got.module)
    assert {"stage", "pe", "rom"} <= {name.split("_")[1] for name in own}
    assert all(modules[name] == whole[name] for name in own)
    assert not twice
    # None of the stage is left that was elaborated anew.
    assert not [name for name in modules if name not in own and name.split("_")[2:3] in (["lane"], ["row"], ["pe"], ["rom"])]
    assert alone.modules[STAGE] not in modules


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("module STAGE(", "module other(", "has no module STAGE: stage 'fc3' cannot be verified"),
        ("  STAGE fc3 (", "  other fc3 (", "module three of three.v does not use module STAGE"),
        ("module STAGE(", "module STAGE(x); endmodule\nmodule STAGE(", "has module STAGE more than once"),
        ("module STAGE(", "/* module STAGE(); endmodule */ module other(", "has no module STAGE"),
        ("module STAGE(", "wire w;\nmodule STAGE(", "has text outside of modules"),
    ],
)
def test_a_folder_that_does_not_have_the_stage_is_told(
    built: Path, alone: Design, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    got = placed(built, alone, tmp_path, old, new)
    assert isinstance(got, Failure)
    module = json.loads((built / "report.json").read_text())["modules"][STAGE]
    assert (got.kind, got.layer) == ("verilog", STAGE)
    assert sentence.replace("STAGE", module) in got.text


def test_modules_are_told_apart_as_verilog_does() -> None:
    text = """`timescale 1ns / 1ps
// module not_one
module a(x); initial $display("endmodule // module b"); wire \\c.endmodule ; wire my_module; endmodule
/* module no; endmodule */ module \\a.b (y); endmodule module a; endmodule"""
    modules, outside, twice = split_modules(text)
    assert list(modules) == ["a", "a.b"]
    assert modules["a.b"] == "module \\a.b (y); endmodule"
    assert outside.split() == ["`timescale", "1ns", "/", "1ps"]
    assert twice == ["a"]
