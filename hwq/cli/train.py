"""Train a network by a recipe and save it.

Recipes: digits-mlp, a binary classifier of the handwritten digits that ship with scikit-learn.
Beside MODEL.pt goes MODEL.test.npz: frames the training has not seen (x), their labels (y) and the model's own scores (scores).

examples:
  hwq train digits-mlp -o model.pt
"""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path

from hwq.cli import options
from hwq.cli.console import Console

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq train``."""
    parser.add_argument("recipe", metavar="RECIPE", help="name of the recipe")
    parser.add_argument("-o", "--output", metavar="MODEL.pt", type=Path, default=Path("model.pt"), help="where to save (default model.pt)")
    parser.add_argument("--seed", help="seed of all randomness (default: the recipe's)")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq train``."""

    from hwq.zoo.recipes import train

    seed = options.count(args.seed, "--seed", 0)
    with console.progress() as progress:
        result = train(args.recipe, args.output, seed=seed, progress=progress)
    console.say(
        f"{result.recipe}: {100 * result.accuracy:.2f} % of {result.frames} held-out frames right, trained in {result.seconds:.0f} s"
    )
    console.say(f"wrote {result.model} and {result.test_data}")
    console.say(f"\nnext:\n  hwq compile {shlex.quote(str(result.model))} --target vu9p")
    console.document(asdict(result))
    return 0
