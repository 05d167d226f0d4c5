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
from hwq.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq report``."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="a folder written by hwq compile")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq report``."""
    from hwq.network.file import load_model
    from hwq.report.certificate import certificate_line
    from hwq.report.design import design_text
    from hwq.report.folder import read_report

    report = read_report(args.folder)
    path = args.folder / "network.hwq"
    if not path.is_file():
        raise InputError("DIR-DAMAGED", "network.hwq is missing", where=str(args.folder), hint="Compile the model again")
    model = load_model(path)
    try:
        text = design_text(report, model.network)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("FILE-DAMAGED", f"report.json lacks or spoils a field ({error})", where=str(args.folder)) from None
    console.say(f"{model.name}\n")
    console.say(text)
    console.say(certificate_line(args.folder))
    console.document(report)
    return 0
