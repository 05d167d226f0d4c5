"""What the arithmetic slices of a netlist compute, by model."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray

from hwq.fabric.netlist import Dsp

__all__ = ["evaluate_slice"]


def evaluate_slice(cell: Dsp, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Outputs of a slice by port, from its inputs by port, unsigned numbers both."""
    raise NotImplementedError(cell.model)
