"""Say what each layer of a model becomes, or everything that stands in the way.

One line a layer: encoding, exact range, form in hardware, work; and in words what is left to the host.

examples:
  hwq explain model.pt
  hwq explain float_model.onnx        every layer that cannot be compiled, and what to write instead
"""

from __future__ import annotations

import argparse

from hwq.cli.console import Console
from hwq.cli.source import add_source_arguments, read_source
from hwq.report.table import printable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq explain``."""
    parser.add_argument("model", metavar="MODEL", help="a model file, a .hwq file, or a folder written by hwq compile")
    add_source_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq explain``."""
    from hwq.report.explain import explain_model, explain_text

    model = read_source(args, console)
    document = explain_model(model)
    format_name = model.provenance.get("format", "network")
    console.say(printable(f"{model.name}: {format_name} with {len(model.network.nodes)} integer operations"))
    console.say(explain_text(document))
    console.document(document)
    return 0
