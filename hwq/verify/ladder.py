"""Verifies an output folder: golden Network against the emitted Verilog in several engines, codes and cycles."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq import __version__
from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.network.ops import Integers
from hwq.plan.footprint import check_golden
from hwq.plan.prediction import Prediction, predict
from hwq.target.folder import Folder, load_folder
from hwq.target.primitives import FABRIC, defines
from hwq.target.vectors import Codes, codes_of, random_integers
from hwq.verify.accuracy import accuracy
from hwq.verify.batch import BatchModel, build_batch
from hwq.verify.certificate import Certificate, EngineVerdict, Failure
from hwq.verify.compare import judge
from hwq.verify.cosim import run_cocotb
from hwq.verify.cycles import Figures, beats_equal, simulated_figures
from hwq.verify.locate import locate
from hwq.verify.run import EngineRun
from hwq.verify.simulate import run_amaranth
from hwq.verify.stalls import Traces, stall_traces

__all__ = ["DEFAULT_FRAMES", "ENGINES", "checked_integers", "verify", "write_certificate"]

log = logging.getLogger("hwq")

# Frames an engine gets when none are asked for, as long as their cycles are no more than a minute or two.
DEFAULT_FRAMES: Mapping[str, int] = {"cocotb": 40, "batch": 10_000, "amaranth": 4}
DEFAULT_CYCLES: Mapping[str, int] = {"cocotb": 400_000, "batch": 5_000_000, "amaranth": 20_000}
# The smallest integers everywhere, the largest, random ones.
FEWEST_FRAMES = 3
ENGINES = tuple(DEFAULT_FRAMES)
# Beyond these an engine would run for hours; the rest of the frames goes to the batch engine.
MOST_FRAMES: Mapping[str, int] = {"cocotb": 2_000, "batch": 10_000_000, "amaranth": 16}

Progress = Callable[[str, float | None], None]


def verify(
    directory: str | Path,
    *,
    engines: Sequence[str] = ("cocotb", "batch"),
    frames: int | None = None,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    codes: bool = False,
    labels: NDArray[Any] | None = None,
    source_scores: NDArray[Any] | None = None,
    stalls: Sequence[str] = ("none", "both"),
    seed: int = 1,
    waves: bool = False,
    primitives: str = "portable",
    write: bool = True,
    progress: Progress | None = None,
) -> Certificate:
    """Stream frames through the design in ``directory`` and compare every output code with the golden Network's.

    Parameters
    ----------
    engines
        Of ``cocotb`` (the shipped bench), ``batch`` (compiled, fast), ``amaranth`` (the components in Python, few frames).
    frames
        At most so many an engine; all ``inputs``, or the engine's default, when None.
    inputs
        Tensors as the model takes them, by input name (N, ...); with ``codes`` integers of the Network, (N, H, W, C) or
        any shape with as many elements. Random legal integers when None.
    labels, source_scores
        Classes (N,), and the source model's output for the same inputs, for the accuracy.
    stalls
        Of ``none``, ``source``, ``sink``, ``both``: which sides stall at random. The first frames without stalls give the cycles.
    waves
        Let the cocotb engine write waves, to ``waves.vcd`` in the folder.
    primitives
        ``structural`` simulates the parts made of fabric as LUTs and carry chains, in the engines that run Verilog.
    write
        Write ``verify.json`` into the folder.

    Raises
    ------
    InputError, Problems
        For a folder that is none or was altered, inputs that do not fit, tools that lack. A design that is wrong raises nothing:
        the certificate says so.
    """
    _check_engines(engines)
    folder = load_folder(directory)
    integers = _integers(folder, inputs, codes, frames, engines, seed)
    if inputs is not None and frames is None:
        frames = len(next(iter(integers.values())))
    session = _Session(folder, integers, seed, waves, defines(primitives), progress or (lambda text, fraction: None))
    total = len(engines) * len(stalls)
    for n, engine in enumerate(engines):
        for k, profile in enumerate(stalls):
            session.progress(f"{engine}, stalls: {profile}", (n * len(stalls) + k) / total)
            if not session.run(engine, profile, frames):
                break
    certificate = session.certificate(labels, source_scores)
    if write:
        write_certificate(folder.path, certificate)
    return certificate


def _check_engines(engines: Sequence[str]) -> None:
    for engine in engines:
        if engine not in ENGINES:
            raise InputError("ENGINE-UNKNOWN", f"there is no engine {engine!r}", where="--engine", hint=f"Use one of {', '.join(ENGINES)}")
    if not engines:
        raise InputError("ENGINE-UNKNOWN", "no engine was named", where="--engine")


def write_certificate(folder: Path, certificate: Certificate) -> None:
    """Write ``verify.json`` into ``folder``, as a whole or not at all; raises :class:`InputError` where that cannot be."""
    beside = folder / f".verify.json.{os.getpid()}.partial"
    try:
        try:
            beside.write_text(certificate.text())
            os.replace(beside, folder / "verify.json")
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError("OUTPUT-UNWRITABLE", f"verify.json cannot be written ({error.strerror})", where=str(folder)) from None


def _integers(
    folder: Folder, inputs: Mapping[str, NDArray[Any]] | None, codes: bool, frames: int | None, engines: Sequence[str], seed: int
) -> dict[str, Integers]:
    """Integers (N, H, W, C) of all inputs."""
    network = folder.network
    if inputs is None:
        return random_integers(network, max(1, frames or max(_usual_frames(folder, e) for e in engines)), seed)
    integers = checked_integers(network, inputs) if codes else folder.model.encode(inputs)
    counts = {name: len(x) for name, x in integers.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise InputError("INPUT-FRAMES", f"the inputs hold different or no frames: {counts}", where="--inputs")
    return integers


def _usual_frames(folder: Folder, engine: str) -> int:
    """Frames that ``engine`` gets when none are asked for."""
    affordable = DEFAULT_CYCLES[engine] / max(1.0, folder.report["cycles_per_frame"])
    return max(FEWEST_FRAMES, min(DEFAULT_FRAMES[engine], int(affordable)))


def checked_integers(network: Network, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Integers]:
    """Integers (N, H, W, C) by input from integers of any shape with as many elements; raises :class:`InputError`."""
    result: dict[str, Integers] = {}
    for i in network.inputs:
        if i.name not in inputs:
            raise InputError("INPUT-MISSING", f"the network wants an input {i.name!r}", where="--inputs")
        x = np.asarray(inputs[i.name])
        if x.dtype.kind not in "iub":
            raise InputError("INPUT-DTYPE", f"codes are integers, the array holds {x.dtype}", where=i.name)
        if x.ndim < 1 or x[0:1].size != int(np.prod(i.shape)):
            raise InputError("INPUT-SHAPE", f"the array has shape {x.shape}, expected (N, {', '.join(map(str, i.shape))})", where=i.name)
        outside = ~i.encoding.contains(x)
        if outside.any():
            value = x[outside].flat[0]
            raise InputError(
                "INPUT-RANGE", f"{value} is not one of the integers of {i.encoding.name} ({i.encoding.lo}..{i.encoding.hi})", where=i.name
            )
        result[i.name] = x.reshape(len(x), *i.shape).astype(np.int64)
    return result


@dataclass
class _Session:
    """The state of one verification: what was computed once, and the verdicts so far."""

    folder: Folder
    integers: dict[str, Integers]
    seed: int
    waves: bool
    defines: tuple[str, ...]
    progress: Progress

    def __post_init__(self) -> None:
        self.network = self.folder.network
        check_golden(self.network)
        self.golden = self.network.run(self.integers)
        self.codes: Codes = codes_of(self.folder.ports, self.integers | self.golden)
        self.prediction: Prediction = predict(self.network, self.folder.plan)
        self.verdicts: list[EngineVerdict] = []
        self.figures = Figures(None, None)
        self.versions: dict[str, str] = {"hwq": __version__, "numpy": np.__version__}
        self.received: dict[str, NDArray[np.int64]] = {}
        self.batch: BatchModel | None = None

    def run(self, engine: str, stalls: str, frames: int | None) -> bool:
        """One run; whether it was bit-exact."""
        have = len(next(iter(self.codes.values())))
        count = min(have, MOST_FRAMES[engine], frames or _usual_frames(self.folder, engine))
        if count < min(have, frames or have):
            log.info("%s: %d of %d frames", engine, count, have)
        codes = {name: c[:count] for name, c in self.codes.items()}
        traces = stall_traces(stalls, self.seed, self.folder.ports)
        run = self._engine(engine, codes, stalls, traces)
        failure = judge(run, self.network, self.folder.outputs, codes)
        exact = beats_equal(run, self.network, self.folder.plan, self.folder.ports, traces)
        if failure and failure.kind != "protocol" and engine != "amaranth":
            failure = self._locate(failure, stalls, traces)
        self._note(run, stalls, failure, exact)
        return failure is None

    def _engine(self, engine: str, codes: Codes, stalls: str, traces: Traces) -> EngineRun:
        f = self.folder
        slowest = int(self.prediction.interval + self.prediction.first_latency)
        if engine == "cocotb":
            return run_cocotb(f.path, f.top, f.ports, codes, stalls=stalls, traces=traces, waves=self.waves, defines=self.defines)
        if engine == "batch":
            if self.batch is None:
                self.progress("compiling the design", None)
                self.batch = build_batch(f.path, f.top, f.ports, f.signals, defines=self.defines)
            return self.batch.run(codes, stalls=stalls, traces=traces, seed=self.seed, slowest=slowest)
        return run_amaranth(f.network, f.plan, f.ports, codes, stalls=stalls, traces=traces, slowest=slowest)

    def _locate(self, failure: Failure, stalls: str, traces: Traces) -> Failure:
        """The failure by its first wrong stage; a probe that cannot run leaves it as it is."""
        upto = (failure.frame or 0) + 1
        self.progress("looking for the first wrong stage", None)
        try:
            codes = {name: c[:upto] for name, c in self.codes.items()}
            return locate(self.folder, failure, codes, {n: x[:upto] for n, x in self.integers.items()}, stalls, traces)
        except InputError as error:
            log.warning("the first wrong stage could not be looked for: %s", error)
            return failure

    def _note(self, run: EngineRun, stalls: str, failure: Failure | None, exact: bool) -> None:
        if not exact and failure is None:
            log.warning("%s, stalls %s: beats did not come in the cycles predicted", run.engine, stalls)
        self.verdicts.append(
            EngineVerdict(
                run.engine,
                run.frames,
                failure is None,
                stalls,
                self.seed,
                exact,
                round(run.seconds, 3),
                round(run.build_seconds, 3),
                failure,
            )
        )
        self.versions |= run.versions
        if failure is None and stalls == "none" and self.figures.interval is None:
            self.figures = simulated_figures(run, self.prediction, self.folder.ports)
        if not self.received or len(next(iter(run.codes.values()))) > len(next(iter(self.received.values()))):
            self.received = dict(run.codes)

    @property
    def _form(self) -> dict[str, str]:
        return {"primitives": "structural"} if FABRIC in self.defines else {}

    def certificate(self, labels: NDArray[Any] | None, source_scores: NDArray[Any] | None) -> Certificate:
        verdicts = tuple(self.verdicts)
        rtl = {p.name: p.encoding.decode(self.received[p.port]) for p in self.folder.outputs}
        scores = accuracy(self.folder.model, self.golden, rtl, labels, source_scores) if labels is not None else None
        figures, p = self.figures, self.prediction
        return Certificate(
            self.folder.top,
            all(v.bit_exact for v in verdicts),
            verdicts,
            {"predicted": p.interval, "simulated": figures.interval},
            {"predicted": p.latency, "simulated": figures.latency},
            all(v.cycles_exact for v in verdicts),
            self.folder.hashes,
            self.versions,
            scores,
            {"frames": len(next(iter(self.golden.values()))), "seed": self.seed} | self._form,
        )
