"""What a designer needs to connect a core, as data: ``interface.json``, for programs and benches."""

from __future__ import annotations

import hashlib
from typing import Any

from hwq import __version__
from hwq.network.model import Model
from hwq.target.design import Design
from hwq.target.host_steps import host_document
from hwq.target.streams import StreamPort

__all__ = ["FORMAT_VERSION", "RESET", "interface_document"]

FORMAT_VERSION = 1
RESET = {
    "port": "aresetn",
    "active": "low",
    "synchronous": True,
    "cycles": 4,
    "rule": (
        "Hold low for 4 cycles of aclk or more at the start. At any later time one cycle is enough; frames in flight are lost. "
        "s_axis tready stays low while memories check themselves, at most 16 cycles."
    ),
}


def interface_document(design: Design, model: Model) -> dict[str, Any]:
    """``interface.json``: ports, byte layout and host steps of every stream, register map, cycles, hashes of the design's files."""
    sources = {f"{design.top}.v": design.verilog} | {f.name: f.text for f in design.memories}
    return {
        "format": "hwq-interface",
        "format_version": FORMAT_VERSION,
        "hwq": __version__,
        "top": design.top,
        "clock": {"port": "aclk", "assumed_mhz": design.plan.clock_mhz},
        "reset": RESET,
        "inputs": [_stream(design, model, p) for p in design.inputs],
        "outputs": [_stream(design, model, p) for p in design.outputs],
        "ports": [{"name": n, "direction": d, "width": w} for n, d, w in design.ports],
        "registers": design.registers,
        "cycles_per_frame": design.prediction.interval,
        "latency_cycles": design.prediction.latency,
        "first_latency_cycles": design.prediction.first_latency,
        "memories": {f.name: {"depth": f.depth, "width": f.width, "bytes": len(f.text)} for f in design.memories},
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sources.items()},
    }


def _stream(design: Design, model: Model, port: StreamPort) -> dict[str, Any]:
    reachable = list(design.network.tensors[port.name].interval.bounds)
    return {**port.document(), "reachable": reachable, "host": host_document(model, port)}
