"""The public face of hwq: read, plan, elaborate, estimate, verify, compile, save.

    model = hwq.read("model.onnx")                        what: integers with one exact meaning
    plan = hwq.plan(model, target="vu9p", fps=1e6)         how: folding, memories, FIFO depths
    design = hwq.elaborate(model, plan)                    the hardware that follows
    design.write("rtl_out/model")                          Verilog and all around it
    certificate = hwq.verify("rtl_out/model")              proof, bit by bit

or ``hwq.compile("model.onnx", target="vu9p").write("rtl_out/model")``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import Accumulation
from hwq.plan.plan import Plan

if TYPE_CHECKING:
    from hwq.plan.cost import Estimate
    from hwq.plan.device import Device
    from hwq.plan.draft import PlanDraft
    from hwq.plan.prediction import Prediction
    from hwq.target.design import Design as Hardware
    from hwq.verify.certificate import Certificate

__all__ = ["Design", "compile", "elaborate", "estimate", "plan", "read", "save", "verify"]

Progress = Callable[[str, float | None], None]
DEFAULT_TARGET = "vu9p"
COMPARED_FRAMES = 500  # every layer of the source is executed anew for each


def _silent(text: str, fraction: float | None = None) -> None:
    pass


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

    Raises
    ------
    InputError, Problems
        The file is damaged or foreign; the layers that cannot be compiled, all of them.
    """
    from hwq.frontend.options import ReadOptions
    from hwq.frontend.read import read as read_source

    if isinstance(source, Model):
        return source if name is None else _renamed(source, name)
    if isinstance(source, str | os.PathLike):
        source = _of_folder(Path(source))
    options = ReadOptions(name, input_encoding, input_scale, input_offset, input_quantizer, accumulator)
    return read_source(source, options, example_input)


def _of_folder(path: Path) -> Path:
    """The model in a folder that ``hwq compile`` wrote; any other path as it is."""
    if not path.is_dir():
        return path
    if not (path / "network.hwq").is_file():
        raise InputError("FOLDER-FORMAT", "there is no network.hwq: this is no output folder of hwq", where=str(path))
    return path / "network.hwq"


def _renamed(model: Model, name: str) -> Model:
    return replace(model, network=replace(model.network, name=name))


def plan(
    network: Network | Model,
    target: str | Device | None = None,
    *,
    fps: float | None = None,
    latency: float | None = None,
    budget: Mapping[str, float] | None = None,
    clock_mhz: float | None = None,
    draft: str | os.PathLike[str] | Plan | PlanDraft | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Folding, memories and FIFO depths for ``network`` on ``target``.

    As fast as fits (70 % of the device's LUTs), or as small as ``fps`` and ``latency`` allow.

    Parameters
    ----------
    target
        Name of a device or board (``hwq targets``), or a :class:`Device`; the draft's, or ``vu9p``, when None.
    fps
        Frames a second to reach at the clock.
    latency
        Seconds from the first beat in to the last beat out, at most.
    budget
        Shares of the device by resource, ``{"lut": 0.4, "bram36": 0.5}``.
    clock_mhz
        Assumed clock; the target's when None.
    draft
        A plan, or a ``plan.toml``, possibly with gaps: what it says is kept, the rest is planned.

    Raises
    ------
    InputError
        Unknown target, impossible values, a plan of another network or one that breaks a rule.
    NegativeVerdict
        The network does not fit, or cannot reach the goal; says what would lift that.
    """
    from hwq.plan.goal import Goal
    from hwq.plan.planner import plan_network

    base = _draft(draft)
    device = _device(target, base)
    goal = Goal(fps, latency, budget or {})
    return plan_network(_as_model(network).network, device, goal, clock_mhz=clock_mhz, base=base, progress=progress)


def _draft(draft: str | os.PathLike[str] | Plan | PlanDraft | None) -> PlanDraft | None:
    from hwq.plan.draft import PlanDraft
    from hwq.plan.file import read_draft

    if isinstance(draft, Plan):
        return PlanDraft.of(draft)
    return read_draft(Path(draft)) if isinstance(draft, str | os.PathLike) else draft


def _device(target: str | Device | None, base: PlanDraft | None = None) -> Device:
    from hwq.plan.device import Device
    from hwq.target.boards import load_device

    chosen = target or (base and base.target) or DEFAULT_TARGET
    return chosen if isinstance(chosen, Device) else load_device(chosen)


@dataclass(frozen=True, eq=False)
class Design:
    """The hardware of a Model under a Plan, for one device; ``hardware.verilog`` is its text."""

    model: Model
    plan: Plan
    device: Device
    hardware: Hardware
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prediction(self) -> Prediction:
        """Exact cycles: interval, latency, the bottleneck."""
        from hwq.plan.prediction import predict

        return predict(self.model.network, self.plan)

    def write(self, directory: str | os.PathLike[str]) -> Path:
        """Write the output folder (Verilog, benches, plan, report, interface, vectors) and return its path.

        An earlier output there is replaced as a whole, or left alone when anything fails. Raises :class:`InputError`
        for a folder that holds something else or cannot be written.
        """
        from hwq.target.package import write_package

        return write_package(self.hardware, self.model, Path(directory), self.device, options=self.options)


def elaborate(network: Network | Model, plan: Plan, *, target: str | Device | None = None, progress: Progress | None = None) -> Design:
    """The design that follows from ``network`` and ``plan``; ``target`` is the plan's when None.

    Raises :class:`InputError` or :class:`Problems` when the two do not belong together.
    """
    from hwq.target.design import elaborate as build

    model = _as_model(network)
    device = _device(target or plan.target)
    return Design(model, plan, device, build(model.network, plan, progress=progress))


def estimate(network: Network | Model, plan: Plan, *, target: str | Device | None = None) -> Estimate:
    """Fabric that ``plan`` needs, by component and as a share of the device, from counts, with its error band."""
    from hwq.plan.cost import estimate as count

    return count(_as_model(network).network, plan, _device(target or plan.target))


def compile(
    source: Any,
    example_input: Any = None,
    target: str | Device | None = None,
    *,
    fps: float | None = None,
    latency: float | None = None,
    budget: Mapping[str, float] | None = None,
    plan: str | os.PathLike[str] | Plan | PlanDraft | None = None,
    clock_mhz: float | None = None,
    name: str | None = None,
    input_encoding: str | None = None,
    input_scale: float | str | None = None,
    input_offset: float | str | None = None,
    input_quantizer: str = "host",
    accumulator: Accumulation | None = None,
    progress: Progress | None = None,
) -> Design:
    """Read, plan and elaborate in one; the parameters are those of :func:`read` and :func:`plan`.

    >>> hwq.compile(module.eval(), torch.zeros(1, 64), target="vu9p", fps=1e6).write("out")     # doctest: +SKIP
    """
    report = progress or _silent
    base = _draft(plan)
    device = _device(target, base)
    report("reading", None)
    model = read(
        source,
        example_input,
        name=name,
        input_encoding=input_encoding,
        input_scale=input_scale,
        input_offset=input_offset,
        input_quantizer=input_quantizer,
        accumulator=accumulator,
    )
    report("planning", None)
    chosen = _plan(model, device, fps=fps, latency=latency, budget=budget, clock_mhz=clock_mhz, draft=base, progress=progress)
    design = elaborate(model, chosen, target=device, progress=progress)
    asked = {
        "target": design.device.name,
        "fps": fps,
        "latency_s": latency,
        "budget": budget and dict(budget),
        "clock_mhz": clock_mhz,
        "plan": plan is not None,
        "name": name,
        "input_encoding": input_encoding,
        "input_scale": None if input_scale is None else str(input_scale),
        "input_offset": None if input_offset is None else str(input_offset),
        "input_quantizer": input_quantizer,
        "accumulator": None if accumulator is None else str(accumulator),
    }
    return replace(design, options=asked)


def verify(
    directory: str | os.PathLike[str],
    *,
    engines: Sequence[str] = ("cocotb", "batch"),
    frames: int | None = None,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    codes: bool = False,
    labels: NDArray[Any] | None = None,
    reference: NDArray[Any] | None = None,
    seed: int = 1,
    waves: bool = False,
    progress: Progress | None = None,
) -> Certificate:
    """Stream frames through the design in ``directory`` and compare every output code with the golden Network's.

    Writes ``verify.json`` there. A design that is wrong raises nothing: the certificate says so.

    >>> certificate = hwq.verify("out", engines=["batch"], inputs={"x": images}, labels=labels)     # doctest: +SKIP
    >>> certificate.bit_exact, certificate.accuracy["rtl"]                                          # doctest: +SKIP

    Parameters
    ----------
    engines
        Of ``cocotb``, ``batch``, ``amaranth``.
    frames
        At most so many an engine; all ``inputs``, or the engine's own number of random ones, when None.
    inputs
        Arrays (N, ...) by input name, as the model takes them; with ``codes`` integers (N, H, W, C).
    labels
        Class (N,) of each frame: gives the accuracy of source model, golden model and RTL.
    reference
        Scores (N, ...) of the first output that the source model gave elsewhere, compared with golden's.
    """
    from hwq.verify.ladder import verify as climb

    folder = Path(directory)
    model = read(folder)
    given = None if inputs is None else {name: np.asarray(x) for name, x in inputs.items()}
    others = {} if reference is None else {"reference": np.asarray(reference)}
    if given and not codes and model.source:
        others["source"] = _source_scores(model, given)
    if given and frames is None:
        frames = len(next(iter(given.values())))
    certificate = climb(
        folder,
        engines=engines,
        frames=frames,
        inputs=given,
        codes=codes,
        labels=labels,
        source_scores=others.get("source"),
        seed=seed,
        waves=waves,
        write=False,
        progress=progress,
    )
    if given and others:
        certificate = _with_others(certificate, model, given, codes, others, labels)
    (folder / "verify.json").write_text(certificate.text())
    return certificate


def _source_scores(model: Model, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The first output of the source graph, executed as its own framework would."""
    from hwq.frontend.execute import execute
    from hwq.frontend.source import SourceGraph

    assert model.source is not None
    graph = SourceGraph.from_document(*model.source)
    scores: NDArray[Any] = execute(graph, inputs)[graph.outputs[0]]
    return scores.reshape(-1, *model.outputs[0].shape)


def _source_codes(model: Model, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """How the source's own discrete tensors agree with golden's, layer by layer, on the first frames."""
    from hwq.frontend.rung1 import compare_with_source

    rung = compare_with_source(model, {name: x[:COMPARED_FRAMES] for name, x in inputs.items()})
    return {
        "code_frames": rung.frames,
        "codes": sum(layer.compared for layer in rung.layers),
        "codes_different": sum(layer.different for layer in rung.layers),
        "codes_different_locally": rung.local,
    }


def _with_others(
    certificate: Certificate,
    model: Model,
    inputs: Mapping[str, NDArray[Any]],
    codes: bool,
    others: Mapping[str, NDArray[Any]],
    labels: NDArray[Any] | None,
) -> Certificate:
    """``certificate`` with the agreement of each of ``others`` with golden, and the reference's accuracy."""
    from hwq.report.accuracy import accuracy, classes_of
    from hwq.report.agreement import agreement

    integers = {n: np.asarray(x) for n, x in inputs.items()} if codes else model.encode(inputs)
    golden = model.decode(model.network.run(integers))[model.outputs[0].name]
    agreements = {who: agreement(golden, scores) for who, scores in others.items()}
    if "source" in others:
        agreements["source"] |= _source_codes(model, inputs)
    scores = certificate.accuracy
    if scores is not None and labels is not None and "reference" in others:
        found = accuracy(classes_of(others["reference"]), np.asarray(labels))
        scores = {**scores, "reference": found["accuracy"]}
    return replace(certificate, agreement=agreements, accuracy=scores)


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


def _as_model(network: Network | Model) -> Model:
    """A Network on its own takes and gives its own integers (N, H, W, C)."""
    if isinstance(network, Model):
        return network
    return Model(
        network,
        tuple(ModelInput(i.name, i.shape, "int64", ()) for i in network.inputs),
        tuple(ModelOutput(o, o, network.tensors[o].shape, "int64", ()) for o in network.outputs),
        {"format": "Network"},
    )


_plan = plan  # `compile` has a parameter of that name
