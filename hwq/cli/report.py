"""Show the figures of a compiled design: cycles, frames per second, resources, layer by layer.

Writes them, with the graph, the buffers and the resources, as one page: DIR/report.html, or the file after -o. --json gives
report.json as it is.

examples:
  hwq report rtl_out/digits-mlp
  hwq report rtl_out/digits-mlp -o page.html
  hwq report rtl_out/digits-mlp --json
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwq.cli.console import Console
from hwq.cli.files import write_text
from hwq.errors import InputError
from hwq.report.table import printable, shortened

if TYPE_CHECKING:
    from hwq.network.graph import Network
    from hwq.plan.plan import Plan

__all__ = ["add_arguments", "figures_text", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq report``."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="a folder written by hwq compile")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where the page goes (default DIR/report.html)")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq report``."""
    from hwq.report.page import design_page
    from hwq.target.folder import load_folder

    folder = load_folder(args.folder)
    console.say(printable(folder.model.name) + "\n")
    console.say(figures_text(folder.report, folder.network, folder.plan))
    if args.output or not console.as_json:
        words = _bottleneck(folder.report, folder.network, folder.plan)
        _write_page(args, console, folder.path, design_page(folder.report, folder.network, folder.plan, words))
    console.document(folder.report)
    return 0


def _write_page(args: argparse.Namespace, console: Console, folder: Path, text: str) -> None:
    """Write the page where it was asked for, else into the folder if that can be written."""
    page = args.output or folder / "report.html"
    try:
        write_text(page, text, "-o")
    except InputError as error:
        if args.output:
            raise
        console.note(f"note: no page was written ({error.message}); -o names another file")
    else:
        console.say(f"page: {page}")


def figures_text(report: Mapping[str, Any], network: Network, plan: Plan) -> str:
    """``report.json`` for people, its bottleneck in words."""
    from hwq.report.design import design_text

    return design_text({**report, "bottleneck": _bottleneck(report, network, plan)}, network)


def _bottleneck(report: Mapping[str, Any], network: Network, plan: Plan) -> str:
    from hwq.plan.dataflow import dataflow_of
    from hwq.plan.law import bottleneck
    from hwq.plan.units import AxiIn, AxiOut

    dataflow, name = dataflow_of(network, plan), report["bottleneck"]
    if report["cycles_per_frame"] > bottleneck(dataflow)[1]:
        return f"a depth or buffer in the plan: {shortened(name)}"
    unit = next((u for u in dataflow.units if u.name == name), None)
    if isinstance(unit, AxiIn | AxiOut):
        side = "input" if isinstance(unit, AxiIn) else "output"
        return f"the {unit.bus_bits}-bit bus of {side} {shortened(unit.tensor)!r}"
    return shortened(name)
