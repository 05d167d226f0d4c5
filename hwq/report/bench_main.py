"""The figures of the whole program, behind ``make bench``: prints them and writes ``rtl_out/bench/main.json``.

Run it as ``python -m hwq.report.bench_main`` in the repository's folder. It drives the ``hwq`` command as a user would,
then the engines on the folders that it wrote. Networks: TFC_1W1A and TFC_2W2A of ``../shared/models`` where that folder is
here, else the trained digits network; and a synthetic one.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hwq.network.file import load_model, save_model
from hwq.network.graph import Network
from hwq.network.model import Model
from hwq.network.ops import Integers
from hwq.report.bench_cycles import cycle_rows, foldings, synthetic_network, write_design
from hwq.report.bench_lanes import xnor_lanes
from hwq.report.table import Table
from hwq.target.boards import load_device
from hwq.target.folder import load_folder
from hwq.target.vectors import codes_of, random_integers
from hwq.verify.batch import build_batch

__all__ = ["OUTPUT", "TARGET", "machine", "main", "run_command", "say"]

OUTPUT = Path("rtl_out/bench")
MODELS = Path("../shared/models")
TARGET = "vu9p"
HELP_RUNS = 5
GOLDEN_FRAMES = 50_000
BATCH_FRAMES = 50_000
BATCH_CYCLES = 64  # a frame, at most
log = logging.getLogger("hwq")


def main() -> int:
    """Measure everything; the exit code is 1 when a cycle came otherwise than predicted."""
    work = OUTPUT / "work"
    work.mkdir(parents=True, exist_ok=True)
    sources = _sources(work)
    first = sources[0]
    figures: dict[str, Any] = {"network": first.stem, "source": str(first), "machine": machine()}
    say("start-up and compilation")
    figures["help_s"] = min(run_command("--help")[0] for _ in range(HELP_RUNS))
    figures["compile_s"], figures["compile_rss_mib"] = run_command("compile", str(first), "--target", TARGET, "-o", str(work / "first"))
    model = load_model(work / "first" / "network.hwq")
    say("golden model")
    figures["golden_frames_per_s"] = _golden_rate(model.network)
    say(f"batch co-simulation at {BATCH_CYCLES} cycles a frame or fewer")
    figures |= _batch(model, work / "batch")
    say("XNOR lanes in Yosys")
    figures["xnor_lanes_16x64"] = xnor_lanes()
    figures["cycles"] = []
    for name, network in _networks(sources, model, work):
        for plan_name, plan in foldings(network, load_device(TARGET)):
            say(f"cycles of {name}, {plan_name}")
            folder = write_design(network, plan, work / f"{name}-{plan_name}")
            figures["cycles"] += [{"network": name, "plan": plan_name, **row} for row in cycle_rows(folder)]
    (OUTPUT / "main.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(_text(figures))
    print(f"wrote {OUTPUT / 'main.json'}")
    return 0 if all(row["beats_different"] == 0 for row in figures["cycles"]) else 1


def say(text: str) -> None:
    """Progress of a benchmark, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def _sources(work: Path) -> list[Path]:
    """The networks to measure, the first of them for all figures but the cycles."""
    found = [MODELS / f"{name}.onnx" for name in ("TFC_1W1A", "TFC_2W2A")]
    if all(p.is_file() for p in found):
        return found
    say("training the digits network, since there is no ../shared/models")
    run_command("train", "digits-mlp", "-o", str(work / "digits.pt"))
    return [work / "digits.pt"]


def _networks(sources: list[Path], first: Model, work: Path) -> Iterator[tuple[str, Network]]:
    yield sources[0].stem, first.network
    for source in sources[1:]:
        run_command("compile", str(source), "--target", TARGET, "-o", str(work / source.stem))
        yield source.stem, load_model(work / source.stem / "network.hwq").network
    yield "synthetic", synthetic_network()


def run_command(*words: str) -> tuple[float, float]:
    """Seconds and MiB (of the largest process) of one ``hwq`` command, start-up included; raises when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "hwq", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"hwq {' '.join(words)} ended with {process.returncode}")
    return round(time.perf_counter() - started, 3), round(usage.ru_maxrss / 1024, 1)


def machine() -> dict[str, Any]:
    """Where the figures were measured."""
    return {"cpus": os.cpu_count(), "python": sys.version.split()[0], "load": round(os.getloadavg()[0], 2)}


def _golden_rate(network: Network) -> int:
    """Frames a second of the golden model on integers of the smallest type, best of three."""
    frames: dict[str, Integers] = {name: _smallest(x) for name, x in random_integers(network, GOLDEN_FRAMES).items()}
    network.run({name: x[:1000] for name, x in frames.items()})
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        network.run(frames)
        seconds.append(time.perf_counter() - started)
    return round(GOLDEN_FRAMES / min(seconds))


def _smallest(x: Integers) -> Integers:
    return x.astype(np.int8) if abs(x).max() < 128 else x


def _batch(model: Model, directory: Path) -> dict[str, Any]:
    """Frames a minute of the batch engine on a design of at most ``BATCH_CYCLES`` cycles a frame, compared with golden."""
    folder_file = directory.with_suffix(".hwq")
    save_model(model, folder_file)
    fps = load_device(TARGET).clock_mhz * 1e6 / BATCH_CYCLES
    run_command("compile", str(folder_file), "--target", TARGET, "--fps", f"{fps:.0f}", "-o", str(directory))
    folder = load_folder(directory)
    batch = build_batch(folder.path, folder.top, folder.ports, folder.signals)
    integers = random_integers(folder.network, BATCH_FRAMES)
    codes = codes_of(folder.ports, integers | folder.network.run(integers))
    started = time.perf_counter()
    run = batch.run(codes)
    seconds = time.perf_counter() - started
    exact = run.complete and all(np.array_equal(run.codes[p.port], codes[p.port]) for p in folder.outputs)
    return {
        "batch_frames_per_min": round(BATCH_FRAMES / seconds * 60),
        "batch_build_s": round(batch.build_seconds, 1),
        "batch_cycles_per_frame": folder.report["cycles_per_frame"],
        "batch_bit_exact": exact,
    }


def _text(f: dict[str, Any]) -> str:
    lanes = f["xnor_lanes_16x64"]
    rows = [
        (f"compile {f['network']} for {TARGET}", f"{f['compile_s']:.2f} s", "10 s"),
        ("its largest process", f"{f['compile_rss_mib']:.0f} MiB", "1024 MiB"),
        ("hwq --help", f"{f['help_s']:.3f} s", "0.3 s"),
        (f"batch frames a minute, {f['batch_cycles_per_frame']} cycles a frame", f"{f['batch_frames_per_min']:,}", "150,000"),
        ("building that", f"{f['batch_build_s']} s", None),
        ("golden frames a second", f"{f['golden_frames_per_s']:,}", "100,000"),
        ("LUT a product: XNOR lanes, 16 x 64", f"{lanes['lanes']:.3f}", None),
        ("with accumulators and control", f"{lanes['with_control']:.3f}", None),
        ("with weight feed", f"{lanes['with_weight_feed']:.3f}", None),
    ]
    keys = ("network", "plan", "stalls", "interval_predicted", "interval_simulated", "latency_predicted", "latency_simulated")
    titles = ("network", "plan", "stalls", ">interval pred.", ">sim.", ">latency pred.", ">sim.", ">beats off")
    cycles = [(*(row[k] for k in keys), row["beats_different"]) for row in f["cycles"]]
    return f"{Table(('figure', '>measured', '>goal'), rows).text()}\n\n{Table(titles, cycles).text()}\n"


if __name__ == "__main__":
    sys.exit(main())
