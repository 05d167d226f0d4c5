"""A compiled design for people: what every layer costs and takes, the figures of the whole, how sure they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hwq.network.graph import Network
from hwq.plan.stages import Stage, stages_of
from hwq.report.operation import stage_operation, stage_shapes
from hwq.report.table import Table, cycles_text, grouped, percent, printable, shortened, si

__all__ = ["design_text"]

REST = "between and around"
RESOURCES = (("lut", "LUT"), ("lutram", "LUTRAM"), ("ff", "FF"), ("bram36", "BRAM36"), ("uram", "URAM"), ("dsp", "DSP"))


def design_text(report: Mapping[str, Any], network: Network) -> str:
    """``report.json`` with the layers of its ``network``."""
    return "\n".join([_layers(report, network), "", *_figures(report), "", *_resources(report)])


def _layers(report: Mapping[str, Any], network: Network) -> str:
    stages = {s.name: s for s in stages_of(network)}
    rows: list[tuple[object, ...]] = []
    for layer in report["layers"]:
        stage = stages.get(layer["name"])
        what, shape, encoding = _of_stage(stage, network) if stage else (layer["op"], "", "")
        resources = layer.get("resources") or {}
        rows.append(
            (
                shortened(layer["name"]),
                what,
                shape,
                encoding,
                _folding(layer),
                layer.get("style") if stage and stage.kind in ("mvu", "depthwise") else None,
                grouped(layer.get("cycles")),
                grouped(resources.get("lut")),
                f"{resources['bram36']:g}" if resources.get("bram36") else None,
            )
        )
    rows.append(_rest(report))
    return Table(("layer", "op", "shape", "encoding", ">PExSIMD", "style", ">cycles", ">LUT", ">BRAM36"), rows).text()


def _rest(report: Mapping[str, Any]) -> tuple[str | None, ...]:
    """What the layers' figures lack of those of the whole design."""
    own = [layer.get("resources") or {} for layer in report["layers"]]
    lut, bram = (report["resources"].get(key, 0) - sum(r.get(key, 0) for r in own) for key in ("lut", "bram36"))
    return (REST, "AXI, FIFOs, converters, status", *[None] * 5, grouped(lut), f"{bram:g}" if bram else None)


def _of_stage(stage: Stage, network: Network) -> tuple[str, str, str]:
    """Operation, shapes and encodings in -> out of a stage."""
    sides = [dict.fromkeys(network.tensors[t].encoding.name for t in side if t) for side in (stage.sources, stage.targets)]
    return stage_operation(network, stage), stage_shapes(network, stage), "->".join(",".join(side) for side in sides)


def _folding(layer: Mapping[str, Any]) -> str:
    simd = f"x{layer['simd']}" if layer.get("simd") else ""
    pixels = f" ({layer['pixels']} pixels)" if layer.get("pixels", 1) > 1 else ""
    return f"{layer.get('pe', '')}{simd}{pixels}"


def _figures(report: Mapping[str, Any]) -> Iterator[str]:
    clock = report["clock_mhz"]
    cycles, latency = report["cycles_per_frame"], report["latency_cycles"]
    yield f"{cycles_text(cycles)} a frame, latency {cycles_text(latency)}; the bottleneck is {printable(report['bottleneck'])}"
    # The clock is a wish: no place and route has run.
    yield f"{grouped(report['fps'])} frames/s, latency {si(latency / clock / 1e6)}, at an assumed {clock:g} MHz"
    if report.get("weight_bits"):
        yield f"{grouped(report['weight_bits'])} bits of weights" + _bandwidth(report)


def _bandwidth(report: Mapping[str, Any]) -> str:
    """How fast weights are read, and how full the block RAMs are."""
    words = ""
    if report.get("weight_bits_per_cycle"):
        words += f", {grouped(report['weight_bits_per_cycle'])} read a cycle ({percent(report.get('weight_bandwidth_use'))} of them used)"
    if report["resources"].get("bram36"):
        words += f"; block RAMs are {percent(report.get('bram_efficiency'))} full"
    return words


def _resources(report: Mapping[str, Any]) -> Iterator[str]:
    used, share = report["resources"], report.get("utilisation") or {}
    rows = [
        (title, grouped(used.get(key)) if key != "bram36" else f"{used.get(key, 0):g}", percent(share.get(key))) for key, title in RESOURCES
    ]
    source = report.get("resources_source", "estimate")
    yield f"resources on {report['target']} ({report['part']}; {source}{_band(report)}):"
    yield Table(("resource", ">used", ">of the device"), rows).text()


def _band(report: Mapping[str, Any]) -> str:
    band = report.get("resources_error")
    return f", within {100 * band:.0f} %" if isinstance(band, int | float) else ""
