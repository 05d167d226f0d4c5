"""A small model in a file, and the command line as a function."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwq.cli import main
from hwq.network.file import save_model
from hwq.network.host import HostStep
from hwq.network.model import Model, ModelInput, ModelOutput
from tests.network.networks import dense_network


def tiny_model() -> Model:
    """A classifier of 3 x 4 pixels in [0, 1] into 5 classes: bipolar after the centre, scores scaled."""
    network = dense_network((12, 7, 5), seed=3, name="tiny net")
    head = (HostStep("sub", np.float64(0.5)), HostStep("bipolar"), HostStep("reshape", attributes={"shape": [1, 1, 12]}))
    inputs = (ModelInput("x", (3, 4), "float32", head),)
    outputs = (ModelOutput("y", network.outputs[0], (5,), "float32", (HostStep("mul", np.float64(0.25)),)),)
    return Model(network, inputs, outputs, {"format": "test"})


@pytest.fixture
def model() -> Model:
    """:func:`tiny_model`."""
    return tiny_model()


@pytest.fixture
def model_file(model: Model, tmp_path: Path) -> Path:
    """The model as a .hwq file."""
    save_model(model, tmp_path / "tiny.hwq")
    return tmp_path / "tiny.hwq"


@pytest.fixture
def images() -> np.ndarray:
    """Twenty frames as the model takes them."""
    return np.random.default_rng(5).random((20, 3, 4)).astype(np.float32)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    """``saved(array)``: the path of a fresh .npy file; ``saved(x=..., y=...)``: of a .npz."""
    count = iter(range(1000))

    def save(array: np.ndarray | None = None, **arrays: np.ndarray) -> str:
        path = tmp_path / f"data{next(count)}.np{'z' if arrays else 'y'}"
        if arrays:
            np.savez(path, **arrays)
        else:
            np.save(path, array)
        return str(path)

    return save


@pytest.fixture
def hwq(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``hwq(*words)``: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(w) for w in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return call


@pytest.fixture
def hwq_json(hwq: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, Any]]:
    """``hwq_json(*words)``: exit code and the one JSON document on stdout; stderr stays silent."""

    def call(*words: object) -> tuple[int, Any]:
        code, out, err = hwq(*words, "--json")
        assert err == ""
        return code, json.loads(out)

    return call


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's output folder; copy it before changing anything."""
    import hwq as package

    return package.compile(tiny_model(), target="vu9p").write(tmp_path_factory.mktemp("compiled") / "out")
