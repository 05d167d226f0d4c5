"""The certificate of a verification for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hwq.report.table import Table, grouped, printable, shortened
from hwq.verify.certificate import place_text

__all__ = ["certificate_text"]

BUILT = "  the first time of cocotb has Verilator's build in it, unless an earlier run left one"
WHO = {"source": "source model, executed by hwq", "reference": "reference scores", "golden": "golden model", "rtl": "RTL"}


def certificate_text(c: Mapping[str, Any]) -> str:
    """``verify.json``'s document for people: engines, cycles, accuracy, verdict."""
    if c.get("stages"):
        return "\n".join([_stages(c["stages"]), *_stage_verdict(c)])
    return "\n".join([_engines(c), "", *_cycles(c), *_accuracy(c), *_agreement(c), *_verdict(c)])


def _stages(stages: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            shortened(s["stage"]),
            grouped(s["frames"]),
            ", ".join(s["stalls"]),
            _yes(s["bit_exact"]),
            grouped(s["cycles_predicted"]),
            grouped(s["cycles_simulated"]),
            _yes(s["cycles_exact"]),
            f"{s['seconds']:.1f} s",
            f"{s['build_seconds']:.0f} s" if s["build_seconds"] else None,
        )
        for s in stages
    ]
    titles = ("stage", ">frames", "stalls", "bit-exact", ">cycles predicted", ">simulated", "every cycle as predicted", ">time", ">build")
    return Table(titles, rows).text()


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


def _stage_verdict(c: Mapping[str, Any]) -> Iterator[str]:
    wrong = [s for s in c["stages"] if not s["bit_exact"]]
    off = [s for s in c["stages"] if s["bit_exact"] and not s["cycles_exact"]]
    for s in wrong:
        what = f". {printable(_failure(s['failure']))}" if s["failure"] else ""
        yield f"\nNOT bit-exact: stage {printable(s['stage'])!r}{what}"
    if off:
        yield f"\n{len(off)} stages took other cycles than predicted, the first is {printable(off[0]['stage'])!r}"
    if not wrong:
        codes = "every code given equals the golden model's"
        count, frames = len(c["stages"]), c["inputs"]["frames"]
        yield f"\nbit-exact: {count} stage{'s' * (count != 1)} alone, {codes} ({frames} frame{'s' * (frames != 1)})"
    if c.get("uncovered"):
        yield "\n" * bool(wrong) + f"not covered: {c['uncovered']}; hwq verify without --stage or --stages runs the whole design"


def _engines(c: Mapping[str, Any]) -> str:
    rows = [
        (
            e["engine"],
            grouped(e["frames"]),
            e["stalls"],
            "yes" if e["bit_exact"] else "NO",
            {True: "yes", False: "NO", None: "-"}[e.get("cycles_exact")],
            f"{e.get('seconds', 0):.1f} s",
            f"{e['build_seconds']:.0f} s" if e.get("build_seconds") else None,
        )
        for e in c["engines"]
    ]
    titles = ("engine", ">frames", "stalls", "bit-exact", "every cycle as predicted", ">time", ">build")
    built = any(e.get("build_seconds") for e in c["engines"])
    text = Table(titles if built else titles[:-1], rows if built else [row[:-1] for row in rows]).text()
    return f"{text}\n{BUILT}" if any(e["engine"] == "cocotb" for e in c["engines"]) else text


def _cycles(c: Mapping[str, Any]) -> Iterator[str]:
    for key, words in (("cycles_per_frame", "cycles a frame"), ("latency_cycles", "latency in cycles")):
        predicted, simulated = c[key]["predicted"], c[key]["simulated"]
        shown = "too few frames to tell" if simulated is None else grouped(simulated)
        yield f"{words}: predicted {grouped(predicted)}, simulated {shown}"


def _accuracy(c: Mapping[str, Any]) -> Iterator[str]:
    scores = c.get("accuracy") or {}
    for who, words in WHO.items():
        if who in scores:
            frames = scores.get(f"{who}_frames", scores["frames"])
            differs = scores.get(f"{who}_differs")
            beside = "" if differs is None else f", {differs or 'no'} class{'es' * (differs != 1)} other than golden's"
            yield f"accuracy, {words}: {100 * scores[who]:.2f} % of {grouped(frames)}{beside}"


def _agreement(c: Mapping[str, Any]) -> Iterator[str]:
    for who, a in (c.get("agreement") or {}).items():
        rest = "" if a["equal"] == a["frames"] else f", largest difference {a['largest_difference']:.3g}"
        yield (
            f"{WHO.get(who, who)} against golden: {a['equal']} of {a['frames']} frames equal in every score, "
            f"{a['same_class']} of the same class{rest}"
        )
        if a.get("codes_different"):
            local = a["codes_different_locally"]
            yield (
                f"  its float rounding gives another code in {grouped(a['codes_different'])} of {grouped(a['codes'])} places in "
                f"{a['code_frames']} frames, {local} of them on their own, the rest behind those"
            )
        elif "codes" in a:
            yield f"  all {grouped(a['codes'])} codes between its layers are equal too ({a['code_frames']} frames)"


def _verdict(c: Mapping[str, Any]) -> Iterator[str]:
    failure = next((e["failure"] for e in c["engines"] if e.get("failure")), None)
    if failure:
        yield f"\nNOT bit-exact. {printable(_failure(failure))}"
    elif c["bit_exact"]:
        yield f"\nbit-exact: every output code of {_frames([e['frames'] for e in c['engines']])} equals the golden model's"
    else:
        yield "\nNOT bit-exact"


def _frames(runs: Sequence[int]) -> str:
    """How many frames ran; each run begins with the first."""
    if len(runs) == 1:
        return f"{grouped(runs[0])} frames"
    return f"{grouped(max(runs))} frames ({len(runs)} runs, {grouped(sum(runs))} in all)"


def _failure(f: Mapping[str, Any]) -> str:
    if f["kind"] == "verilog":
        return str(f["text"])
    if f["kind"] != "mismatch":
        where = f" in layer {f['layer']!r}" if f.get("layer") else ""
        return f"{f['kind']}{where}: {f['text']}"
    return (
        f"First difference: layer {f['layer']!r}, frame {f['frame']}, {place_text(f['element'], f.get('place'))}: "
        f"expected {f['expected']}, got {f['got']} in cycle {f['cycle']}"
    )
