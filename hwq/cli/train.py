"""Train a network by a recipe and save it.

Recipes: digits-mlp, a binary classifier of the handwritten digits that ship with scikit-learn.
Beside the model go the held-out test images, their labels and the model's own scores, in OUT.test.npz.

examples:
  hwq train digits-mlp -o model.pt
"""

from __future__ import annotations

import argparse
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
    seed = options.count(args.seed, "--seed", 0)
    del seed
    return 0
