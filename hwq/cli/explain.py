"""Say what each layer of a model becomes, or everything that stands in the way.

One line a layer: encoding, exact range, form in hardware, work; and in words what is left to the host.

examples:
  hwq explain model.pt
  hwq explain float_model.onnx        every layer that cannot be compiled, and what to write instead
  hwq explain model.pt --svg net.svg  the graph as a drawing
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hwq.cli.console import Console
from hwq.cli.files import write_text
from hwq.cli.source import add_source_arguments, read_source
from hwq.report.table import printable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq explain``."""
    parser.add_argument("model", metavar="MODEL", help="a model file, a .hwq file, or a folder written by hwq compile")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="draw the graph of the network")
    add_source_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq explain``."""
    from hwq.report.explain import explain_model, explain_text

    model = read_source(args, console)
    document = explain_model(model)
    format_name = model.provenance.get("format", "network")
    count = len(model.network.nodes)
    counted = f"{count} operation{'s' * (count != 1)}"
    console.say(printable(f"{model.name}: {format_name}, {counted} as integers"))
    console.say(explain_text(document))
    if args.svg:
        from hwq.report.graph.scene import network_scene
        from hwq.report.graph.svg import draw

        write_text(args.svg, draw(network_scene(model.network)), "--svg")
        console.say(f"graph: {args.svg}")
    console.document(document)
    return 0
