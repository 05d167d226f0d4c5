"""Model: a Network with the host programs around it and the description of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.network.host import HostStep, run_steps
from hwq.network.ops import Integers

__all__ = ["Model", "ModelInput", "ModelOutput"]


@dataclass(frozen=True, eq=False)
class ModelInput:
    """One input as the user's model takes it, and the way to the Network's integers.

    Parameters
    ----------
    name
        The user's name; the Network input and the AXI stream carry the same one.
    shape
        Shape without the batch, as the model takes it (for example (1, 28, 28)).
    dtype
        numpy name of the dtype that the model takes.
    head
        Steps from the model's tensor to integers of shape (N, H, W, C).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    head: tuple[HostStep, ...]


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """One output as the user's model gives it.

    Parameters
    ----------
    name
        The user's name; the AXI stream carries the same one.
    tensor
        Name of the Network's output tensor.
    shape, dtype
        As the model gives it, without the batch.
    tail
        Steps from integers (N, H, W, C) to the model's tensor; cast to ``dtype`` once, at the end.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    tail: tuple[HostStep, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """What ``hwq.read`` returns.

    ``provenance`` is plain data (format, producer, sha256 of the source file). ``source`` is the source graph as a
    document and its arrays, kept so that the original can be executed beside the golden model; the frontend reads it.
    ``notes`` is plain data a layer name -> facts, for ``hwq explain``.
    """

    network: Network
    inputs: tuple[ModelInput, ...]
    outputs: tuple[ModelOutput, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    source: tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, layers: {len(self.network.nodes)}, inputs: {len(self.inputs)}, outputs: {len(self.outputs)})"

    @property
    def name(self) -> str:
        """Name of the Network."""
        return self.network.name

    def encode(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Integers]:
        """Integers (N, H, W, C) of the Network's inputs for the model's own tensors (N, ...).

        Raises :class:`InputError` for a wrong name, shape, dtype, or NaN/Inf.
        """
        return {i.name: self._encode_one(i, inputs) for i in self.inputs}

    def _encode_one(self, i: ModelInput, inputs: Mapping[str, NDArray[Any]]) -> Integers:
        if i.name not in inputs:
            raise InputError("INPUT-MISSING", f"the model wants an input {i.name!r}, given: {', '.join(map(repr, inputs)) or 'none'}")
        x = np.asarray(inputs[i.name])
        if x.dtype.kind not in "biuf":
            raise InputError("INPUT-DTYPE", f"the array holds {x.dtype}, numbers were expected", where=i.name)
        if x.shape[1:] != i.shape or x.ndim == 0:
            expected = ", ".join(map(str, ("N", *i.shape)))
            raise InputError("INPUT-SHAPE", f"the array has shape {x.shape}, expected ({expected})", where=i.name)
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            frame = int(np.argwhere(~np.isfinite(x))[0][0])
            raise InputError("INPUT-NAN", f"frame {frame} holds NaN or infinity", where=i.name, hint="Clean the data first")
        target = next(t for t in self.network.inputs if t.name == i.name)
        real = run_steps(i.head, x).reshape(len(x), *target.shape)
        integers = real.astype(np.int64)
        outside = (integers != real) | ~target.encoding.contains(integers)
        if outside.any():
            frame = int(np.argwhere(outside)[0][0])
            raise InputError(
                "INPUT-RANGE",
                f"frame {frame}: {real[outside].flat[0]:g} is not one of the integers of {target.encoding.name}",
                where=i.name,
            )
        return integers

    def decode(self, integers: Mapping[str, Integers]) -> dict[str, NDArray[Any]]:
        """The model's own output tensors (N, ...) for integers (N, H, W, C) of the Network's outputs."""
        return {o.name: run_steps(o.tail, integers[o.tensor]).reshape(-1, *o.shape).astype(o.dtype) for o in self.outputs}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What the model gives for what it takes, computed by the golden Network."""
        return self.decode(self.network.run(self.encode(inputs)))
