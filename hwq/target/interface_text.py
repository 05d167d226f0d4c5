"""What a designer needs to connect a core, for people: ``INTERFACE.md``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from hwq.network.model import Model
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.target.host_steps import host_text
from hwq.target.interface import RESET
from hwq.target.report_file import FIELDS, LAYER_FIELDS, SYNTHESIS_FIELDS
from hwq.target.streams import StreamPort

__all__ = ["interface_text"]

FRAMING = (
    "Without errors tlast comes with the last beat of every frame. When it comes early, the core completes the frame with codes 0 "
    "(input waits meanwhile), so the output of that frame is worthless. When it is missing, the frame ends where it should have ended, "
    "and all beats after it, up to and including the next with tlast, are dropped: usually that is the next frame, which is then lost. "
    "tuser[0] in the last output beat of such a frame is 1, the status register and the counter BAD say so too; frames after the next "
    "tlast are not touched."
)
SEVERAL_INPUTS = (
    "Frames of different inputs belong together by their number since reset. An input that loses a frame to a missing tlast is one "
    "frame ahead of the others from then on, and nothing in the outputs shows it: when the status register reports a bad frame, reset "
    "the core and begin anew."
)
CONCURRENT = (
    "Serve all streams at the same time. The core holds no whole frame in front of an output or behind an input: a host that waits for "
    "the end of one stream's frame before it serves another can wait for ever. Give every stream a DMA channel or a buffer of a frame."
)
HOST = (
    "Host steps compute in binary64, in this order. N counts frames and is axis 0; reshape keeps N and the order of the elements (last "
    "axis fastest); transpose lists the old axes in their new order; half\\_even rounds to the nearest, ties to the even number. "
    "The same steps with every constant of up to 4096 numbers are in `interface.json`, `inputs` and `outputs`, field `host`."
)
LITE_UNUSED = (
    "Not used: tie every `s_axil_` input to 0, leave the outputs open. Every access is of 32 bits and answered OKAY; an address without "
    "a register reads 0. Values of 64 and more bits have their lowest word first."
)


FORMS = (
    ("HWQ_FABRIC", "lanes and other parts of fabric are LUTs, carry chains and DSP slices as instances; without it they are expressions"),
    ("HWQ_UNISIM", "these cells are the Xilinx cells; without it modules that describe them"),
    ("HWQ_MODELS", "models of the Xilinx cells for simulators that have none; never for synthesis"),
)


def interface_text(
    document: Mapping[str, Any], model: Model, codes: Mapping[str, NDArray[Any]], ports: tuple[StreamPort, ...], verilog: str = ""
) -> str:
    """``INTERFACE.md``: the document in prose and tables, with frame 2 of the test vectors as the example; of ``verilog`` its macros."""
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
            f"One frame every {document['cycles_per_frame']} cycles while the source always has a beat and the sink is always ready. "
            "Latency is counted from the first accepted beat of a frame to the last delivered beat of its output: "
            f"{document['first_latency_cycles']} cycles for a frame that finds the core empty, {document['latency_cycles']} in an unbroken "
            "stream, where a frame also waits in the core's queues behind the frames before it. "
            "Stalls on either side delay, they never change or lose data."
        ),
        "",
        "## Streams",
        "",
    ]
    described = {s["port"]: s for s in (*document["inputs"], *document["outputs"])}
    for p in ports:
        lines += _stream_text(p, described[p.port], codes[p.port])
        lines += host_text(p, described[p.port]["host"], model)
    lines += [HOST, "", "## Framing", "", FRAMING, ""]
    if len(document["inputs"]) > 1:
        lines += [SEVERAL_INPUTS, ""]
    if len(document["inputs"]) > 1 or len(document["outputs"]) > 1:
        lines += ["## Several streams", "", CONCURRENT, ""]
    lines += ["## Ports", "", "| port | direction | bits |", "|---|---|---|"]
    lines += [f"| `{p['name']}` | {p['direction']} | {p['width']} |" for p in document["ports"]]
    lines += _forms_text(document["top"], verilog)
    lines += ["", "## Registers (AXI4-Lite)", "", LITE_UNUSED, ""]
    lines += _register_text(document["registers"])
    if document["memories"]:
        lines += ["", "## Memory files", "", "The Verilog reads these with `$readmemh`, relative to the folder the simulator runs in"]
        lines += ["(Vivado: to the sources). While they are missing or wrong no input is accepted and the status register says so.", ""]
        lines += [f"- `{name}`: {m['depth']} words of {m['width']} bits" for name, m in document["memories"].items()]
    lines += ["", "## Fields of report.json", "", *_field_text(FIELDS), "", "Of each of `layers`:", "", *_field_text(LAYER_FIELDS)]
    lines += ["", "## Fields of synth.json", "", "`hwq synth` writes it, not `hwq compile`:", "", *_field_text(SYNTHESIS_FIELDS)]
    return "\n".join(lines) + "\n"


def _forms_text(top: str, verilog: str) -> list[str]:
    """The macros that ``verilog`` asks for, and which to define where."""
    asked = [(macro, meaning) for macro, meaning in FORMS if f"`ifdef {macro}" in verilog]
    if not asked:
        return []
    wanted = " and ".join(f"`{macro}`" for macro, _ in asked if macro != "HWQ_MODELS") or "none"
    lines = ["", "## Macros of the Verilog", "", f"`{top}.v` is the same circuit in the same cycles, to the bit, whatever is defined:", ""]
    lines += [f"- `{macro}`: {meaning}" for macro, meaning in asked]
    return [*lines, "", f"Synthesis for the device: define {wanted}, as `vivado.tcl` does; the reported LUTs are those of that form."]


def _field_text(fields: Mapping[str, str]) -> list[str]:
    return [f"- `{name}`: {meaning}" for name, meaning in fields.items()]


def _stream_text(p: StreamPort, document: Mapping[str, Any], codes: NDArray[Any]) -> list[str]:
    e = p.encoding
    low, high = document["reachable"]
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
            f"integers {e.lo} to {e.hi}{' in steps of 2' if e.step == 2 else ''} as codes of {_count(e.bits, 'bit')}, "
            f"{'sign' if e.signed else 'zero'}-extended to {_count(p.pitch, 'bit')}."
        ),
        "",
        f"- {_meaning(e)}",
        *(_illegal(e) if p.is_input else []),
        *([] if p.is_input else [f"- reachable: {low} to {high} over all inputs and channels; the encoding has room for {e.lo} to {e.hi}"]),
        (
            f"- tdata: {_count(p.bus_bits, 'bit')}, {_count(p.elements_per_beat, 'element')} a beat, "
            "the first in the lowest bits (little-endian)"
        ),
        (
            f"- a frame is {_count(p.beats, 'beat')} = {_count(p.beats * p.bus_bits // 8, 'byte')} and starts on a beat"
            + (f"; {_count(padding, 'element place')} at the end of the last beat {'are' if padding > 1 else 'is'} zero" if padding else "")
        ),
        "- tlast marks the last beat of a frame",
        *(
            ["- tkeep is ignored, and so is what lies above a code in its place or in places beyond the frame"]
            if p.is_input
            else [
                "- tkeep is all ones but in a last beat that is not full",
                "- tuser[0] is 1 in the last beat of a frame whose input was framed wrongly",
            ]
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
        lines.append(
            f"| `{r['offset']:#05x}` | {_plain(r['name'])} | {r['bits']} | {r['access']} | {_plain(r['description'])}{_value(r)} |"
        )
    return lines


def _illegal(e: Encoding) -> list[str]:
    """What becomes of the code that a narrow integer leaves out."""
    if not (isinstance(e, Integer) and e.narrow):
        return []
    code = 1 << e.bits - 1 if e.signed else (1 << e.bits) - 1
    return [f"- code {code} stands for none of them; the core takes it for the integer {0 if e.signed else e.hi}"]


def _meaning(e: Encoding) -> str:
    """How codes stand for integers."""
    if isinstance(e, Bipolar):
        return "code 0 is the integer -1, code 1 is the integer +1"
    return f"the code of an integer is its {'two' + chr(39) + 's complement' if e.signed else 'plain binary'} form"


def _value(register: Mapping[str, Any]) -> str:
    return f": `{register['value']:#010x}`" if register["kind"] == "constant" and register["bits"] == 32 else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _plain(text: str) -> str:
    """``text`` without anything that Markdown or HTML would act on: it may hold the user's names."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|&~])", r"\\\1", " ".join(text.split()))
