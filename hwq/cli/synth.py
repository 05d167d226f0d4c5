"""Count the real cells of a compiled design with Yosys, beside what compile estimated.

Counted is the form that vivado.tcl synthesises (HWQ_FABRIC and HWQ_UNISIM defined), each distinct module once, multiplied by
its instances. 2 000 LUTs take about half a minute, 10 000 several. Writes DIR/synth.json, or the file after -o.

examples:
  hwq synth rtl_out/digits-mlp
  hwq synth rtl_out/digits-mlp --json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hwq.cli.console import Console
from hwq.cli.files import write_text

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq synth``."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="a folder written by hwq compile")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where the figures go (default DIR/synth.json)")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq synth``."""
    from hwq.api import synthesize
    from hwq.report.synthesis import synthesis_text

    with console.progress(in_pipes=True) as progress:
        document = synthesize(args.folder, progress=progress)
    console.say(synthesis_text(document))
    file = args.output or args.folder / "synth.json"
    write_text(file, json.dumps(document, indent=2) + "\n", "-o")
    console.say(f"\nwrote {file}")
    console.document(document)
    return 0
