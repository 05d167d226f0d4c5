"""Finds the first stage of the emitted Verilog whose stream is wrong or stands still, by probing all stages in a second run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.gateware.components import output_port
from hwq.network.graph import Network
from hwq.network.ops import Integers
from hwq.plan.dataflow import dataflow_of
from hwq.plan.units import Edge
from hwq.target.folder import Folder
from hwq.verify.certificate import Failure
from hwq.verify.compare import first_difference
from hwq.verify.cosim import run_cocotb
from hwq.verify.run import EngineRun, ProbedStream
from hwq.verify.stalls import Traces

__all__ = ["instances_of", "locate", "words_to_codes"]


def instances_of(folder: Folder) -> dict[str, str]:
    """Name of the instance of every stage in the top module, by the stage's layer name."""
    text = (folder.path / f"{folder.top}.v").read_text()
    body = text[text.index(f"module {folder.top}(") :]
    body = body[: body.index("endmodule")]
    found = {}
    for layer, module in folder.report["modules"].items():
        if match := re.search(rf"^\s*{re.escape(module)}\s+(\w+)\s*\(", body, re.MULTILINE):
            found[layer] = match[1]
    return found


@dataclass(frozen=True)
class _Tap:
    """A stream that leaves a stage: its place in the top, the tensor it carries and its words."""

    stage: str
    place: str
    tensor: str
    edge: Edge


def locate(
    folder: Folder, failure: Failure, codes: Mapping[str, NDArray[Any]], integers: Mapping[str, Integers], stalls: str, traces: Traces
) -> Failure:
    """``failure``, with the first wrong stage in place of the output where the cocotb engine can see it.

    ``codes`` and ``integers`` hold the frames up to the failing one.
    """
    taps = _taps(folder)
    if not taps:
        return failure
    run = run_cocotb(folder.path, folder.top, folder.ports, codes, stalls=stalls, traces=traces, probes=[t.place for t in taps])
    golden = folder.network.run(integers, keep=[t.tensor for t in taps])
    for tap in taps:
        found = _wrong_code(folder.network, tap, run.probes[tap.place], golden[tap.tensor])
        if found:
            return found
    return _standing_stage(failure, run, taps) if run.hang else failure


def _taps(folder: Folder) -> list[_Tap]:
    """All streams that leave stages, in topological order."""
    instances = instances_of(folder)
    dataflow = dataflow_of(folder.network, folder.plan)
    taps = []
    for unit in dataflow.units:
        stage = getattr(unit, "stage", None)
        if stage is None or stage.name not in instances:
            continue
        targets = [t for t in stage.targets if t]
        for edge, tensor in zip(unit.outputs, targets, strict=True):
            taps.append(_Tap(stage.name, f"{instances[stage.name]}:{output_port(unit, edge)}", tensor, dataflow.edges[edge]))
    return taps


def words_to_codes(words: tuple[int, ...], edge: Edge) -> NDArray[Any]:
    """Codes (frames, H, W, C) of the whole frames among ``words`` of a stream."""
    frames = len(words) // edge.words
    mask = (1 << edge.bits) - 1
    lanes = np.array([word >> (k * edge.bits) & mask for word in words[: frames * edge.words] for k in range(edge.lanes)], np.int64)
    # A word of a row: its group of V pixels, its place among their channel words; in it V pixels of E channels.
    split = lanes.reshape(frames, edge.height, edge.columns, edge.words_per_pixel, edge.pixels, edge.elements)
    image = split.transpose(0, 1, 2, 4, 3, 5).reshape(frames, edge.height, edge.columns * edge.pixels, -1)
    return image[:, :, : edge.width, : edge.channels]


def _word_of(edge: Edge, row: int, column: int, channel: int) -> int:
    """The word of a frame that carries a code."""
    return (row * edge.columns + column // edge.pixels) * edge.words_per_pixel + channel // edge.elements


def _wrong_code(network: Network, tap: _Tap, stream: ProbedStream, golden: Integers) -> Failure | None:
    encoding, edge = network.tensors[tap.tensor].encoding, tap.edge
    got = words_to_codes(stream.words, edge)
    expected = encoding.encode(golden[: len(got)]).reshape(got.shape)
    where = first_difference(expected, got)
    if where is None:
        return None
    frame, element = where
    row, column, channel = (int(n) for n in np.unravel_index(element, got.shape[1:]))
    cycle = stream.cycles[frame * edge.words + _word_of(edge, row, column, channel)]
    wanted, found = (int(encoding.decode(c[frame, row, column, channel])) for c in (expected, got))
    return Failure("mismatch", "first wrong stage", tap.stage, frame, element, wanted, found, cycle, (row, column, channel))


def _standing_stage(failure: Failure, run: EngineRun, taps: list[_Tap]) -> Failure:
    """The first stage that gave fewer words than its frames need, and whether it waits for its reader or gives nothing."""
    for tap in taps:
        stream, wanted = run.probes[tap.place], run.frames * tap.edge.words
        if len(stream.words) < wanted:
            state = "its reader takes nothing" if stream.valid and not stream.ready else "it gives nothing"
            text = f"{failure.text}; the first stage that stands is {tap.stage!r}: {len(stream.words)} of {wanted} words came, {state}"
            cycle = stream.cycles[-1] if stream.cycles else 0
            return Failure("hang", text, tap.stage, len(stream.words) // tap.edge.words, cycle=cycle)
    return failure
