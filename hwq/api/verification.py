"""Verifying a written design, with the source model and scores from elsewhere beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwq.api.building import Progress
from hwq.api.reading import read
from hwq.network.model import Model

if TYPE_CHECKING:
    from hwq.verify.certificate import Certificate

__all__ = ["verify"]

COMPARED_FRAMES = 500  # every layer of the source is executed anew for each


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
    primitives: str = "portable",
    stages: Sequence[str] = (),
    jobs: int = 1,
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
    primitives
        Form of the parts made of fabric that is simulated: ``portable`` expressions or ``structural`` cells.
    stages
        Names of stages, or ``["all"]``: each is verified alone, as a top of its own in the batch engine, on the golden streams of
        ``frames`` frames (1 when None), ``jobs`` of them at once. This is for designs too big to be simulated whole.
    """
    from hwq.target.folder import check_no_file
    from hwq.verify.ladder import verify as climb
    from hwq.verify.ladder import write_certificate

    folder = check_no_file(Path(directory))
    given = None if inputs is None else {name: np.asarray(x) for name, x in inputs.items()}
    if stages:
        from hwq.verify.by_stage import verify_by_stage

        return verify_by_stage(folder, stages, frames=frames, inputs=given, codes=codes, jobs=jobs, seed=seed, progress=progress)
    model = read(folder)
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
        primitives=primitives,
        write=False,
        progress=progress,
    )
    if given and others:
        certificate = _with_others(certificate, model, given, codes, others, labels)
    write_certificate(folder, certificate)
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
