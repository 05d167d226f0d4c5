"""Verifies a big design stage by stage: each stage alone between AXI streams, on its real golden streams, in parallel."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.network.ops import Integers
from hwq.plan.dataflow import dataflow_of
from hwq.plan.footprint import check_golden
from hwq.plan.plan import Plan
from hwq.plan.stages import Stage, stages_of
from hwq.plan.token_network import StallTraces, TokenNetwork
from hwq.target.design import Design, elaborate
from hwq.target.folder import Folder
from hwq.target.stage_top import find_stage, stage_alone
from hwq.target.streams import StreamPort, stream_ports
from hwq.target.vectors import codes_of
from hwq.verify.batch import BatchModel, build_batch
from hwq.verify.certificate import Failure, StageVerdict
from hwq.verify.compare import judge
from hwq.verify.run import EngineRun
from hwq.verify.stage_verilog import FolderVerilog, Placed
from hwq.verify.stalls import Traces, stall_traces

__all__ = ["chosen_stages", "verify_stages"]

PROFILES = ("none", "both")
# Cycles of a run from which the last, strictest profile of stalls has to do: the simulator does some ten to a hundred thousand a second.
LONG_RUN = 2_000_000

Progress = Callable[[str, float | None], None]
Cycles = NDArray[np.int64]
# Amaranth's elaboration keeps state of its own.
_ELABORATION = threading.Lock()


def chosen_stages(network: Network, names: Sequence[str]) -> list[Stage]:
    """The stages of these names, each once, in the network's order; ``all`` stands for every one."""
    stages = list(stages_of(network))
    if "all" in names and not any(s.name == "all" for s in stages):
        return stages
    wanted = {find_stage(network, name).name for name in names}
    return [s for s in stages if s.name in wanted]


def verify_stages(
    folder: Folder,
    stages: Sequence[Stage],
    integers: Mapping[str, Integers],
    *,
    jobs: int = 1,
    seed: int = 1,
    stalls: Sequence[str] = PROFILES,
    progress: Progress | None = None,
) -> tuple[StageVerdict, ...]:
    """Verdicts of ``stages``, in their order, on the streams that the golden Network has for ``integers`` (by input, (N, H, W, C)).

    The module of each, and all that it needs, is taken from the folder's Verilog and memory files, put between AXI streams in a top of
    its own, compiled and run under every profile of ``stalls``; codes and the cycle of every beat are compared. What lies between the
    stages of the design is not looked at. ``jobs`` compilers and simulators run at once. A stage that cannot be built raises
    :class:`InputError` that names it.
    """
    tensors = list(dict.fromkeys(t for s in stages for t in (*s.sources, *s.targets) if t))
    inputs = {t: x for t, x in integers.items() if t in tensors}
    check_golden(folder.network)
    golden = inputs | folder.network.run(integers, keep=[t for t in tensors if t not in inputs])
    report = _Progress(len(stages), progress or (lambda text, fraction: None))
    verilog = FolderVerilog(folder)

    def work(stage: Stage) -> StageVerdict:
        verdict = _verify_one(folder, verilog, stage, golden, stalls, seed)
        report.done(verdict)
        return verdict

    with ThreadPoolExecutor(max(1, jobs), "hwq-stage") as pool:
        futures = [pool.submit(work, stage) for stage in stages]
        try:
            return tuple(f.result() for f in futures)
        except BaseException:
            for f in futures:
                f.cancel()
            raise


class _Progress:
    """Counts stages done, from any thread."""

    def __init__(self, total: int, report: Progress) -> None:
        self.total, self.report, self.count, self.lock = total, report, 0, threading.Lock()
        report(f"0 of {total} stages", 0.0)

    def done(self, verdict: StageVerdict) -> None:
        with self.lock:
            self.count += 1
            state = "bit-exact" if verdict.bit_exact else "WRONG"
            self.report(f"{self.count} of {self.total} stages; {verdict.stage}: {state}", self.count / self.total)


@dataclass(frozen=True)
class _Cycles:
    """Cycles from the first beat in to the last beat out of a run, predicted and seen, and whether every beat came as predicted."""

    predicted: int
    simulated: int | None
    exact: bool


def _verify_one(
    folder: Folder, verilog: FolderVerilog, stage: Stage, golden: Mapping[str, Integers], stalls: Sequence[str], seed: int
) -> StageVerdict:
    try:
        part, alone = stage_alone(folder.network, folder.plan, stage)
        inputs, outputs = stream_ports(part, alone)
        codes = codes_of((*inputs, *outputs), golden)
        with tempfile.TemporaryDirectory(prefix="hwq-stage-") as name:
            design, placed = _placed(part, alone, stage, verilog)
            if isinstance(placed, Failure):
                frames = len(next(iter(codes.values())))
                return StageVerdict(stage.name, design.top, frames, False, (), None, None, False, failure=placed)
            batch = _built(design, placed, (*inputs, *outputs), verilog.path, Path(name))
            return _run(part, alone, stage, codes, batch, design.top, placed.module, stalls, seed)
    except InputError as error:
        raise InputError(error.code, error.message, where=f"stage {stage.name}", hint=error.hint) from error


def _last_beat(tokens: TokenNetwork) -> int:
    """Cycle of the last beat of one frame."""
    run = tokens.run(1)
    return max(int(b.max()) for b in run.output_beats.values())


def _run(
    part: Network,
    plan: Plan,
    stage: Stage,
    codes: Mapping[str, Integers],
    batch: BatchModel,
    top: str,
    module: str | None,
    stalls: Sequence[str],
    seed: int,
) -> StageVerdict:
    outputs = stream_ports(part, plan)[1]
    frames = len(next(iter(codes.values())))
    tokens = TokenNetwork(dataflow_of(part, plan))
    runs: list[_Cycles] = []
    seconds, failure = 0.0, None
    slowest = _last_beat(tokens)
    profiles = stalls[-1:] if slowest * frames > LONG_RUN else stalls
    for profile in profiles:
        traces = stall_traces(profile, seed, batch.ports)
        run = batch.run(codes, stalls=profile, traces=traces, seed=seed, slowest=slowest)
        failure = judge(run, part, outputs, codes)
        runs.append(_compare(run, tokens, batch.ports, traces))
        seconds += run.seconds
        if failure:
            break
    return StageVerdict(
        stage.name,
        top,
        frames,
        failure is None,
        tuple(profiles[: len(runs)]),
        runs[0].predicted,
        runs[0].simulated,
        all(r.exact for r in runs),
        round(seconds, 3),
        round(batch.build_seconds, 3),
        failure,
        module,
    )


def _placed(part: Network, plan: Plan, stage: Stage, verilog: FolderVerilog) -> tuple[Design, Placed | Failure]:
    """The top for the stage, and its Verilog with the folder's module in it."""
    with _ELABORATION:
        design = elaborate(part, plan, name=part.name, primitives=verilog.primitives)
    return design, verilog.place(design, stage.name)


def _built(design: Design, placed: Placed, ports: Sequence[StreamPort], source: Path, folder: Path) -> BatchModel:
    """The stage compiled, its files in ``folder``, its memory files those of ``source``."""
    (folder / f"{design.top}.v").write_text(placed.verilog)
    for name in placed.memories:
        (folder / name).symlink_to((source / name).resolve())
    return build_batch(folder, design.top, ports, [name for name, _, _ in design.ports])


def _compare(run: EngineRun, tokens: TokenNetwork, ports: Sequence[StreamPort], traces: Traces) -> _Cycles:
    """Cycles of ``run`` against the token simulator under the same stalls."""
    stalls = StallTraces({p.name: traces[p.port] for p in ports if p.is_input}, {p.name: traces[p.port] for p in ports if not p.is_input})
    expected = tokens.run(run.frames, stalls)
    beats = {p.port: np.asarray((expected.input_beats if p.is_input else expected.output_beats)[p.name]).reshape(-1) for p in ports}
    exact = run.hang is None and all(np.array_equal(run.cycles[port], b) for port, b in beats.items())
    whole = all(len(run.cycles[port]) >= len(b) for port, b in beats.items())
    return _Cycles(_span(beats, ports), _span(run.cycles, ports) if whole else None, exact)


def _span(cycles: Mapping[str, Cycles], ports: Sequence[StreamPort]) -> int:
    """Cycles from the first beat in to the last beat out."""
    first = min(int(cycles[p.port][0]) for p in ports if p.is_input)
    return max(int(cycles[p.port][-1]) for p in ports if not p.is_input) - first + 1
