"""Prove a compiled design bit-exact in simulation: golden model against the emitted Verilog.

Exits 0 only when every output code of every frame is equal; writes DIR/verify.json. Without --inputs the frames are
random legal integers. Random gaps at the inputs and back-pressure at the outputs are part of every run.
--stage and --stages run the stages' modules of DIR alone; what lies between them (forks, FIFOs, AXI) stays unverified.

engines:
  cocotb    the bench shipped in DIR, in Verilator; hundreds of frames a second
  batch     the same Verilog compiled with Verilator as a library; thousands of frames a second
  amaranth  the components in Amaranth's simulator; a few frames

examples:
  hwq verify rtl_out/digits-mlp
  hwq verify rtl_out/digits-mlp --inputs test.npz --labels test.npz --reference test.npz
  hwq verify rtl_out/digits-mlp --engine batch --frames 100000
  hwq verify rtl_out/resnet18 --stages all -j 2      every stage alone, for designs too big to simulate whole
  hwq verify rtl_out/resnet18 --stage layer1.0.conv1
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwq.cli import options
from hwq.cli.console import Console
from hwq.errors import InputError

if TYPE_CHECKING:
    from hwq.network.model import Model

__all__ = ["add_arguments", "run"]

ENGINES = ("cocotb", "batch", "amaranth")
DEFAULT_ENGINES = ("cocotb", "batch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq verify``."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="a folder written by hwq compile")
    parser.add_argument("--inputs", metavar="X.npy", type=Path, help="frames as the model takes them")
    parser.add_argument("--labels", metavar="Y.npy", type=Path, help="class of each frame: accuracy of source, golden and RTL")
    parser.add_argument("--reference", metavar="SCORES.npy", type=Path, help="scores the source model gave elsewhere, for example in torch")
    parser.add_argument("--codes", action="store_true", help="--inputs holds integers of the streams' encodings (N, H, W, C)")
    parser.add_argument("--frames", metavar="N", help="at most so many frames an engine (default: all inputs, or the engine's own number)")
    parser.add_argument("--engine", choices=(*ENGINES, "all"), help="default: cocotb and batch")
    parser.add_argument("--stage", metavar="NAME", action="append", help="verify this stage alone, on its golden streams; may be repeated")
    parser.add_argument("--stages", choices=("all",), help="verify every stage alone; a big one takes minutes a frame")
    parser.add_argument("-j", "--jobs", metavar="N", help="stages compiled and simulated at once (default: the cores, 1 GiB or more each)")
    parser.add_argument("--waves", action="store_true", help="let the cocotb engine write waves (VCD)")
    parser.add_argument(
        "--primitives",
        choices=("portable", "structural"),
        default="portable",
        help="what is simulated of parts made of fabric, where the Verilog has both. portable: expressions, as without macros (default, "
        "faster); structural: their LUTs, carry chains and DSP slices, as with HWQ_FABRIC. A design compiled with --primitives "
        "structural or unisim has one form, which is simulated; of Xilinx cells hwq's models (HWQ_MODELS)",
    )
    parser.add_argument("--seed", default="1", help="seed of stalls and random frames (default 1)")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq verify``."""
    from hwq import api
    from hwq.report.certificate import certificate_text
    from hwq.target.folder import check_no_file, load_folder

    values: dict[str, Any] = {}
    options.collect(
        lambda: values.update(frames=options.count(args.frames, "--frames")),
        lambda: values.update(seed=options.count(args.seed, "--seed", 0)),
        lambda: values.update(jobs=options.count(args.jobs, "--jobs", 1, 256) or os.cpu_count() or 1),
        lambda: _needs_inputs(args),
        lambda: _suits_stages(args),
    )
    model = api.read(check_no_file(args.folder))
    values |= _arrays(args, model, console)
    engines = DEFAULT_ENGINES if args.engine is None else ENGINES if args.engine == "all" else (args.engine,)
    with console.progress() as progress:
        stages = ["all"] if args.stages else args.stage or []
        chosen = {"engines": engines, "waves": args.waves, "primitives": args.primitives}
        certificate = api.verify(args.folder, stages=stages, progress=progress, **chosen, **values)
    document = certificate.to_json()
    console.say(certificate_text(document))
    if not stages and "amaranth" not in engines:
        console.say(_simulated(args.primitives, load_folder(args.folder).report.get("options") or {}))
    if model.source and not args.inputs and not stages:
        console.say("hint: give --inputs to compare the source model too")
    if args.waves and "cocotb" in engines:
        console.say(f"waves: {args.folder / 'waves.vcd'}")
    console.document(document)
    return 0 if certificate.bit_exact else 1


def _simulated(primitives: str, options: Mapping[str, Any]) -> str:
    """Which form of the parts made of fabric ran."""
    compiled = str(options.get("primitives") or "portable")
    chosen = primitives if compiled == "portable" else compiled
    words = {"portable": "expressions", "structural": "the LUTs, carry chains and slices of HWQ_FABRIC", "unisim": "models of Xilinx cells"}
    return f"simulated of parts made of fabric: {words[chosen]}"


def _needs_inputs(args: argparse.Namespace) -> None:
    for option, value in (("--labels", args.labels), ("--reference", args.reference), ("--codes", args.codes)):
        if value and not args.inputs:
            raise InputError("OPTION-CONFLICT", "this option speaks of frames that --inputs holds", where=option, hint="Give --inputs too")


def _suits_stages(args: argparse.Namespace) -> None:
    """Options that mean nothing where stages are verified alone."""
    if not (args.stage or args.stages):
        return
    if args.stage and args.stages:
        raise InputError("OPTION-CONFLICT", "both --stage and --stages were given", where="--stage")
    if args.primitives != "portable":
        raise InputError("OPTION-CONFLICT", "stages run alone in their portable form", where="--primitives")
    for option, value in (("--engine", args.engine), ("--labels", args.labels), ("--reference", args.reference), ("--waves", args.waves)):
        if value and value != "batch":
            raise InputError("OPTION-CONFLICT", "stages run alone in the batch engine, without what this option asks for", where=option)


def _arrays(args: argparse.Namespace, model: Model, console: Console) -> dict[str, Any]:
    """Keyword arguments of :func:`hwq.verify` from the files that the options name."""
    from hwq.cli import arrays
    from hwq.report.accuracy import class_count

    if not args.inputs:
        return {}
    if args.codes:
        inputs: dict[str, Any] = dict(arrays.load_codes(model, args.inputs))
    else:
        inputs, remarks = arrays.load_inputs(model, args.inputs)
        for remark in remarks:
            console.note(f"note: {remark}")
    frames, output = len(next(iter(inputs.values()))), model.outputs[0]
    found: dict[str, Any] = {"inputs": inputs, "codes": args.codes}
    if args.labels:
        found["labels"] = arrays.load_labels(args.labels, frames, class_count(output.shape))
    if args.reference:
        found["reference"] = arrays.load_reference(args.reference, output, frames)
    return found
