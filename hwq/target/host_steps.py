"""The host's part of a design for whoever writes it in another language: every step, every constant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from hwq.network.host import HostStep
from hwq.network.host_words import idle_steps, step_in_words, unsaid
from hwq.network.model import Model
from hwq.target.streams import StreamPort

__all__ = ["host_document", "host_text"]

LISTED = 4096  # numbers of a constant that interface.json holds itself
SHOWN = 16  # numbers of a constant that INTERFACE.md holds itself
MODEL_FILE = "network.hwq"

Programs = list[tuple[str, tuple[int, ...], str, tuple[HostStep, ...], str]]


def host_document(model: Model, port: StreamPort) -> list[dict[str, Any]]:
    """The host programs at ``port``, one a tensor of the model: its name, shape, dtype and steps.

    A step has ``op``, ``attributes`` and, where the op has one, ``constant``: a number or nested lists, binary64, broadcast
    against the tensor as numpy does; above 4096 numbers null, with its ``shape`` and the ``file`` and ``member`` that hold it.
    Numbers that JSON lacks are the strings ``inf``, ``-inf``, ``nan``.
    """
    return [
        {
            "tensor": name,
            "shape": list(shape),
            "dtype": dtype,
            "steps": [_step(step, f"{prefix}.{n}") for n, step in enumerate(steps)],
        }
        for name, shape, dtype, steps, prefix in _programs(model, port)
    ]


def _programs(model: Model, port: StreamPort) -> Programs:
    if port.is_input:
        return [(i.name, i.shape, i.dtype, i.head, f"head.{n}") for n, i in enumerate(model.inputs) if i.name == port.name]
    return [(o.name, o.shape, o.dtype, o.tail, f"tail.{n}") for n, o in enumerate(model.outputs) if o.tensor == port.name]


def _step(step: HostStep, field: str) -> dict[str, Any]:
    document: dict[str, Any] = {"op": step.op, "attributes": {k: _plain(v) for k, v in step.attributes.items()}}
    if step.constant is not None:
        values = np.asarray(step.constant, np.float64)
        document["constant"] = _plain(values.tolist()) if values.size <= LISTED else None
        document |= {"shape": list(values.shape), "file": MODEL_FILE, "member": f"arrays/{field}.npy"}
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def host_text(port: StreamPort, programs: list[dict[str, Any]], model: Model) -> list[str]:
    """The same in words, for ``INTERFACE.md``."""
    lines = []
    for document, (_, _, dtype, steps, _) in zip(programs, _programs(model, port), strict=True):
        shape = " x ".join(map(str, ("N", *document["shape"])))
        stream = " x ".join(map(str, ("N", *port.shape)))
        idle = idle_steps(steps, document["shape"] if port.is_input else port.shape)
        phrases = [_phrase(s, d) for n, (s, d) in enumerate(zip(steps, document["steps"], strict=True)) if n not in idle]
        if port.is_input:
            first, last = f"take the tensor, {dtype} of shape {shape}", f"this gives the integers; shape {stream}; then take their codes"
        else:
            first, last = f"take the integers of the codes, shape {stream}", f"shape {shape}, as {dtype}: the tensor"
        name = f"`{document['tensor']}`" if re.fullmatch(r"[\w.:/-]{1,80}", document["tensor"]) else "the tensor"
        lines += [f"Host steps {'before' if port.is_input else 'after'}, {'from' if port.is_input else 'to'} {name} of the model:", ""]
        lines += [f"{n}. {phrase}" for n, phrase in enumerate([first, *phrases, last], 1)]
        lines.append("")
    return lines


def _phrase(step: HostStep, document: Mapping[str, Any]) -> str:
    more = ", ".join(f"{k} {v}" for k, v in unsaid(step).items())
    return step_in_words(step, _constant(document)) + (f" ({more})" if more else "")


def _constant(step: Mapping[str, Any]) -> str:
    """The constant of a step in full where it is short, else its shape and where it is."""
    if "shape" not in step:
        return ""
    size = int(np.prod(step["shape"]))
    if size <= SHOWN and step["constant"] is not None:
        return str(step["constant"])
    shape = " x ".join(map(str, step["shape"]))
    listed = "`interface.json` and in " if step["constant"] is not None else ""
    return f"{size} constants of shape {shape} (in {listed}`{step['file']}`, a zip, member `{step['member']}`)"
