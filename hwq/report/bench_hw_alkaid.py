"""Circuits of ``alkaid`` (distributed arithmetic, formerly da4ml) for the circuit benchmark; an optional extra: ``hwq[bench]``."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.report.bench_hw_flow import Circuit, Row
from hwq.target.tools import module_version

__all__ = ["alkaid", "available", "estimate"]

Layer = tuple[NDArray[np.int64], NDArray[np.int64] | None]


def available() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec("alkaid") is not None


def alkaid(weights: NDArray[np.int64], thresholds: NDArray[np.int64] | None, stages: int) -> Circuit:
    """``weights`` (rows, columns) times bits x, compared with ``thresholds`` if given; ``stages`` 0 is combinational.

    Its settings are those that came out smallest here: no tables of six weights, adders of any width one level. A pipeline
    registers inputs and outputs, as it does by default.
    """
    from alkaid.codegen.rtl.rtl_model import RTLModel

    started = time.process_time()
    logic = _logic([(weights, thresholds)])
    with tempfile.TemporaryDirectory(prefix="hwq-alkaid-") as name:
        model = RTLModel(logic, Path(name), prj_name="alkaid_core", n_stages=stages or -1, print_latency=False)
        model.write()
        # The wrapper beside the core only renames ports.
        files = {f.name: f.read_text() for f in sorted(Path(name).rglob("*.v")) if not f.stem.endswith("_wrapper")}
    return Circuit(
        "alkaid",
        files,
        "alkaid_core",
        ports={"x": "model_inp", "y": "model_out"},
        clocked=stages > 0,
        latency=stages + 1 if stages else 0,
        registers=frozenset({"inputs", "outputs"}),
        seconds=time.process_time() - started,
        notes={
            "own_estimate": float(logic.cost),
            "version": module_version("alkaid"),
        },
    )


def estimate(layers: Sequence[Layer]) -> Row:
    """A row with its own estimate of LUTs for layers one behind the other; nothing is written or synthesised."""
    started = time.process_time()
    logic = _logic(layers)
    cost, depth = float(logic.cost), max(logic.latency)
    seconds = round(time.process_time() - started, 2)
    return {"estimate": cost, "estimated_depth": depth, "seconds": seconds, "version": module_version("alkaid")}


def _logic(layers: Sequence[Layer]) -> Any:
    """What its solver makes of the layers; the first reads bits."""
    from alkaid.trace import FVArray, HWConfig, trace

    zeros = np.zeros(layers[0][0].shape[1], np.int64)
    x: Any = FVArray.from_kif(zeros, zeros + 1, zeros, hwconf=HWConfig(1, -1, -1), solver_options={"binary_lut": False})
    y = x
    for weights, thresholds in layers:
        sums = y @ weights.T.astype(float)
        y = sums if thresholds is None else sums >= thresholds
    return trace(x, y)
