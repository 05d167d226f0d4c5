"""Run a model as the hardware will, in numpy: golden inference, and accuracy with --labels.

INPUT holds what torch would take, and the answer is what torch would give: .npy, or .npz with one array, one array
a model input, or an array named x, inputs or images. With --codes both are integers of the streams' encodings (N, H, W, C).

examples:
  hwq run model.pt images.npy -o scores.npy
  hwq run rtl_out/digits-mlp test.npz --labels labels.npy
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwq.cli.console import Console
from hwq.cli.source import add_source_arguments, read_source
from hwq.errors import InputError
from hwq.report.table import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwq.network.model import Model, ModelInput

__all__ = ["add_arguments", "run"]

MANY = 0.5  # share of saturated values from which on the data are likely scaled otherwise than in training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``hwq run``."""
    parser.add_argument("model", metavar="MODEL|DIR", help="a model file, a .hwq file, or a folder written by hwq compile")
    parser.add_argument("input", metavar="INPUT", type=Path, help="frames, .npy or .npz")
    parser.add_argument("-o", "--output", metavar="OUT.npy", type=Path, help="where to write the answer (.npz for several outputs)")
    parser.add_argument("--labels", metavar="Y.npy", type=Path, help="class of each frame; prints the accuracy")
    parser.add_argument("--codes", action="store_true", help="take and give the integers on the wire, strictly of their encoding")
    add_source_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq run``."""
    from hwq.cli import arrays
    from hwq.plan.footprint import check_golden
    from hwq.report.accuracy import accuracy, class_count, classes_of

    model = read_source(args, console)
    integers, remarks, saturated = _integers(model, args)
    for remark in remarks:
        console.note(f"note: {remark}")
    frames = len(next(iter(integers.values())))
    scored = model.outputs[0]
    labels = arrays.load_labels(args.labels, frames, class_count(scored.shape)) if args.labels else None
    check_golden(model.network)
    answer = model.network.run(integers)
    scores = model.decode(answer)
    given = {o.name: answer[o.tensor] for o in model.outputs} if args.codes else scores
    if args.output:
        save(args.output, given)
    document: dict[str, Any] = {"name": model.name, "frames": frames, "saturated": saturated, "output": args.output and str(args.output)}
    if labels is not None:
        document["accuracy"] = accuracy(classes_of(scores[scored.name]), labels)
    if args.output is None:
        document["outputs"] = {name: value.tolist() for name, value in given.items()}
    _print(document, given, console)
    return 0


def _integers(model: Model, args: argparse.Namespace) -> tuple[dict[str, Any], list[str], dict[str, int]]:
    from hwq.cli import arrays
    from hwq.report.host import count_saturated

    if args.codes:
        return arrays.load_codes(model, args.input), [], {}
    frames, remarks = arrays.load_inputs(model, args.input)
    saturated = {i.name: n for i in model.inputs if (n := count_saturated(i.head, frames[i.name]))}
    remarks += [_out_of_range(i, saturated[i.name], frames[i.name].size) for i in model.inputs if i.name in saturated]
    return model.encode(frames), remarks, saturated


def _out_of_range(i: ModelInput, saturated: int, total: int) -> str:
    from hwq.report.host import expected_range

    text = f"{i.name}: {saturated} of {total} values lie outside the encoding and were saturated"
    if saturated <= MANY * total:
        return text
    reach = expected_range(i.head)
    return f"{text}; expected are {f'values {reach[0]:g}..{reach[1]:g}, ' if reach else ''}scaled as the model was trained"


def save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a single array as ``.npy``, several (or to a ``.npz``) as ``.npz``; beside it first, then in its place."""
    import numpy as np

    if len(arrays) > 1 and path.suffix != ".npz":
        raise InputError("OPTION-OUTPUT", f"the model has {len(arrays)} outputs; write them to a .npz", where=str(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("wb") as f:
            if path.suffix == ".npz":
                np.savez(f, **arrays)  # type: ignore[arg-type]
            else:
                np.save(f, next(iter(arrays.values())), allow_pickle=False)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError("OUTPUT-WRITE", f"cannot be written ({error.strerror})", where=str(path)) from None


def _print(document: dict[str, Any], given: dict[str, NDArray[Any]], console: Console) -> None:
    console.say(f"{printable(document['name'])}: {document['frames']} frames through the golden model")
    if "accuracy" in document:
        a = document["accuracy"]
        console.say(f"accuracy {100 * a['accuracy']:.2f} % ({a['correct']} of {a['frames']})")
    if document["output"]:
        console.say(f"wrote {document['output']}")
    else:
        for name, values in given.items():
            _preview(name, values, console)
    console.document(document)


def _preview(name: str, values: NDArray[Any], console: Console, frames: int = 10) -> None:
    for n, row in enumerate(values[:frames].reshape(min(len(values), frames), -1)):
        shown = " ".join(f"{v:.6g}" for v in row[:10])
        console.say(f"{name}[{n}]: {shown}{' ...' if len(row) > 10 else ''}")
    if len(values) > frames:
        console.say(f"... {len(values) - frames} more; -o OUT.npy writes all")
