"""List the reference networks, or write one with random weights.

The file is a model like any other: the real shapes and work, statistics set so that every layer's activations live, and
weights that mean nothing. For trained ones see `hwq train`.
Quantizers: bipolar, ternary, uniform<bits> (uniform8 is a byte), or one of an installed package.

examples:
  hwq zoo                                              the table, with published weights and MACs
  hwq zoo resnet18 -o resnet18.pt                      bipolar weights, 2-bit activations, first and last layers 8-bit
  hwq zoo cnv --first bipolar --last bipolar --activation bipolar --last-input bipolar -o cnv-w1a1.pt
  hwq zoo mobilenet --weight uniform4 --activation uniform4 --image 128 --width 0.5 -o small.pt
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from hwq.cli import options
from hwq.cli.console import Console

__all__ = ["add_arguments", "run"]

QUANTIZERS = {
    "weight": ("bipolar", "weights of the inner layers"),
    "activation": ("uniform2", "activations"),
    "first": ("uniform8", "weights of the first layer"),
    "last": ("uniform8", "weights of the last layer, or of all heads"),
    "input": ("uniform8", "pixels 0..1"),
    "last-input": ("uniform8", "what the last layer reads"),
    "skip": ("uniform4", "both branches of a residual block; none leaves it to the activation behind"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq zoo``."""
    parser.add_argument("network", metavar="NETWORK", nargs="?", help="name of the network; without one, all are listed")
    parser.add_argument("-o", "--output", metavar="MODEL.pt", type=Path, help="where to save (default NETWORK.pt)")
    for name, (default, what) in QUANTIZERS.items():
        parser.add_argument(f"--{name}", metavar="QUANTIZER", help=f"{what} (default {default})")
    parser.add_argument("--image", metavar="PIXELS", help="side of the input (default: the published one)")
    parser.add_argument("--classes", metavar="N", help="number of scores (default: the published one)")
    parser.add_argument("--width", metavar="FACTOR", help="factor of all hidden channels (default 1)")
    parser.add_argument("--seed", help="seed of the weights (default 0)")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq zoo``."""
    return _list(console) if args.network is None else _write(args, console)


def _list(console: Console) -> int:
    from dataclasses import asdict

    from hwq.report.table import Table, grouped
    from hwq.zoo.networks import NETWORKS

    rows = [(n.name, n.description, "x".join(map(str, n.image)), grouped(n.weights), grouped(n.macs)) for n in NETWORKS.values()]
    console.say(Table(("network", "what", ">input", ">weights", ">MACs a frame"), rows).text(""))
    console.say("\nnext:\n  hwq zoo resnet18 -o resnet18.pt")
    console.document({"networks": [asdict(n) for n in NETWORKS.values()]})
    return 0


def _write(args: argparse.Namespace, console: Console) -> int:
    from hwq.zoo.networks import network_named, write_random

    network = network_named(args.network)
    chosen = {name.replace("-", "_"): getattr(args, name.replace("-", "_")) for name in QUANTIZERS}
    given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    options.collect(
        lambda: given.update(image=options.count(args.image, "--image")),
        lambda: given.update(classes=options.count(args.classes, "--classes")),
        lambda: given.update(width=options.positive(args.width, "--width") or 1.0),
        lambda: given.update(seed=options.count(args.seed, "--seed", 0) or 0),
    )
    output = args.output or Path(f"{network.name}.pt")
    with console.progress() as progress:
        path = write_random(network.name, output, progress=progress, **given)
    console.say(f"wrote {path}: {network.description}, random weights")
    console.say(f"\nnext:\n  hwq compile {shlex.quote(str(path))} --target vu9p")
    console.document({"network": network.name, "model": path, **given})
    return 0
