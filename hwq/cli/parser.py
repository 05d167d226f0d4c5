"""The command line: commands, their options and ``--help``; a wrong one raises :class:`hwq.errors.InputError`."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import NoReturn

import hwq
from hwq.cli import compile as compile_command
from hwq.cli import doctor, explain, report, run, synth, targets, train, verify, zoo
from hwq.errors import InputError

__all__ = ["parse"]

COMMANDS = {
    "compile": compile_command,
    "run": run,
    "verify": verify,
    "explain": explain,
    "report": report,
    "synth": synth,
    "train": train,
    "zoo": zoo,
    "targets": targets,
    "doctor": doctor,
}

DESCRIPTION = "Compile trained quantized neural networks to bit-exact FPGA dataflow designs."
EXAMPLES = """examples:
  hwq train digits-mlp -o model.pt              train a small binary network
  hwq compile model.pt --target vu9p            write Verilog and all around it to rtl_out/<name>/
  hwq verify rtl_out/digits-mlp                 prove it bit-exact in simulation
  hwq synth rtl_out/digits-mlp                  count its LUTs, flip-flops and memories with Yosys
  hwq run model.onnx images.npy -o scores.npy   what the hardware will answer, computed in numpy
  hwq explain model.onnx                        what every layer becomes, or what stands in the way

`hwq COMMAND --help` has the options of a command. Exit codes: 0 good, 1 the answer is no, 2 bad input, 3 a bug in hwq."""


class _Parser(argparse.ArgumentParser):
    """argparse with hwq's errors instead of a usage text."""

    def error(self, message: str) -> NoReturn:
        raise InputError("USAGE", message, hint=f"See `{self.prog} --help`")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Options of one command; ``args.run(args, console)`` runs it."""
    parser = _parser()
    first = next((w for w in words if not w.startswith("-")), None)
    if first is None and not {"-h", "--help", "--version"} & set(words):
        raise InputError("USAGE", "no command given", hint=f"Commands: {', '.join(COMMANDS)}; see `hwq --help`")
    if first is not None and first not in COMMANDS:
        near = difflib.get_close_matches(first, COMMANDS, 1)
        hint = f"Did you mean `hwq {near[0]}`?" if near else f"Commands: {', '.join(COMMANDS)}"
        raise InputError("USAGE", f"there is no command {first!r}", hint=hint)
    args, unknown = parser.parse_known_args(words)
    if unknown:
        raise InputError("USAGE", f"unrecognized arguments: {' '.join(unknown)}", hint=f"See `hwq {first} --help`")
    return args


def _parser() -> _Parser:
    parser = _Parser(
        "hwq", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"hwq {hwq.__version__}")
    shared = _shared()
    for action in shared._actions:
        parser._add_action(action)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", prog="hwq")
    for name, module in COMMANDS.items():
        summary, _, more = (module.__doc__ or "").partition("\n\n")
        command = commands.add_parser(
            name,
            help=summary[0].lower() + summary[1:].rstrip("."),
            description=summary,
            epilog=more.strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            parents=[shared],
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _shared() -> _Parser:
    """Options every command has, before or behind its name."""
    shared = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--json", action="store_true", help="print one JSON document, errors too")
    shared.add_argument("--debug", action="store_true", help="show tracebacks and the library's log")
    return shared
