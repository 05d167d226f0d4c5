"""What a designer needs to connect a core: ``interface.json`` for programs and benches, ``INTERFACE.md`` for people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from hwq import __version__
from hwq.plan.prediction import Prediction
from hwq.target.design import Design
from hwq.target.streams import StreamPort

__all__ = ["FORMAT_VERSION", "interface_document", "interface_text"]

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


def interface_document(design: Design, prediction: Prediction) -> dict[str, Any]:
    """``interface.json``: ports, byte layout of every stream, register map, cycles, hashes of the design's files."""
    sources = {f"{design.top}.v": design.verilog} | {f.name: f.text for f in design.memories}
    return {
        "format": "hwq-interface",
        "format_version": FORMAT_VERSION,
        "hwq": __version__,
        "top": design.top,
        "clock": {"port": "aclk", "assumed_mhz": design.plan.clock_mhz},
        "reset": RESET,
        "inputs": [p.document() for p in design.inputs],
        "outputs": [p.document() for p in design.outputs],
        "ports": [{"name": n, "direction": d, "width": w} for n, d, w in design.ports],
        "registers": design.registers,
        "cycles_per_frame": prediction.interval,
        "latency_cycles": prediction.latency,
        "memories": {f.name: {"depth": f.depth, "width": f.width, "bytes": len(f.text)} for f in design.memories},
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sources.items()},
    }


def interface_text(document: Mapping[str, Any], codes: Mapping[str, NDArray[Any]], ports: tuple[StreamPort, ...]) -> str:
    """``INTERFACE.md``: the document in prose and tables, with frame 2 of the test vectors as the example."""
    mhz = document["clock"]["assumed_mhz"]
    lines = [
        f"# {document['top']}",
        "",
        "An AXI4-Stream core on one clock. Every figure here is also in `interface.json`.",
        "",
        "## Clock and reset",
        "",
        f"`aclk` is assumed at {mhz:g} MHz; no timing result stands behind it. `aresetn` is synchronous and active low. {RESET['rule']}",
        "",
        "## Speed",
        "",
        (
            f"One frame every {document['cycles_per_frame']} cycles while the source always has a beat and the sink is always ready; "
            f"{document['latency_cycles']} cycles from the first accepted beat of a frame to the last delivered beat of its output, "
            "queues full. Stalls on either side delay, they never change or lose data."
        ),
        "",
        "## Streams",
        "",
    ]
    for p in ports:
        lines += _stream_text(p, codes[p.port])
    lines += ["## Ports", "", "| port | direction | bits |", "|---|---|---|"]
    lines += [f"| `{p['name']}` | {p['direction']} | {p['width']} |" for p in document["ports"]]
    lines += ["", "## Registers (AXI4-Lite)", ""]
    lines += _register_text(document["registers"])
    if document["memories"]:
        lines += ["", "## Memory files", "", "The Verilog reads these with `$readmemh`, relative to the folder the simulator runs in"]
        lines += ["(Vivado: to the sources). While they are missing or wrong no input is accepted and the status register says so.", ""]
        lines += [f"- `{name}`: {m['depth']} words of {m['width']} bits" for name, m in document["memories"].items()]
    return "\n".join(lines) + "\n"


def _stream_text(p: StreamPort, codes: NDArray[Any]) -> list[str]:
    e = p.encoding
    kind = "sign" if e.signed else "zero"
    shape = " x ".join(map(str, p.shape))
    frame = min(2, len(codes) - 1)
    raw = p.pack(codes[frame : frame + 1]).reshape(-1)
    shown = min(8, p.elements)
    integers = e.decode(codes[frame].reshape(-1)[:shown])
    direction = "Input" if p.is_input else "Output"
    padding = p.beats * p.elements_per_beat - p.elements
    return [
        f"### `{p.port}`",
        "",
        (
            f"{direction} of {shape} elements (height, width, channels; channels vary fastest), each {e.name}: "
            f"integers {e.lo} to {e.hi}{' in steps of 2' if e.step == 2 else ''} as codes of {e.bits} bit{'s' if e.bits > 1 else ''}, "
            f"{kind}-extended to {p.pitch} bit{'s' if p.pitch > 1 else ''}."
        ),
        "",
        f"- tdata: {p.bus_bits} bits, {p.elements_per_beat} elements a beat, the first in the lowest bits (little-endian)",
        (
            f"- a frame is {p.beats} beats = {p.beats * p.bus_bits // 8} bytes and starts on a beat"
            + (f"; {padding} element places at the end of the last beat are zero" if padding else "")
        ),
        "- tlast marks the last beat of a frame; tkeep is all ones but in a last beat that is not full",
        *(
            ["- what lies above a code in its place is ignored"]
            if p.is_input
            else ["- tuser[0] marks a frame whose input was framed wrongly"]
        ),
        (
            f"- example: integers {', '.join(map(str, integers))}{', ...' if p.elements > shown else ''} begin with the bytes "
            f"`{raw[: min(8, len(raw))].tobytes().hex(' ')}`"
        ),
        "",
    ]


def _register_text(registers: list[dict[str, Any]]) -> list[str]:
    if not registers:
        return ["none"]
    lines = ["| offset | name | bits | access | meaning |", "|---|---|---|---|---|"]
    for r in registers:
        lines.append(f"| `{r['offset']:#05x}` | {_plain(r['name'])} | {r['bits']} | {r['access']} | {_plain(r['description'])} |")
    return lines


def _plain(text: str) -> str:
    """``text`` without anything that Markdown or HTML would act on: it may hold the user's names."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|&~])", r"\\\1", " ".join(text.split()))
