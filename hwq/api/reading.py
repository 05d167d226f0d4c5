"""Reading a trained model, and saving one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import Accumulation

__all__ = ["as_model", "read", "save"]


def read(
    source: Any,
    example_input: Any = None,
    *,
    name: str | None = None,
    input_encoding: str | None = None,
    input_scale: float | str | None = None,
    input_offset: float | str | None = None,
    input_quantizer: str = "host",
    accumulator: Accumulation | None = None,
    residual_encoding: str | None = None,
) -> Model:
    """The integer Network of a trained model, with the host programs around it.

    >>> model = hwq.read("model.onnx", input_encoding="UINT8", input_scale="1/255")     # doctest: +SKIP
    >>> model.run({"x": images})["y"]                                                   # doctest: +SKIP

    Parameters
    ----------
    source
        Path of a model (``model.pt``, ``.pt2``, ``.onnx``, ``.hwq``; recognised by content) or of a folder that
        ``hwq compile`` wrote; a torch or Brevitas module; or a :class:`Model`.
    example_input
        A tensor, or a tuple of them, as a live module takes it.
    name
        Name of the network; the one saved with the model, or the file's, when None.
    input_encoding, input_scale, input_offset
        For a model whose input carries no quantizer: QONNX name of the integers that arrive, and the real value they
        stand for, ``integer * scale + offset``.
    input_quantizer
        ``host``, or ``hardware`` to build the model's input quantizer in.
    accumulator
        Accumulation of every contraction that does not state its own.
    residual_encoding
        ``FIXED<w,i>``: a quantizer for the branches of sums that have no affordable exact form; its error is in the notes.

    Raises
    ------
    InputError, Problems
        The file is damaged or foreign; the layers that cannot be compiled, all of them.
    """
    from hwq.frontend.options import ReadOptions
    from hwq.frontend.read import read as read_source

    if isinstance(source, Model | str | os.PathLike) and example_input is not None:
        _refuse_example(source, example_input)
    if isinstance(source, Model):
        return source if name is None else _renamed(source, name)
    if isinstance(source, str | os.PathLike):
        source = _of_folder(Path(source))
    options = ReadOptions(name, input_encoding, input_scale, input_offset, input_quantizer, accumulator, residual_encoding)
    return read_source(source, options, example_input)


def _refuse_example(source: Any, example_input: Any) -> None:
    """An example beside a source that needs none is a mistake: most often a target that was given by position."""
    hint = f"Give a target by name: target={example_input!r}" if isinstance(example_input, str) else "Leave it out"
    found = repr(example_input) if isinstance(example_input, str) else f"a {type(example_input).__name__}"
    what = "a Model" if isinstance(source, Model) else "a file"
    raise InputError("EXAMPLE-INPUT", f"{found} was given as example_input, which only a live module takes, not {what}", hint=hint)


def _of_folder(path: Path) -> Path:
    """The model in a folder that ``hwq compile`` wrote; any other path as it is."""
    if not path.is_dir():
        return path
    if not (path / "network.hwq").is_file():
        raise InputError("FOLDER-FORMAT", "there is no network.hwq: this is no output folder of hwq", where=str(path))
    return path / "network.hwq"


def _renamed(model: Model, name: str) -> Model:
    return replace(model, network=replace(model.network, name=name))


def save(
    module: Any,
    path: str | os.PathLike[str],
    example_input: Any,
    *,
    name: str | None = None,
    io: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Save a torch module in eval mode as ``model.pt``: plain data for :func:`read` and ``hwq compile``, nothing that runs.

    >>> hwq.save(module.eval(), "model.pt", torch.zeros(1, 64), name="digits")      # doctest: +SKIP

    Parameters
    ----------
    module
        Layers of :mod:`hwq.quant` are frozen first.
    example_input
        A tensor, or a tuple of them, batch first, as the module takes them.
    name
        Name of the network; the stem of ``path`` when None.
    io
        ``{"inputs": [...], "outputs": [...]}``: names for them.
    """
    from hwq.frontend.model_pt import save_model_pt

    save_model_pt(module, path, example_input, name=name, io=io)


def as_model(network: Network | Model) -> Model:
    """A Network on its own takes and gives its own integers (N, H, W, C)."""
    if isinstance(network, Model):
        return network
    return Model(
        network,
        tuple(ModelInput(i.name, i.shape, "int64", ()) for i in network.inputs),
        tuple(ModelOutput(o, o, network.tensors[o].shape, "int64", ()) for o in network.outputs),
        {"format": "Network"},
    )
