"""One self-contained HTML page of a design: figures, graph, stages, buffers with their reasons, resources, origin.

Nothing is loaded from elsewhere and no script runs; every name in it is the user's and is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.plan import Plan
from hwq.plan.stages import stages_of
from hwq.report.depths import reason, stores
from hwq.report.graph.scene import design_scene
from hwq.report.graph.svg import draw
from hwq.report.operation import stage_operation, stage_shapes
from hwq.report.table import grouped, percent, printable, si

__all__ = ["design_page"]

STORES_SHOWN = 40
RESOURCES = {"lut": "LUT", "lutram": "LUT RAM", "ff": "FF", "bram36": "BRAM36", "uram": "URAM", "dsp": "DSP"}
STYLE = """
:root{color-scheme:light dark;--ground:#fff;--ink:#1a1f27;--dim:#5a6473;--rim:#d9dee5;
--hot:#d4380d;--hotfill:#fff1ea;--card:#f7f8fa;--bar:#3b76c4}
@media (prefers-color-scheme:dark){:root{--ground:#14171c;--ink:#eceff4;--dim:#a3adbb;--rim:#363d48;--hot:#ff7a45;--hotfill:#3a2118;
--card:#20252d;--bar:#5b9bf0}}
body{margin:0 auto;padding:28px 24px 60px;max-width:1180px;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif}
h1{font-size:26px;margin:0;overflow-wrap:anywhere}h2{font-size:18px;margin:38px 0 10px}p{margin:6px 0}.dim{color:var(--dim)}
.figures{display:flex;flex-wrap:wrap;gap:12px;margin:22px 0}.figure{background:var(--card);border:1px solid var(--rim);border-radius:8px;
padding:10px 16px;min-width:130px}.figure b{display:block;font-size:20px;font-weight:600}.figure span{color:var(--dim);font-size:13px}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
td.n,td.n+td{white-space:nowrap}th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--rim);vertical-align:top}
th{color:var(--dim);font-weight:600}
td.n,th.n{text-align:right}td.name{max-width:300px;overflow-wrap:anywhere;font-weight:600}tr.hot td{background:var(--hotfill)}
tr.hot td.name{color:var(--hot)}.meter{
display:inline-block;width:90px;height:8px;border-radius:4px;background:var(--rim);vertical-align:middle}
.meter i{display:block;height:100%;border-radius:4px;background:var(--bar)}.meter i.over{background:var(--hot)}
.graph{overflow-x:auto;border:1px solid var(--rim);border-radius:8px;text-align:center}.graph svg{max-width:none}
code{font-size:12px;overflow-wrap:anywhere}
""".strip()


def design_page(report: Mapping[str, Any], network: Network, plan: Plan, bottleneck: str) -> str:
    """The page; ``report`` is ``report.json``, ``bottleneck`` says in words what its bottleneck is."""
    name = network.name
    body = [
        f"<h1>{_t(name)}</h1>",
        f'<p class="dim">{_t(_origin(report))}</p>',
        _figures(report),
        f"<p>The bottleneck is {_t(bottleneck)}.</p>",
        "<h2>Graph</h2>",
        f'<div class="graph">{draw(design_scene(network, plan, report))}</div>',
        "<h2>Stages</h2>",
        _stages(report, network),
        "<h2>Buffers and FIFOs</h2>",
        *_stores(network, plan),
        "<h2>Resources</h2>",
        *_resources(report),
        "<h2>Origin</h2>",
        _hashes(report),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_t(name)}: hwq report</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def _t(text: object) -> str:
    """``text`` as HTML can hold it."""
    return escape(printable(text))


def _table(headers: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Rows of (class, cells that are HTML); a header with ``>`` aligns its column to the right."""
    kinds = [' class="n"' if h.startswith(">") else "" for h in headers]
    titles = "".join(f"<th{k}>{_t(h.removeprefix('>'))}</th>" for h, k in zip(headers, kinds, strict=True))
    marks = [' class="name"', *kinds[1:]]
    lines = [f"<tr>{titles}</tr>"]
    for kind, cells in rows:
        text = "".join(f"<td{m}>{c}</td>" for c, m in zip(cells, marks, strict=True))
        lines.append(f'<tr class="{kind}">{text}</tr>' if kind else f"<tr>{text}</tr>")
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _origin(report: Mapping[str, Any]) -> str:
    return f"{report['name']} for {report['target']} ({report['part']}) at an assumed {report['clock_mhz']:g} MHz"


def _figures(report: Mapping[str, Any]) -> str:
    clock = report["clock_mhz"] * 1e6
    used = report.get("utilisation") or {}
    tight = max(used, key=lambda k: used[k], default=None)
    figures = [
        (grouped(report["fps"]), "frames a second"),
        (grouped(report["cycles_per_frame"]), "cycles a frame"),
        (si(report["latency_cycles"] / clock), f"latency, {grouped(report['latency_cycles'])} cycles"),
        (str(len(report["layers"])), "stages"),
        (grouped(report.get("weight_bits")), "bits of weights"),
    ]
    if tight is not None:
        figures.append((percent(used[tight]), f"of the device's {RESOURCES.get(tight, tight)}"))
    cards = "".join(f'<div class="figure"><b>{_t(value)}</b><span>{_t(what)}</span></div>' for value, what in figures if value)
    return f'<div class="figures">{cards}</div>'


def _stages(report: Mapping[str, Any], network: Network) -> str:
    stages = {s.name: s for s in stages_of(network)}
    most = max([layer["cycles"] for layer in report["layers"]] + [1])
    rows = []
    for layer in report["layers"]:
        stage = stages.get(layer["name"])
        fabric = layer.get("resources") or {}
        what, shapes = (stage_operation(network, stage), stage_shapes(network, stage)) if stage else (layer["op"], "")
        cells = [
            _t(layer["name"]),
            _t(what),
            _t(shapes.replace(" -> ", " → ")),
            _t(_folding(layer)),
            _t(layer.get("style") or "") if stage and stage.kind in ("mvu", "depthwise") else "",
            _t(grouped(layer["cycles"])),
            _meter(layer["cycles"] / most),
            _t(grouped(fabric.get("lut"))),
            _t(f"{fabric['bram36']:g}" if fabric.get("bram36") else ""),
            _t(f"{fabric['dsp']:g}" if fabric.get("dsp") else ""),
        ]
        rows.append(("hot" if layer["name"] == report["bottleneck"] else "", cells))
    return _table(("layer", "operation", "shape", "PE x SIMD x V", "style", ">cycles", "of the slowest", ">LUT", ">BRAM36", ">DSP"), rows)


def _folding(layer: Mapping[str, Any]) -> str:
    parts = [str(layer[k]) for k in ("pe", "simd", "pixels") if layer.get(k)]
    return " x ".join(parts)


def _meter(share: float) -> str:
    over = ' class="over"' if share > 1 else ""
    return f'<span class="meter"><i{over} style="width:{min(100.0, 100 * share):.1f}%"></i></span>'


def _stores(network: Network, plan: Plan) -> Iterator[str]:
    dataflow = dataflow_of(network, plan)
    found = stores(dataflow)
    if not found:
        return
    first = found[0]
    fifo = next((s for s in found if s.kind == "FIFO"), None)
    yield f"<p>The largest is the {first.kind} of <b>{_t(first.unit)}</b>: {_t(reason(first, dataflow))}.</p>"
    if fifo is not None and fifo is not first:
        yield f"<p>The largest FIFO is <b>{_t(fifo.unit)}</b>: {_t(reason(fifo, dataflow))}.</p>"
    rows = [
        ("", [_t(s.unit), _t(s.kind), _t(grouped(s.words)), _t(s.bits), _t(grouped(s.total_bits)), _t(s.memory)])
        for s in found[:STORES_SHOWN]
    ]
    yield _table(("of", "kind", ">words", ">bits a word", ">bits", "memory"), rows)
    total = sum(s.total_bits for s in found)
    rest = f"; the {len(found) - STORES_SHOWN} smaller ones are not shown" if len(found) > STORES_SHOWN else ""
    yield f'<p class="dim">{len(found)} in all, {grouped(total)} bits{rest}.</p>'


def _resources(report: Mapping[str, Any]) -> Iterator[str]:
    used, share = report["resources"], report.get("utilisation") or {}
    rows = []
    for key, title in RESOURCES.items():
        amount = used.get(key, 0)
        text = f"{amount:g}" if key == "bram36" else grouped(amount)
        rows.append(("", [_t(title), _t(text), _t(percent(share.get(key))), _meter(share[key]) if key in share else ""]))
    yield _table(("resource", ">used", ">of the device", ""), rows)
    error = report.get("resources_error")
    band = f", within {100 * error:.0f} %" if isinstance(error, int | float) else ""
    yield f'<p class="dim">Source of these figures: {_t(report.get("resources_source", "estimate"))}{band}.</p>'
    if isinstance(report.get("bram_efficiency"), int | float) and used.get("bram36"):
        yield f"<p>{_t(percent(report['bram_efficiency']))} of the bits of the block RAMs taken are used.</p>"
    if report.get("weight_bits_per_cycle"):
        yield f"<p>The weight memories deliver {_t(grouped(report['weight_bits_per_cycle']))} bits a cycle.</p>"


def _hashes(report: Mapping[str, Any]) -> str:
    provenance = report.get("model", {}).get("provenance", {}) if isinstance(report.get("model"), Mapping) else {}
    facts = {**{f"model {k}": v for k, v in provenance.items()}, **{f"sha256 of {k}": v for k, v in report["hashes"].items()}}
    facts |= {f"version of {k}": v for k, v in (report.get("versions") or {}).items()}
    facts |= {f"option {k}": v for k, v in (report.get("options") or {}).items() if v is not None}
    return _table(("what", "value"), [("", [_t(k), f"<code>{_t(v)}</code>"]) for k, v in sorted(facts.items())])
