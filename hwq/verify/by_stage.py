"""The ladder for big designs: a folder verified stage by stage, and the certificate of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq import __version__
from hwq.network.ops import Integers
from hwq.plan.stages import Stage, stages_of
from hwq.target.folder import Folder, load_folder
from hwq.target.tools import need_simulator
from hwq.target.vectors import random_integers
from hwq.verify.certificate import Certificate
from hwq.verify.ladder import checked_integers, write_certificate
from hwq.verify.stages import PROFILES, chosen_stages, verify_stages

__all__ = ["DEFAULT_FRAMES", "verify_by_stage"]

DEFAULT_FRAMES = 1
# The first two frames of the vectors hold the smallest and the largest integer everywhere: no real stream.
EXTREME_FRAMES = 2
# What is the folder's, but in no stage.
UNCOVERED = "what lies between the stages (forks, FIFOs, converters, the AXI4-Stream and AXI4-Lite ports and their wiring)"

Progress = Callable[[str, float | None], None]


def verify_by_stage(
    directory: str | Path,
    names: Sequence[str],
    *,
    frames: int | None = None,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    codes: bool = False,
    jobs: int = 1,
    seed: int = 1,
    stalls: Sequence[str] = PROFILES,
    write: bool = True,
    progress: Progress | None = None,
) -> Certificate:
    """Every stage of ``names`` (``all``: every one of the design) as a top of its own, against the golden streams.

    The stages' modules and memory files are the folder's; what lies between them is not verified (``Certificate.uncovered``).

    Parameters
    ----------
    frames
        1 when None: a stage of a big network takes minutes a frame.
    inputs, codes
        As for :func:`hwq.verify.ladder.verify`; the frames of ``vectors.npz`` when None.
    jobs
        Stages compiled and run at once.

    Raises :class:`InputError` (``STAGE-UNKNOWN``) with the nearest name.
    """
    folder = load_folder(directory)
    stages = chosen_stages(folder.network, names)
    simulator = need_simulator()
    integers = _integers(folder, inputs, codes, frames or DEFAULT_FRAMES, seed)
    verdicts = verify_stages(folder, stages, integers, jobs=jobs, seed=seed, stalls=stalls, progress=progress)
    certificate = Certificate(
        folder.top,
        all(v.bit_exact for v in verdicts),
        (),
        {"predicted": folder.report["cycles_per_frame"], "simulated": None},
        {"predicted": folder.report["latency_cycles"], "simulated": None},
        all(v.cycles_exact for v in verdicts),
        folder.hashes,
        {"hwq": __version__, "numpy": np.__version__, "verilator": simulator.version},
        inputs={"frames": len(next(iter(integers.values()))), "seed": seed},
        stages=verdicts,
        uncovered=_uncovered(folder, stages),
    )
    if write:
        write_certificate(folder.path, certificate)
    return certificate


def _uncovered(folder: Folder, stages: Sequence[Stage]) -> str:
    """What no stage of ``stages`` has in it."""
    others = len(stages_of(folder.network)) - len(stages)
    return f"{UNCOVERED} and {others} more stage{'s' * (others != 1)}" if others else UNCOVERED


def _integers(folder: Folder, inputs: Mapping[str, NDArray[Any]] | None, codes: bool, frames: int, seed: int) -> dict[str, Integers]:
    if inputs is not None:
        given = {name: np.asarray(x)[:frames] for name, x in inputs.items()}
        return checked_integers(folder.network, given) if codes else folder.model.encode(given)
    with np.load(folder.path / "vectors.npz") as vectors:
        shipped: dict[str, Integers] = {p.name: p.encoding.decode(vectors[p.port]) for p in folder.inputs}
    if len(next(iter(shipped.values()))) < frames + EXTREME_FRAMES:
        shipped = random_integers(folder.network, frames + EXTREME_FRAMES, seed)
    return {name: x[EXTREME_FRAMES : EXTREME_FRAMES + frames] for name, x in shipped.items()}
