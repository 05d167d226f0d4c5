"""Predicted against simulated cycles: networks at several foldings, without stalls and under random ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import ArgMax, Conv, Threshold
from hwq.numerics.encoding import Integer
from hwq.plan.dataflow import dataflow_of
from hwq.plan.device import Device
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.goal import Goal
from hwq.plan.plan import Plan
from hwq.plan.planner import plan_network
from hwq.plan.stages import stages_of
from hwq.plan.token_network import StallTraces, TokenNetwork
from hwq.target.boards import load_device
from hwq.target.design import elaborate
from hwq.target.folder import Folder, load_folder
from hwq.target.package import write_package
from hwq.target.streams import StreamPort
from hwq.target.vectors import codes_of, random_integers
from hwq.verify.batch import BatchModel, build_batch
from hwq.verify.stalls import stall_traces

__all__ = ["cycle_rows", "foldings", "synthetic_network", "write_design"]

FRAMES = 60
STALLS = (("none", 1), ("both", 1), ("both", 2), ("both", 3))
Cycles = Mapping[str, NDArray[np.int64]]


def foldings(network: Network, device: Device) -> Iterator[tuple[str, Plan]]:
    """Plans by name: as fast as the 64-bit interface, a middling rate, lanes that divide nothing, and fully parallel."""
    yield "fastest", plan_network(network, device)
    yield "300-cycles", plan_network(network, device, Goal(fps=device.clock_mhz * 1e6 / 300))
    layers = {s.name: s.node.op for s in stages_of(network) if isinstance(s.node.op, Conv)}
    ragged = {name: StageDraft(name, pe=max(1, op.mh // 3), simd=max(1, op.mw // 5)) for name, op in layers.items()}
    yield "ragged", plan_network(network, device, base=PlanDraft(stages=ragged))
    parallel = {name: StageDraft(name, pe=op.mh, simd=op.mw) for name, op in layers.items()}
    yield "parallel", plan_network(network, device, base=PlanDraft(stages=parallel))


def synthetic_network() -> Network:
    """Four-bit inputs, ternary weights, three-bit staircases and an argmax, of sizes that no word divides."""
    rng = np.random.default_rng(11)
    widths, nodes, tensor = (50, 37, 23, 11), [], "x"
    for k in range(len(widths) - 1):
        mw, mh = widths[k : k + 2]
        nodes.append(Node(f"fc{k}", Conv(rng.integers(-1, 2, (mh, 1, 1, mw)), Integer(2, True, True)), (tensor,), (f"acc{k}",)))
        thresholds = np.sort(rng.integers(-40, 40, (mh, 7)), axis=1)
        act = Threshold(thresholds, np.ones_like(thresholds), np.zeros(mh, np.int64), Integer(3, False))
        nodes.append(Node(f"act{k}", act, (f"acc{k}",), (f"code{k}",)))
        tensor = f"code{k}"
    nodes.append(Node("best", ArgMax(), (tensor,), ("class",)))
    return Network("synthetic", (NetworkInput("x", (1, 1, widths[0]), Integer(4, False)),), tuple(nodes), ("class",))


def write_design(network: Network, plan: Plan, directory: Path) -> Folder:
    """The output folder of ``network`` under ``plan``, read back."""
    inputs = tuple(ModelInput(i.name, i.shape, "int64", ()) for i in network.inputs)
    outputs = tuple(ModelOutput(o, o, network.tensors[o].shape, "int64", ()) for o in network.outputs)
    write_package(elaborate(network, plan), Model(network, inputs, outputs), directory, load_device(plan.target))
    return load_folder(directory)


def cycle_rows(folder: Folder, frames: int = FRAMES, stalls: Sequence[tuple[str, int]] = STALLS) -> Iterator[dict[str, Any]]:
    """One row for each kind of stalls: interval and latency predicted and simulated, beats that came in another cycle."""
    batch = build_batch(folder.path, folder.top, folder.ports, folder.signals)
    tokens = TokenNetwork(dataflow_of(folder.network, folder.plan))
    integers = random_integers(folder.network, frames)
    codes = codes_of(folder.ports, integers | folder.network.run(integers))
    for profile, seed in stalls:
        yield _row(folder, batch, tokens, codes, profile, seed)


def _row(folder: Folder, batch: BatchModel, tokens: TokenNetwork, codes: Cycles, profile: str, seed: int) -> dict[str, Any]:
    traces = stall_traces(profile, seed, folder.ports)
    slowest = int(folder.report["cycles_per_frame"] + folder.report["first_latency_cycles"])
    run = batch.run(codes, stalls=profile, traces=traces, slowest=slowest)
    sources = {p.name: traces[p.port] for p in folder.inputs}
    sinks = {p.name: traces[p.port] for p in folder.outputs}
    frames = run.frames
    expected = tokens.run(frames, StallTraces(sources, sinks))
    predicted = {p.port: np.asarray((expected.input_beats if p.is_input else expected.output_beats)[p.name]) for p in folder.ports}
    simulated = {p.port: _by_frame(run.cycles[p.port], p, frames) for p in folder.ports}
    figures: dict[str, Any] = {"stalls": "none" if profile == "none" else f"{profile}, seed {seed}"}
    for who, cycles in (("predicted", predicted), ("simulated", simulated)):
        figures[f"interval_{who}"], figures[f"latency_{who}"] = _interval_and_latency(cycles, folder.ports)
    figures["beats"] = sum(c.size for c in predicted.values())
    figures["beats_different"] = sum(int((predicted[port] != simulated[port]).sum()) for port in predicted)
    return figures


def _by_frame(cycles: NDArray[np.int64], port: StreamPort, frames: int) -> NDArray[np.int64]:
    """Cycles (frames, beats), -1 for beats that never came."""
    found = np.full(frames * port.beats, -1, np.int64)
    found[: len(cycles)] = cycles[: len(found)]
    return found.reshape(frames, port.beats)


def _interval_and_latency(cycles: Cycles, ports: tuple[StreamPort, ...]) -> tuple[float, int]:
    """Mean interval of the last beats of the second half of the frames, where the steady state stands, and their longest latency."""
    last = np.max([cycles[p.port][:, -1] for p in ports if not p.is_input], axis=0)
    first = np.min([cycles[p.port][:, 0] for p in ports if p.is_input], axis=0)
    half = len(last) // 2
    interval = float(last[-1] - last[half]) / (len(last) - 1 - half)
    return round(interval, 3), int((last - first)[half:].max())
