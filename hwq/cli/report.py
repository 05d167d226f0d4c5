"""Show the figures of a compiled design: cycles, frames per second, resources, layer by layer.

--json gives report.json as it is.

examples:
  hwq report rtl_out/digits-mlp
  hwq report rtl_out/digits-mlp --json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hwq.cli.console import Console
from hwq.report.table import printable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq report``."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="a folder written by hwq compile")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq report``."""
    from hwq.report.design import design_text
    from hwq.target.folder import load_folder

    folder = load_folder(args.folder)
    console.say(printable(folder.model.name) + "\n")
    console.say(design_text(folder.report, folder.network))
    console.document(folder.report)
    return 0
