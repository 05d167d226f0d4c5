"""Finds the first stage of the emitted Verilog whose stream is wrong or stands still, by probing all stages in a second run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.graph import Network
from hwq.network.ops import Integers
from hwq.plan.dataflow import Edge, dataflow_of
from hwq.plan.stages import Stage, stages_of
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


def locate(
    folder: Folder, failure: Failure, codes: Mapping[str, NDArray[Any]], integers: Mapping[str, Integers], stalls: str, traces: Traces
) -> Failure:
    """``failure``, with the first wrong stage in place of the output where the cocotb engine can see it.

    ``codes`` and ``integers`` hold the frames up to the failing one.
    """
    instances = instances_of(folder)
    stages = [s for s in stages_of(folder.network) if s.name in instances]
    if not stages:
        return failure
    run = run_cocotb(folder.path, folder.top, folder.ports, codes, stalls=stalls, traces=traces, probes=[instances[s.name] for s in stages])
    golden = folder.network.run(integers, keep=[s.target for s in stages])
    edges = {s.name: _edge(folder, s) for s in stages}
    for stage in stages:
        stream = run.probes[instances[stage.name]]
        found = _wrong_code(folder.network, stage, edges[stage.name], stream, golden[stage.target])
        if found:
            return found
    return _standing_stage(failure, run, [(s, edges[s.name], run.probes[instances[s.name]]) for s in stages]) if run.hang else failure


def _edge(folder: Folder, stage: Stage) -> Edge:
    dataflow = dataflow_of(folder.network, folder.plan)
    unit = next(u for u in dataflow.units if u.name == stage.name)
    return dataflow.edges[unit.outputs[0]]


def words_to_codes(words: tuple[int, ...], edge: Edge) -> NDArray[Any]:
    """Codes (frames, positions, channels) of the whole frames among ``words`` of a stream (V = 1)."""
    frames = len(words) // edge.words
    mask = (1 << edge.bits) - 1
    lanes = np.array([word >> (k * edge.bits) & mask for word in words[: frames * edge.words] for k in range(edge.elements)], np.int64)
    return lanes.reshape(frames, edge.positions, edge.words_per_pixel * edge.elements)[:, :, : edge.channels]


def _wrong_code(network: Network, stage: Stage, edge: Edge, stream: ProbedStream, golden: Integers) -> Failure | None:
    encoding = network.tensors[stage.target].encoding
    got = words_to_codes(stream.words, edge)
    expected = encoding.encode(golden[: len(got)]).reshape(got.shape)
    where = first_difference(expected, got)
    if where is None:
        return None
    frame, element = where
    position, channel = divmod(element, edge.channels)
    word = frame * edge.words + position * edge.words_per_pixel + channel // edge.elements
    wanted, found = (int(encoding.decode(c[frame].reshape(-1)[element])) for c in (expected, got))
    return Failure("mismatch", "first wrong stage", stage.name, frame, element, wanted, found, stream.cycles[word])


def _standing_stage(failure: Failure, run: EngineRun, streams: list[tuple[Stage, Edge, ProbedStream]]) -> Failure:
    """The first stage that gave fewer words than its frames need, and whether it waits for its reader or gives nothing."""
    for stage, edge, stream in streams:
        wanted = run.frames * edge.words
        if len(stream.words) < wanted:
            state = "its reader takes nothing" if stream.valid and not stream.ready else "it gives nothing"
            text = f"{failure.text}; the first stage that stands is {stage.name!r}: {len(stream.words)} of {wanted} words came, {state}"
            cycle = stream.cycles[-1] if stream.cycles else 0
            return Failure("hang", text, stage.name, len(stream.words) // edge.words, cycle=cycle)
    return failure
