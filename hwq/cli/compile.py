"""Compile a trained network to a design: Verilog and all around it.

Without a goal the design is as fast as fits (70 % of the device's LUTs). The folder is replaced as a whole or not at all.

examples:
  hwq compile model.pt --target vu9p
  hwq compile model.onnx --target vu9p --fps 1e6 --clock 300 -o out
  hwq compile model.onnx --target vu9p --budget lut=40%,bram=50%
  hwq compile model.onnx --target vu9p --style unrolled              weights as wiring, a frame a cycle where the bus allows it
  hwq compile model.onnx --target vu9p --plan out/plan.toml          edited by hand
  hwq compile float_input.onnx --target vu9p --input-encoding UINT8 --input-scale 1/255
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwq.cli import options
from hwq.cli.console import Console
from hwq.cli.report import figures_text
from hwq.cli.source import add_source_arguments, source_options
from hwq.cli.styles import STYLE_HELP, style_remarks
from hwq.report.table import printable

if TYPE_CHECKING:
    from hwq.api import Design
    from hwq.plan.goal import Goal

__all__ = ["add_arguments", "folder_name", "run"]

LONGEST_NAME = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq compile``."""
    parser.add_argument("model", metavar="MODEL", help="model.pt, .pt2, .onnx (QONNX, QCDQ) or .hwq; recognised by content")
    parser.add_argument("--target", metavar="T", help="device or board, see `hwq targets` (default: the plan's, or vu9p)")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where to write (default rtl_out/<name>)")
    goal = parser.add_argument_group("goal")
    goal.add_argument("--fps", metavar="N", help="at least N frames a second at the clock: 1e6, 1M, 250k")
    goal.add_argument("--latency", metavar="T", help="at most this long from the first beat in to the last beat out: 5us, 800ns")
    goal.add_argument("--budget", metavar="B", help="shares of the device: lut=40%%,bram=50%% (lut=0.4 is 40%%, lut=1 all of them)")
    goal.add_argument("--plan", type=Path, metavar="FILE", help="a plan.toml: what it says is kept, what it leaves out is planned")
    goal.add_argument("--style", choices=("auto", "folded", "constant", "unrolled"), help=STYLE_HELP)
    goal.add_argument("--clock", metavar="MHZ", help="assumed clock (default: the target's)")
    parser.add_argument(
        "--primitives",
        choices=("portable", "structural", "unisim"),
        default="portable",
        help="how the Verilog has lanes and other parts made of LUTs, carry chains and DSP slices. portable: expressions for any tool, and "
        "cells where the macros HWQ_FABRIC and HWQ_UNISIM are defined, as vivado.tcl does (default); structural: cells alone, each "
        "described in the file; unisim: Xilinx cells alone",
    )
    add_source_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq compile``."""
    from hwq import api
    from hwq.target.folder import load_folder
    from hwq.target.package import check_output

    goal = _goal(args)
    if args.output:
        check_output(args.output)  # before the long work
    with console.progress() as progress:
        chosen = {"target": args.target, "plan": args.plan, "style": args.style, "primitives": args.primitives}
        design = api.compile(args.model, progress=progress, **chosen, **source_options(args), **goal)
        output = args.output or Path("rtl_out") / folder_name(design.model.name)
        progress("writing", None)
        report = load_folder(design.write(output)).report
    following = [f"hwq verify {shlex.quote(str(output))}", f"hwq run {shlex.quote(str(output))} INPUT.npy -o OUT.npy"]
    console.say(_read_line(args.model, design))
    console.say(figures_text(report, design.model.network, design.plan))
    remarks = [] if args.plan else style_remarks(report, design.model.network, design.device, _goal_of(goal), args.style)
    if remarks:
        console.say("\n" + "\n".join(remarks))
    console.say(f"\nwrote {output}\n\nnext:\n" + "\n".join(f"  {command}" for command in following))
    console.document({"name": design.model.name, "output": str(output), "report": report, "remarks": remarks, "next": following})
    return 0


def _goal_of(options: Mapping[str, Any]) -> Goal:
    from hwq.plan.goal import Goal

    return Goal(options.get("fps"), options.get("latency"), options.get("budget") or {})


def folder_name(name: str) -> str:
    """A folder's name for a model's: itself where that is harmless on every system, else sanitised with a short hash.

    >>> folder_name("digits-mlp"), folder_name("../net")
    ('digits-mlp', 'net-27aca088')
    """
    safe = re.sub(r"[^0-9A-Za-z._-]+", "-", name)[:LONGEST_NAME].strip("-.")
    return name if safe == name else f"{safe or 'model'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _goal(args: argparse.Namespace) -> dict[str, Any]:
    goal: dict[str, Any] = {}
    options.collect(
        lambda: goal.update(fps=options.rate(args.fps, "--fps")),
        lambda: goal.update(latency=options.latency(args.latency, "--latency")),
        lambda: goal.update(budget=options.budget(args.budget, "--budget")),
        lambda: goal.update(clock_mhz=options.positive(args.clock, "--clock")),
        lambda: source_options(args),
    )
    return goal


def _read_line(model: str, design: Design) -> str:
    p = design.model.provenance
    inputs = ", ".join(f"{i.name} {'x'.join(map(str, i.shape))} {i.dtype}" for i in design.model.inputs)
    outputs = ", ".join(f"{o.name} {'x'.join(map(str, o.shape))} {o.dtype}" for o in design.model.outputs)
    return printable(f"read {model} ({p.get('format', 'network')}): {design.model.name}, {inputs} -> {outputs}") + "\n"
