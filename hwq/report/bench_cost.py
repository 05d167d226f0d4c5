"""``python -m hwq.report.bench_cost``: the cost model against synthesis, on whole designs that it was not fitted to.

Writes ``rtl_out/bench/cost.json`` and prints the table; FINN's formula of a matrix unit stands beside what its matrix units took. Names
as arguments measure those designs alone; ``--store`` keeps the largest error of LUTs and flip-flops as the band that reports tell.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from pathlib import Path
from typing import Any

from hwq.fabric.sites import Sites
from hwq.network.graph import Network
from hwq.plan.cost import estimate
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.goal import Goal
from hwq.plan.plan import Plan
from hwq.plan.planner import plan_network
from hwq.plan.stages import stages_of
from hwq.plan.styles import with_style
from hwq.plan.summary import CONTRACTIONS, StageSummary, summary_of
from hwq.report import bench_networks
from hwq.report.calibrate import COEFFICIENTS
from hwq.report.calibration_designs import Built, build, counted, inside, synthesized
from hwq.report.heldout import heldout_networks, unrolled_networks
from hwq.report.table import Table, grouped
from hwq.target.boards import load_device

__all__ = ["Case", "cases", "compared", "finn_luts", "main"]

OUT = Path("rtl_out/bench/cost.json")
TARGET = "vu9p"


@dataclass(frozen=True)
class Case:
    """A network and what is asked of its plan: frames a second, a style for all its layers, what multiplies in them."""

    name: str
    network: Callable[[], Network]
    fps: float | None = None
    style: str | None = None
    multiplier: str | None = None

    def plan(self, network: Network) -> Plan:
        """What the planner makes of it."""
        layers = [s.name for s in stages_of(network) if s.kind in CONTRACTIONS] if self.multiplier else []
        draft = PlanDraft(stages={name: StageDraft(name, multiplier=self.multiplier) for name in layers})
        draft = with_style(network, draft, self.style) if self.style else draft
        return plan_network(network, load_device(TARGET), Goal(fps=self.fps), base=draft)


def cases() -> tuple[Case, ...]:
    """The designs, none of which the model was fitted to."""
    own = {name: getattr(bench_networks, name) for name in bench_networks.__all__}
    held = {name: Case(name, make, fps) for name, make, fps in heldout_networks()}
    found = [*held.values(), *(Case(name, make, 1e5) for name, make in own.items())]
    found += [Case(f"{name}_slow", own[name], 5e3) for name in ("residual", "inception")]
    found += [replace(held[f"mlp_{w}"], name=f"mlp_{w}_{m}", multiplier=m) for w in ("int4", "int8") for m in ("lut", "dsp")]
    found += [Case(f"{name}_unrolled", make, style="unrolled") for name, make in unrolled_networks()]
    return tuple(found)


def compared(case: Case) -> dict[str, Any]:
    """Estimate and synthesis of one design."""
    network = case.network()
    plan = case.plan(network)
    built = build(network, plan, re.sub(r"\W", "_", f"b_{case.name}"))
    modules = synthesized([built])
    total = _total(modules, built.top)
    e = estimate(network, plan, load_device(TARGET)).total.rounded()
    row: dict[str, Any] = {"design": case.name, "lut": total["lut"], "ff": total["ff"], "bram36": total["bram36"], "dsp": total["dsp"]}
    row |= {f"estimate_{k}": e[k] for k in ("lut", "ff", "bram36", "dsp")}
    row |= {f"{k}_error": round(e[k] / total[k] - 1, 4) if total[k] else None for k in ("lut", "ff")}
    return row | _matrices(built, plan, modules)


def _total(modules: Mapping[str, Any], top: str) -> dict[str, float]:
    found = dict.fromkeys(("lut", "ff", "bram36", "dsp"), 0.0)
    for name, times in inside(modules, top).items():
        s = counted(modules, name)
        for key, amount in _amounts(s).items():
            found[key] += times * amount
    return found


def _amounts(s: Sites) -> dict[str, float]:
    return {"lut": s.luts + s.lutram, "ff": s.ff, "bram36": s.bram36, "dsp": s.dsp}


def _matrices(built: Built, plan: Plan, modules: Mapping[str, Any]) -> dict[str, float]:
    """What the folded matrix units took, and what FINN's formula says of them."""
    took = finn = 0.0
    for stage in stages_of(built.network):
        p = plan.stage(stage.name)
        if stage.kind == "mvu" and p.style != "unrolled":
            took += _total(modules, built.units[stage.name])["lut"]
            finn += p.pixels * finn_luts(summary_of(built.network, stage), p.pe, p.simd)
    return {"matrix_lut": round(took), "finn_lut": round(finn)}


def finn_luts(s: StageSummary, pe: int, simd: int) -> float:
    """LUTs of a matrix unit by FINN's MVAU_hls (``lut_estimation``), weights and thresholds in LUTs, products in LUTs."""
    w, a = s.w_bits, s.x_bits
    words = ceil(s.mw * s.mh / (pe * simd))
    mult = simd * (2 * ceil((w + a) / 6) - 1) * (w + a)
    tree = (w + a) * (2 * simd - 1)
    alpha = log2(s.mw) + w + a - 1 - (not s.x_bipolar and s.x.signed)
    acc = min(s.acc_bits, ceil(alpha + log2(1 + 2**-alpha) + 1))
    thresholds, compare = s.thresholds * acc * ceil(s.mh / pe / 64), s.thresholds * acc
    return 300 + 1.1 * pe * (mult + tree + acc + thresholds + compare) + pe * simd * w * ceil(words / 64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command."""
    parser = argparse.ArgumentParser(prog="python -m hwq.report.bench_cost", description=__doc__)
    parser.add_argument("designs", nargs="*", help="names of designs")
    parser.add_argument("--store", action="store_true", help="write the errors into calibration.json")
    given = parser.parse_args(arguments)
    rows = []
    for case in cases():
        if not given.designs or case.name in given.designs:
            rows.append(compared(case))
            print(_text(rows[-1:]), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    print(_text(rows))
    if given.store:
        _store(rows)
    return 0


def _store(rows: Sequence[Mapping[str, Any]]) -> None:
    document = json.loads(COEFFICIENTS.read_text())
    document["error"]["designs"] = {r["design"]: {"lut": r["lut_error"], "ff": r["ff_error"]} for r in rows}
    document["error"]["band"] = ceil(100 * max(abs(r[k]) for r in rows for k in ("lut_error", "ff_error"))) / 100
    COEFFICIENTS.write_text(json.dumps(document, indent=1) + "\n")


def _text(rows: Sequence[Mapping[str, Any]]) -> str:
    titles = ("design", ">LUT", ">est.", ">error", ">FF", ">est.", ">error", ">BRAM36", ">est.", ">DSP", ">est.", ">matrices", ">FINN")
    return Table(titles, [_line(r) for r in rows]).text()


def _line(r: Mapping[str, Any]) -> tuple[str, ...]:
    errors = [f"{r[k]:+.1%}" for k in ("lut_error", "ff_error")]
    luts, ffs = (grouped(r[k]) for k in ("lut", "estimate_lut")), (grouped(r[k]) for k in ("ff", "estimate_ff"))
    rest = (f"{r['bram36']:g}", f"{r['estimate_bram36']:g}", grouped(r["dsp"]), grouped(r["estimate_dsp"]))
    return (r["design"], *luts, errors[0], *ffs, errors[1], *rest, grouped(r["matrix_lut"]), grouped(r["finn_lut"]))


if __name__ == "__main__":
    sys.exit(main())
