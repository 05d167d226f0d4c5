"""Options of every command that reads a model, and the reading."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from hwq.cli import options
from hwq.cli.console import Console

if TYPE_CHECKING:
    from hwq.network.model import Model
    from hwq.network.ops import Accumulation

__all__ = ["add_source_arguments", "read_source", "source_options"]


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that complete what a model file leaves open."""
    group = parser.add_argument_group("what the model leaves open")
    group.add_argument("--name", help="name of the network; default: the one saved with the model, or the file's")
    group.add_argument("--input-encoding", metavar="ENC", help="integers of the input: BIPOLAR TERNARY UINT8 INT4 FIXED<16,6> ...")
    group.add_argument("--input-scale", metavar="S", help="real value of the input's integer 1, for example 1/255 (default 1)")
    group.add_argument("--input-offset", metavar="O", help="real value of the input's integer 0 (default 0)")
    group.add_argument(
        "--input-quantizer", choices=("host", "hardware"), default="host", help="where the input is quantized (default host)"
    )
    group.add_argument(
        "--accumulator", metavar="ACC", help="exact (default) or 'saturating(12,8)': 12 bits, clipped after every 8 products"
    )
    group.add_argument(
        "--residual-encoding", metavar="ENC", help="quantizer put into the branches of sums without an affordable exact form: FIXED<16,6>"
    )


def source_options(args: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of :func:`hwq.read` that the options state, checked."""
    from hwq.frontend.options import parse_real

    accumulator: list[Accumulation | None] = []
    options.collect(
        lambda: args.input_scale is None or parse_real(args.input_scale, "--input-scale"),
        lambda: args.input_offset is None or parse_real(args.input_offset, "--input-offset"),
        lambda: accumulator.append(options.accumulation(args.accumulator, "--accumulator")),
    )
    return {
        "name": args.name,
        "input_encoding": args.input_encoding,
        "input_scale": args.input_scale,
        "input_offset": args.input_offset,
        "input_quantizer": args.input_quantizer,
        "accumulator": accumulator[0],
        "residual_encoding": args.residual_encoding,
    }


def read_source(args: argparse.Namespace, console: Console) -> Model:
    """The model that the options name."""
    from hwq import api

    return api.read(args.model, **source_options(args))
