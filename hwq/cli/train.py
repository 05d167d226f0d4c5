"""Train a network by a recipe and save it.

On the handwritten digits that ship with scikit-learn, each in less than half a minute:
  digits-mlp         a binary classifier, fully connected
  digits-conv        three convolutions with padding and max-pools, 1-bit weights, 2-bit activations
  digits-residual    two residual blocks, average pool, 1-bit weights, 2-bit activations
  digits-depthwise   depthwise and pointwise convolutions, 4 bits
On data sets from disk (--data DIR), minutes to hours:
  mnist-tfc mnist-sfc mnist-lfc mnist-cnv    the four idx files of MNIST, packed or not
  cifar-cnv cifar-vgg-small                  the binary version of CIFAR-10
Beside MODEL.pt goes MODEL.test.npz: frames the training has not seen (x), their labels (y) and the model's own scores (scores).

examples:
  hwq train digits-mlp -o model.pt
  hwq train digits-residual -o residual.pt
  hwq train mnist-cnv --data ~/mnist --epochs 3 -o mnist.pt
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
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder of the data set, for recipes that read one")
    parser.add_argument("--epochs", metavar="N", help="passes over the training data, for recipes on data sets (default: the recipe's)")
    parser.add_argument("--seed", help="seed of all randomness (default: the recipe's)")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq train``."""

    from hwq.zoo.recipes import train

    seed, epochs = options.count(args.seed, "--seed", 0), options.count(args.epochs, "--epochs")
    with console.progress() as progress:
        result = train(args.recipe, args.output, seed=seed, progress=progress, data=args.data, epochs=epochs)
    console.say(
        f"{result.recipe}: {100 * result.accuracy:.2f} % of {result.frames} held-out frames right, trained in {result.seconds:.0f} s"
    )
    console.say(f"wrote {result.model} and {result.test_data}")
    console.say(f"\nnext:\n  hwq compile {shlex.quote(str(result.model))} --target vu9p")
    console.document(asdict(result))
    return 0
