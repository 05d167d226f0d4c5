"""The certificate of a verification: verdicts, cycles, hashes; ``verify.json`` is its file form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["FORMAT_VERSION", "Certificate", "EngineVerdict", "Failure", "StageVerdict", "place_text"]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Failure:
    """The first thing that is wrong in a run.

    ``kind`` is ``mismatch`` (a code differs), ``hang`` (no beat moves), ``protocol`` (a stream broke its contract) or ``verilog``
    (the folder's Verilog does not have the stage).
    ``element`` is the index in stream order H, W, C, ``place`` the same as row, column, channel;
    ``expected`` and ``got`` are integers, not codes. ``cycle`` counts
    from reset. ``layer`` is the user's name of the first layer whose stream is wrong, of the output's layer if no more is known.
    """

    kind: str
    text: str
    layer: str | None = None
    frame: int | None = None
    element: int | None = None
    expected: int | None = None
    got: int | None = None
    cycle: int | None = None
    place: tuple[int, int, int] | None = None

    def __str__(self) -> str:
        if self.kind == "mismatch":
            where = f"layer {self.layer!r}, frame {self.frame}, {place_text(self.element, self.place)}"
            return f"{where}: expected {self.expected}, got {self.got} in cycle {self.cycle}{f' ({self.text})' if self.text else ''}"
        return f"{self.kind}: {self.text}"


def place_text(element: int | None, place: Sequence[int] | None) -> str:
    """Where a code stands: row, column and channel in an image, the number of the element else."""
    if place is None or not any(place[:2]):
        return f"element {element}"
    return f"row {place[0]}, column {place[1]}, channel {place[2]}"


@dataclass(frozen=True)
class EngineVerdict:
    """Verdict of one run: an engine, a number of frames, a kind of stalls.

    ``cycles_exact`` says whether every beat came in the cycle that the token simulator gives for the same stalls; None
    where that was not compared.
    """

    engine: str
    frames: int
    bit_exact: bool
    stalls: str
    seed: int = 1
    cycles_exact: bool | None = None
    seconds: float = 0.0
    build_seconds: float = 0.0
    failure: Failure | None = None


@dataclass(frozen=True)
class StageVerdict:
    """Verdict of one stage as a top of its own, in the batch engine.

    ``module`` is the module of the folder's Verilog that ran in that top; None where it has none for the stage.

    ``cycles_predicted`` and ``cycles_simulated`` (None where beats are missing) count from the first beat in to the last beat out
    of all frames of the first run; ``cycles_exact`` says whether every beat of every run came in the predicted cycle.
    """

    stage: str
    top: str
    frames: int
    bit_exact: bool
    stalls: tuple[str, ...]
    cycles_predicted: int | None
    cycles_simulated: int | None
    cycles_exact: bool
    seconds: float = 0.0
    build_seconds: float = 0.0
    failure: Failure | None = None
    module: str | None = None


@dataclass(frozen=True)
class Certificate:
    """What ``hwq verify`` found.

    ``cycles_per_frame`` and ``latency_cycles`` hold ``predicted`` and ``simulated`` (None where the frames were too few for
    the steady state). ``agreement`` compares other executions of the model with golden, by who computed them. ``accuracy`` holds
    ``golden``, ``rtl`` and, when scores were given, ``source``, each a share of frames. ``stages`` are the verdicts of stages on
    their own; where only these ran, ``engines`` is empty, ``cycles_per_frame`` has nothing simulated, and ``uncovered`` says what of
    the design ``bit_exact`` does not speak of.
    """

    name: str
    bit_exact: bool
    engines: tuple[EngineVerdict, ...]
    cycles_per_frame: Mapping[str, float | None]
    latency_cycles: Mapping[str, int | None]
    cycles_exact: bool
    hashes: Mapping[str, str]
    versions: Mapping[str, str]
    accuracy: Mapping[str, float | int] | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    agreement: Mapping[str, Mapping[str, Any]] | None = None
    stages: tuple[StageVerdict, ...] = ()
    uncovered: str | None = None

    @property
    def failure(self) -> Failure | None:
        """The first failure of all runs."""
        found = [e.failure for e in self.engines] + [s.failure for s in self.stages]
        return next((f for f in found if f), None)

    def to_json(self) -> dict[str, Any]:
        """The certificate as plain data, the content of ``verify.json``."""
        return {"format": "hwq-certificate", "format_version": FORMAT_VERSION, **asdict(self)}

    def text(self) -> str:
        """The content of ``verify.json``."""
        return json.dumps(self.to_json(), indent=1) + "\n"
