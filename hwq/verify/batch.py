"""Batch engine: the emitted Verilog compiled by Verilator with a C++ harness; hundreds of thousands of frames a minute."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwq.errors import InputError
from hwq.network.ops import Integers
from hwq.target.primitives import MODELS
from hwq.target.streams import StreamPort
from hwq.target.tools import Tool, compiler, make, need_simulator
from hwq.verify.cache import build_cache, content_key, locked, tidy
from hwq.verify.foreign import LANGUAGE, check_verilog
from hwq.verify.run import EngineRun, Problem
from hwq.verify.stalls import Traces

__all__ = ["BatchModel", "build_batch"]

HARNESS = Path(__file__).with_name("harness.cpp")
# Cycles without any beat after which a design counts as hung, beside those that it may take.
PATIENCE = 2_000_000
# -O1 runs lanes as fast as -O3, whose build takes six times as long: 25 s against 159 s for a design of 17 000 LUTs.
MAKE_OPTIMISE = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O2"
OPTIMISE = (*LANGUAGE, "-O3", "--x-assign", "fast", "--x-initial", "unique", "--noassert", "--no-timing", "-Wno-fatal")


@dataclass(frozen=True)
class BatchModel:
    """A compiled design, ready to run any number of times."""

    program: Path
    folder: Path
    ports: tuple[StreamPort, ...]
    tool: Tool
    build_seconds: float

    def run(
        self, codes: Mapping[str, Integers], *, stalls: str = "none", traces: Traces | None = None, seed: int = 1, slowest: int = 0
    ) -> EngineRun:
        """Stream all frames of ``codes`` (by input port, (N, H, W, C)) through the design.

        ``slowest`` are cycles that may pass between beats of a design that is right. One that hangs gives a run with ``hang`` set;
        a program that dies raises :class:`InputError`.
        """
        frames, patience = len(next(iter(codes.values()))), PATIENCE + 4 * slowest
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="hwq-batch-") as name:
            job = Path(name)
            for p in self.ports:
                if p.is_input:
                    p.pack(codes[p.port]).tofile(job / f"{p.port}.in")
                if traces is not None:
                    np.asarray(traces[p.port], np.uint8).tofile(job / f"{p.port}.trace")
            status = self._execute(job, frames, seed, patience)
            return self._collect(job, frames, stalls, status | {"patience": patience}, time.perf_counter() - started)

    def _execute(self, job: Path, frames: int, seed: int, patience: int) -> dict[str, object]:
        # Memory files are opened relative to the working folder.
        command = [str(self.program), str(job), str(frames), str(patience), str(seed)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines:
            tail = "; ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
            raise InputError(
                "BATCH-DIED", f"the compiled design stopped with status {done.returncode}: {tail}", where=str(self.folder.name)
            )
        status: dict[str, object] = json.loads(lines[-1])
        status["messages"] = lines[:-1]
        return status

    def _collect(self, job: Path, frames: int, stalls: str, status: Mapping[str, object], seconds: float) -> EngineRun:
        codes, cycles, problems = {}, {}, []
        for p in self.ports:
            cycles[p.port] = np.fromfile(job / f"{p.port}.cycles", "<u8").astype(np.int64)
            if not p.is_input:
                raw = np.fromfile(job / f"{p.port}.out", np.uint8)
                whole = len(cycles[p.port]) // p.beats
                codes[p.port] = p.unpack(raw[: whole * p.beats * p.bus_bits // 8].reshape(whole, p.beats, p.bus_bits // 8))
                flags = np.fromfile(job / f"{p.port}.flags", np.uint8)
                problems += _protocol_problems(p, flags, cycles[p.port], status[p.port])
        hang = self._hang(status) if status["hang"] or status["finished"] else None
        versions = {"verilator": self.tool.version}
        return EngineRun("batch", stalls, frames, codes, cycles, hang, tuple(problems), seconds, self.build_seconds, versions)

    def _hang(self, status: Mapping[str, object]) -> str:
        moved = []
        for p in self.ports:
            s = status[p.port]
            assert isinstance(s, dict)
            moved.append(f"{p.port} {'took' if p.is_input else 'gave'} {s['done']} of {s['total']} beats")
        reason = "the design ended the simulation" if status["finished"] else f"no beat moved for {status['patience']} cycles"
        messages = status["messages"]
        assert isinstance(messages, list)
        return "; ".join([f"{reason} ({', '.join(moved)})", *messages[:3]])


def _protocol_problems(p: StreamPort, flags: np.ndarray, cycles: np.ndarray, status: object) -> list[Problem]:
    """What the harness saw of tlast, tuser, stability and surplus beats of an output."""
    assert isinstance(status, dict)
    problems = []
    ends = (np.arange(len(flags)) + 1) % p.beats == 0
    wrong_last = np.flatnonzero((flags & 1).astype(bool) != ends)
    bad = np.flatnonzero(flags & 2)
    for found, text in ((wrong_last, "tlast does not mark the last beat of the frame"), (bad, "tuser[0] marks the frame as bad")):
        if found.size:
            n = int(found[0])
            problems.append(Problem(f"{text} ({found.size} beats)", p.port, int(cycles[n]), n // p.beats))
    if status["violations"]:
        problems.append(Problem("a beat that waited for tready changed or vanished", p.port, status["violation_cycle"]))
    if status["extra"]:
        problems.append(Problem(f"{status['extra']} beats came that no frame owns", p.port))
    return problems


def ports_header(ports: Sequence[StreamPort], signals: Sequence[str]) -> str:
    """The generated ports.h: which streams there are, which of the optional signals, and how the other inputs are held."""
    lines = ["// generated"]
    for kind, members in (("HWQ_INPUTS", [p for p in ports if p.is_input]), ("HWQ_OUTPUTS", [p for p in ports if not p.is_input])):
        lines.append(f"#define {kind}(X) " + " ".join(f"X({p.port}, {p.beats}, {p.bus_bits // 8})" for p in members))
    quiet = [s for s in signals if s.startswith("s_axil_") and s.endswith(("valid", "ready"))]
    for p in ports:
        if p.is_input:
            lines.append(_keep_macro(p, f"{p.port}_tkeep" in signals))
        else:
            user = f"dut->{p.port}_tuser" if f"{p.port}_tuser" in signals else "0"
            lines.append(f"#define HWQ_USER_{p.port}(dut) {user}")
    inputs = [s for s in quiet if s.endswith(("awvalid", "wvalid", "arvalid", "bready", "rready"))]
    lines.append("#define HWQ_QUIET(dut) " + " ".join(f"dut->{s} = 0;" for s in inputs))
    return "\n".join(lines) + "\n"


def _keep_macro(p: StreamPort, present: bool) -> str:
    if not present:
        return f"#define HWQ_KEEP_{p.port}(dut, n)"
    size = p.bus_bits // 8
    masks = [", ".join(hex(b) for b in ((1 << n) - 1).to_bytes(-(-size // 8), "little")) for n in (size, p.last_beat_bytes)]
    return (
        f"#define HWQ_KEEP_{p.port}(dut, n) {{ static const uint8_t keep[2][{-(-size // 8)}] = {{{{{masks[0]}}}, {{{masks[1]}}}}}; "
        f"store(dut->{p.port}_tkeep, keep[(n + 1) % {p.beats} == 0], {-(-size // 8)}); }}"
    )


def build_batch(
    folder: Path,
    top: str,
    ports: Sequence[StreamPort],
    signals: Sequence[str],
    *,
    defines: Sequence[str] = (MODELS,),
    cache: Path | None = None,
) -> BatchModel:
    """Compile ``folder/<top>.v`` with the harness; an equal build in ``cache`` (default: the user's) is reused.

    ``signals`` are the names of all top-level ports, ``defines`` the macros that choose a form. Raises
    :class:`InputError` when a tool lacks or the build fails.
    """
    tool = need_simulator()
    header = ports_header(ports, signals)
    verilog = (folder / f"{top}.v").read_bytes()
    check_verilog(verilog.decode(errors="replace"), f"{top}.v")
    macros = [f"-D{name}" for name in defines]
    key = content_key([verilog, top, header, tool.version, " ".join([*OPTIMISE, *macros]), MAKE_OPTIMISE, HARNESS.read_bytes()])
    build = (cache or build_cache()) / f"batch-{key}"
    program = build / "Vdut"
    seconds = 0.0
    with locked(build):
        if program.is_file():
            os.utime(build)
        else:
            started = time.perf_counter()
            _compile(verilog, top, header, tool, build, macros)
            seconds = time.perf_counter() - started
    return BatchModel(program, folder, tuple(ports), tool, seconds)


def _compile(verilog: bytes, top: str, header: str, tool: Tool, build: Path, macros: Sequence[str]) -> None:
    # Verilator's makefiles cannot cope with blanks in a path, so everything is compiled in a folder without any.
    with tempfile.TemporaryDirectory(prefix="hwq-verilate-") as name:
        work = Path(name)
        (work / "ports.h").write_text(header)
        shutil.copyfile(HARNESS, work / "harness.cpp")
        (work / "design.v").write_bytes(verilog)
        environment = tool.environ()
        environment["MAKEFLAGS"] = " ".join([tool.environment.get("MAKEFLAGS", ""), MAKE_OPTIMISE]).strip()
        names = ["--prefix", "Vdut", "--top-module", top, "--Mdir", "obj"]
        translate = [*tool.command, "--cc", "--exe", *names, *OPTIMISE, *macros, "-CFLAGS", "-I..", "design.v", "harness.cpp"]
        _execute(translate, work, environment, top)
        # Verilator's own library takes longer than a small design, and is the same for all.
        library = build.parent / f"library-{content_key([tool.version, _compiler_version(), MAKE_OPTIMISE])}"
        for part in library.glob("*.o"):
            shutil.copy(part, work / "obj")
        maker = make()
        assert maker is not None
        _execute([*maker.command, "-C", "obj", "-f", "Vdut.mk", "-j", "2", "Vdut"], work, environment, top)
        _keep(work / "obj" / "Vdut", build / "Vdut")
        for part in (work / "obj").glob("verilated*.o"):
            _keep(part, library / part.name)
    tidy(build.parent)


def _compiler_version() -> str:
    found = compiler()
    return found.version if found else ""


def _execute(command: Sequence[str], folder: Path, environment: Mapping[str, str], top: str) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        tail = "; ".join([line for line in (done.stdout + done.stderr).splitlines() if "rror" in line][:3])
        raise InputError("BATCH-BUILD", f"Verilator could not compile the design: {tail}", where=f"{top}.v")


def _keep(made: Path, kept: Path) -> None:
    """Copy ``made`` to ``kept`` as a whole or not at all, unless it is there."""
    if kept.exists():
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=kept.parent, prefix=".partial-", delete=False) as partial:
        partial.write(made.read_bytes())
    shutil.copymode(made, partial.name)
    os.replace(partial.name, kept)
