"""The figures of convolutional and branching networks, behind ``make bench``: ``rtl_out/bench/conv.json``.

``python -m hwq.report.bench_conv [PART ...]`` in the repository's folder measures the parts named, or all: ``cycles`` (about half
an hour on two cores), ``cnv`` (ten minutes), ``resnet18`` (ten), ``resnet50`` (fifteen). What is measured is written at once; the
other parts stay as they were. It drives the ``hwq`` command as a user would, then the engines on the folders that it wrote.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hwq.network.graph import Network
from hwq.network.ops import Integers
from hwq.plan.dataflow import dataflow_of
from hwq.plan.device import Device
from hwq.plan.planner import plan_network
from hwq.plan.sizing import least_depths
from hwq.plan.token_network import buffer_name
from hwq.plan.units import Converter, Fifo
from hwq.report.bench_cycles import cycle_rows, write_design
from hwq.report.bench_foldings import goal_of, middle, slowest, three_foldings
from hwq.report.bench_main import OUTPUT, TARGET, machine, run_command, say
from hwq.report.bench_networks import depthwise, inception, one_dimensional, residual, unet
from hwq.report.table import Table
from hwq.target.boards import load_device
from hwq.target.folder import Folder, load_folder
from hwq.target.vectors import codes_of, random_integers
from hwq.verify.batch import build_batch
from hwq.verify.cosim import run_cocotb

__all__ = ["PARTS", "main", "merged"]

WORK = OUTPUT / "conv"
SMALL: tuple[Callable[[], Network], ...] = (residual, inception, depthwise, unet, one_dimensional)
# Foldings are goals in cycles a frame; the slowest of the small networks has one lane a stage.
SMALL_CYCLES = (4096, 512)
ZOO = {"cnv": ((), (131_072, 65_536, 32_768)), "vgg-small": (("--image", "16"), (262_144, 131_072, 65_536))}
STALLS = (("none", 1), ("both", 1), ("both", 2))
SIMULATED = 400_000  # cycles a run, about
FEWEST, MOST = 4, 60  # frames a run
CNV_CYCLES = 32_768
CNV_FRAMES = 8
GOLDEN_FRAMES, GOLDEN_RUNS = 16, 3


def main(words: list[str]) -> int:
    """Measure the parts named; exit code 1 when a cycle came otherwise than predicted or a code is wrong, 2 for an unknown part."""
    parts = words or list(PARTS)
    unknown = [p for p in parts if p not in PARTS]
    if unknown:
        print(f"there is no part {unknown[0]!r}; parts: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    good = True
    for part in parts:
        started = time.perf_counter()
        for figures in PARTS[part]():
            merged(OUTPUT / "conv.json", {part: figures, "machine": machine()})
            good &= _is_good(figures)
        say(f"{part} took {time.perf_counter() - started:.0f} s")
    figures = json.loads((OUTPUT / "conv.json").read_text())
    print(_text(figures))
    print(f"wrote {OUTPUT / 'conv.json'}")
    return 0 if good else 1


def merged(path: Path, parts: dict[str, Any]) -> None:
    """Put ``parts`` into the document at ``path``, in place of those of their names, and keep the others."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**found, **parts}, indent=1) + "\n")


def _is_good(figures: Any) -> bool:
    if isinstance(figures, list):
        return all(row["beats_different"] == 0 for row in figures)
    return bool(figures.get("bit_exact", True))


# -- cycles


def _cycles() -> Iterator[list[dict[str, Any]]]:
    """All rows so far, after every folding."""
    rows: list[dict[str, Any]] = []
    for name, plan, folder in _foldings(load_device(TARGET)):
        say(f"cycles of {name}, {plan}")
        frames = max(FEWEST, min(MOST, SIMULATED // max(1, int(folder.report["cycles_per_frame"]))))
        rows += [{"network": name, "plan": plan, "frames": frames, **row} for row in cycle_rows(folder, frames, STALLS)]
        yield rows


def _foldings(device: Device) -> Iterator[tuple[str, str, Folder]]:
    """Network, plan and design of three foldings of every network."""
    for make in SMALL:
        network = make()
        for n, (label, plan) in enumerate(three_foldings(network, device, SMALL_CYCLES)):
            yield network.name, label, write_design(network, plan, WORK / f"{network.name}-{n}")
    for name, (options, (slow, between, fast)) in ZOO.items():
        folder, _, _ = _compiled(name, fast, *options)
        yield name, f"fastest, {fast} cycles", folder
        for label, cycles, fold in (("middle", between, middle), ("slowest", slow, slowest)):
            say(f"planning {name}, {label}")
            plan = fold(folder.network, device, cycles)
            yield name, f"{label}, {cycles} cycles", write_design(folder.network, plan, WORK / f"{name}-{label}")


def _compiled(name: str, cycles: int | None, *options: str) -> tuple[Folder, float, float]:
    """A network of the zoo as ``hwq compile`` writes it, as fast as fits without ``cycles``; seconds and MiB of that command."""
    label = "-".join([name, *(o.lstrip("-") for o in options)])
    source = WORK / f"{label}.pt"
    if not source.is_file():
        say(f"random weights for {label}")
        run_command("zoo", name, "-o", str(source), *options)
    say(f"compiling {label}")
    goal = () if cycles is None else ("--fps", f"{load_device(TARGET).clock_mhz * 1e6 / cycles:.6f}")
    seconds, mebibytes = run_command("compile", str(source), "--target", TARGET, "-o", str(WORK / label), *goal)
    return load_folder(WORK / label), seconds, mebibytes


# -- cnv


def _cnv() -> Iterator[dict[str, Any]]:
    """Frames a minute of both engines on the same frames."""
    folder, _, _ = _compiled("cnv", CNV_CYCLES)
    integers = random_integers(folder.network, CNV_FRAMES)
    codes = codes_of(folder.ports, integers | folder.network.run(integers))
    say("compiling CNV for co-simulation")
    batch = build_batch(folder.path, folder.top, folder.ports, folder.signals)
    run_cocotb(folder.path, folder.top, folder.ports, {name: c[:1] for name, c in codes.items()})
    say(f"{CNV_FRAMES} frames of CNV in both engines")
    slowest = int(folder.report["cycles_per_frame"] + folder.report["first_latency_cycles"])
    fast = batch.run(codes, slowest=slowest)
    slow = run_cocotb(folder.path, folder.top, folder.ports, codes)
    exact = all(run.complete and np.array_equal(run.codes[p.port], codes[p.port]) for run in (fast, slow) for p in folder.outputs)
    yield {
        "cycles_per_frame": folder.report["cycles_per_frame"],
        "frames": CNV_FRAMES,
        "batch_frames_per_min": round(CNV_FRAMES / fast.seconds * 60, 1),
        "cocotb_frames_per_min": round(CNV_FRAMES / slow.seconds * 60, 1),
        "batch_build_s": round(batch.build_seconds, 1),
        "bit_exact": exact,
        **_memory(folder),
    }


def _memory(folder: Folder) -> dict[str, Any]:
    return {name: folder.report.get(name) for name in ("bram_efficiency", "weight_bits_per_cycle", "fps")}


# -- residual networks


def _resnet18() -> Iterator[dict[str, Any]]:
    """Compilation, then FIFO sizing alone, then the golden model beside torch."""
    folder, seconds, mebibytes = _compiled("resnet18", None)
    figures = {"compile_s": seconds, "compile_rss_mib": mebibytes, **_memory(folder)}
    yield figures
    say("FIFO sizing of resnet18")
    figures["fifo_sizing_s"] = _sizing_seconds(folder)
    yield figures
    say("golden model of resnet18")
    figures["golden_frames_per_s"] = _golden_rate(folder.network)
    say("resnet18 in torch, float32")
    command = [sys.executable, "-m", "hwq.zoo.float_speed", "resnet18"]
    figures["torch_frames_per_s"] = round(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout), 2)
    yield figures


def _sizing_seconds(folder: Folder) -> float:
    """Seconds of finding all depths of the folder's design anew, the token simulator compiled."""
    device = load_device(TARGET)
    plan_network(residual(), device, goal_of(device, SMALL_CYCLES[0]))
    dataflow = dataflow_of(folder.network, folder.plan)
    names = [u.name for u in dataflow.units if isinstance(u, Converter | Fifo)]
    for stage in folder.plan.stages:
        names += [stage.name, buffer_name(stage.name)]
    started = time.perf_counter()
    least_depths(dataflow, {}, names)
    return round(time.perf_counter() - started, 2)


def _golden_rate(network: Network) -> float:
    frames: dict[str, Integers] = random_integers(network, GOLDEN_FRAMES)
    seconds = []
    for _ in range(GOLDEN_RUNS):
        started = time.perf_counter()
        network.run(frames)
        seconds.append(time.perf_counter() - started)
    return round(GOLDEN_FRAMES / min(seconds), 2)


def _resnet50() -> Iterator[dict[str, Any]]:
    folder, seconds, mebibytes = _compiled("resnet50", None)
    yield {"compile_s": seconds, "compile_rss_mib": mebibytes, **_memory(folder)}


PARTS: dict[str, Callable[[], Iterator[Any]]] = {"cycles": _cycles, "cnv": _cnv, "resnet18": _resnet18, "resnet50": _resnet50}


def _text(f: dict[str, Any]) -> str:
    """What was measured so far, beside the goals."""
    goals = {
        ("resnet18", "compile_s"): "180 or less",
        ("resnet18", "compile_rss_mib"): "8192 or less",
        ("resnet18", "fifo_sizing_s"): "20 or less",
        ("resnet18", "golden_frames_per_s"): "torch's or more",
        ("resnet18", "torch_frames_per_s"): None,
        ("resnet18", "bram_efficiency"): "0.75 or more",
        ("resnet50", "compile_s"): "600 or less",
        ("cnv", "batch_frames_per_min"): None,
        ("cnv", "cocotb_frames_per_min"): None,
        ("cnv", "bram_efficiency"): "0.75 or more",
    }
    rows = [(part, name, f[part][name], goal) for (part, name), goal in goals.items() if name in f.get(part, {})]
    keys = ("network", "plan", "stalls", "interval_predicted", "interval_simulated", "latency_predicted", "latency_simulated")
    titles = ("network", "plan", "stalls", ">interval pred.", ">sim.", ">latency pred.", ">sim.", ">beats off")
    cycles = [(*(row[k] for k in keys), row["beats_different"]) for row in f.get("cycles", [])]
    return f"{Table(('network', 'figure', '>measured', '>goal'), rows).text()}\n\n{Table(titles, cycles).text()}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
