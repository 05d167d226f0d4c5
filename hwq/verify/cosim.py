"""Cocotb engine: runs the bench that is shipped with every design, as ``make sim`` does.

It is hwq's own copy that runs, never a file of the folder: a folder from elsewhere must not bring code along.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.network.ops import Integers
from hwq.target.package import bench_source
from hwq.target.primitives import MODELS
from hwq.target.streams import StreamPort
from hwq.target.tools import icarus, module_version, verilator
from hwq.verify.cache import build_cache, content_key, locked, tidy
from hwq.verify.foreign import check_verilog
from hwq.verify.run import EngineRun, ProbedStream, Problem
from hwq.verify.stalls import Traces

__all__ = ["run_cocotb"]


def run_cocotb(
    folder: Path,
    top: str,
    ports: Sequence[StreamPort],
    codes: Mapping[str, Integers],
    *,
    stalls: str = "none",
    traces: Traces | None = None,
    build: Path | None = None,
    waves: bool = False,
    probes: Sequence[str] = (),
    defines: Sequence[str] = (MODELS,),
) -> EngineRun:
    """Stream all frames of ``codes`` (every port, inputs and expected outputs, (N, H, W, C)) through the shipped bench.

    ``probes`` are instances in the top whose outgoing streams come back in ``EngineRun.probes``; they cost another build. ``defines`` are
    the macros that choose a form.

    Raises :class:`InputError` when cocotb or a simulator lacks, or when the bench could not be built or started.
    """
    versions = _versions()
    frames = len(codes[ports[0].port])
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="hwq-cocotb-") as name:
        job = Path(name)
        np.savez(job / "vectors.npz", **{p.port: np.asarray(codes[p.port]) for p in ports})  # type: ignore[arg-type]
        build = build or build_cache() / f"cocotb-{_key(folder, top, versions, waves, bool(probes), defines)}"
        environment = _environment(job, frames, stalls, build.resolve(), waves)
        environment["HWQ_DEFINES"] = ",".join(defines)
        if probes:
            environment["HWQ_PROBES"] = ",".join(probes)
        if traces is not None:
            np.savez(job / "traces.npz", **{p.port: np.asarray(traces[p.port]) for p in ports})  # type: ignore[arg-type]
            environment["HWQ_TRACES"] = str(job / "traces.npz")
        with locked(build):
            log = _execute(folder, top, job, environment)
            if waves:
                _keep_waves(build, folder)
        tidy(build.parent)
        result = job / "result.json"
        if not result.is_file():
            tail = "; ".join(_telling(log)[-3:])
            raise InputError("COCOTB-DIED", f"the bench gave no result: {tail}", where=folder.name)
        run = json.loads(result.read_text().splitlines()[-1])
    return _collect(run, ports, stalls, frames, time.perf_counter() - started, versions)


def _key(folder: Path, top: str, versions: Mapping[str, str], waves: bool, probed: bool, defines: Sequence[str]) -> str:
    """What the build depends on; probed signals must stay visible, so each kind has its own."""
    verilog = (folder / f"{top}.v").read_bytes()
    check_verilog(verilog.decode(errors="replace"), f"{top}.v")
    macros = ",".join(defines)
    kind: list[bytes | str] = [verilog, top, bench_source(), repr(sorted(versions.items())), str(waves), str(probed), macros, sys.version]
    return content_key([*kind, *_installations()])


def _installations() -> list[str]:
    """Where cocotb and the simulator are installed: a build names their files, and is of no use where they are gone."""
    spec = importlib.util.find_spec("cocotb")
    simulator = verilator() or icarus()
    return [str(spec and spec.origin), *(simulator.command if simulator else ())]


def _keep_waves(build: Path, folder: Path) -> None:
    for waves in build.glob("dump.*"):
        beside = build / f"waves{waves.suffix}"
        shutil.copyfile(waves, beside)
        # Not through what stands there: it may be a link to elsewhere.
        (folder / beside.name).unlink(missing_ok=True)
        shutil.move(beside, folder / beside.name)


def _versions() -> dict[str, str]:
    cocotb = module_version("cocotb")
    if cocotb is None:
        raise InputError("TOOL-COCOTB", "cocotb is not installed", hint="Install it: pip install 'hwq[sim]'")
    simulator = verilator() or icarus()
    if simulator is None:
        raise InputError("TOOL-SIMULATOR", "neither Verilator nor Icarus Verilog was found", hint="Install one: pip install 'hwq[sim]'")
    return {"cocotb": cocotb, simulator.name: simulator.version}


def _environment(job: Path, frames: int, stalls: str, build: Path, waves: bool) -> dict[str, str]:
    tool = verilator()
    environment = tool.environ() if tool else dict(os.environ)
    environment |= {
        "HWQ_FRAMES": str(frames),
        "HWQ_STALLS": stalls,
        "HWQ_VECTORS": str(job / "vectors.npz"),
        "HWQ_RESULT": str(job / "result.json"),
        "HWQ_BUILD": str(build),
        "WAVES": str(int(waves)),
        "SIM": "verilator" if tool else "icarus",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # A make around us must not lend its job server to the makes below.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        environment.pop(name, None)
    return environment


def _execute(folder: Path, top: str, job: Path, environment: Mapping[str, str]) -> str:
    bench = job / f"test_{top}.py"
    bench.write_text(bench_source())
    command = [sys.executable, str(bench)]
    surroundings = {**environment, "HWQ_FOLDER": str(folder.resolve())}
    done = subprocess.run(command, env=surroundings, cwd=job, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout + done.stderr


def _telling(log: str) -> list[str]:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    # What a tool says of itself tells more than the traceback of its caller.
    said = [line for line in lines if "*** " in line or line.startswith("%Error")]
    return said or [line for line in lines if "FAILED" in line or "rror" in line or "ERROR" in line] or lines


def _collect(
    run: Mapping[str, Any], ports: Sequence[StreamPort], stalls: str, frames: int, seconds: float, versions: Mapping[str, str]
) -> EngineRun:
    codes = {p.port: _codes(p, run["received"][p.port]) for p in ports if not p.is_input}
    cycles = {p.port: np.asarray(run["cycles"][p.port], np.int64) for p in ports}
    # Wrong data is the ladder's verdict, by layer; here only what is not data counts as a problem.
    problems = tuple(
        Problem(p["text"], p["port"], p["cycle"], p["frame"]) for p in run["problems"] if not p["text"].startswith("expected tdata")
    )
    streams = {
        name: ProbedStream(tuple(int(w, 16) for w in p["words"]), tuple(p["cycles"]), bool(p["valid"]), bool(p["ready"]))
        for name, p in run["probes"].items()
    }
    return EngineRun("cocotb", stalls, frames, codes, cycles, run["hang"], problems, seconds, versions=versions, probes=streams)


def _codes(port: StreamPort, words: Sequence[str]) -> NDArray[np.int64]:
    whole = len(words) // port.beats
    size = port.bus_bits // 8
    raw = b"".join(int(w, 16).to_bytes(size, "little") for w in words[: whole * port.beats])
    return port.unpack(np.frombuffer(raw, np.uint8).reshape(whole, port.beats, size))
