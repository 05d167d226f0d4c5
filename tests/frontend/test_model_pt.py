"""model.pt: what is in it, that it is plain data, and what a hostile or wrong one meets."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hwq.errors import HwqError, InputError
from hwq.frontend import torch_export
from hwq.frontend.model_pt import FORMAT_VERSION, read_model_pt, save_model_pt
from hwq.quant import Bipolar, Linear, Uniform, freeze
from tests.frontend.torch_networks import Mixed, frames, networks


@pytest.fixture(scope="module")
def mixed() -> Mixed:
    module = networks()["mixed"]
    assert isinstance(module, Mixed)
    return module


@pytest.fixture(scope="module")
def saved(mixed: Mixed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "mixed.pt"
    save_model_pt(mixed, path, frames(mixed)[:2], name="mixed net")
    return path


def altered(saved: Path, tmp_path: Path, **changes: Any) -> Path:
    document = torch.load(saved, weights_only=True)
    document.update(changes)
    path = tmp_path / "altered.pt"
    torch.save(document, path)
    return path


def test_layers_keep_the_users_names_and_uses(saved: Path) -> None:
    graph = read_model_pt(saved)
    layers = [n.layer for n in graph.nodes if n.target.startswith("hwq.")]
    assert layers == ["entry", "twice", "act", "twice@1", "act@1", "last"]
    assert graph.name == "mixed net"
    assert [name for name, _ in graph.inputs] == ["image"]
    assert [name for name, _ in graph.outputs] == ["scores", "class"]
    assert graph.frozen


def test_the_batch_is_free(saved: Path) -> None:
    graph = read_model_pt(saved)
    assert graph.metas[graph.inputs[0][1]].shape == (1, 4, 6)
    program, _ = torch_export._export(freeze(networks()["mixed"]), (frames(networks()["mixed"])[:3],))
    assert program.range_constraints  # not the fallback of one frame


def test_it_is_plain_data_with_version_and_no_paths(saved: Path) -> None:
    document = torch.load(saved, weights_only=True)
    assert document["format"] == "hwq-model"
    assert document["format_version"] == FORMAT_VERSION
    assert [c["name"] for c in document["freeze"]["layers"]] == ["twice", "last"]
    data = saved.read_bytes()
    for trace in (str(Path(__file__).parents[2]).encode(), b"stack_trace", b".py"):
        assert trace not in data


def test_bytes_are_the_same_every_time(mixed: Mixed, saved: Path, tmp_path: Path) -> None:
    save_model_pt(mixed, tmp_path / "other.pt", frames(mixed)[:2], name="mixed net")
    assert (tmp_path / "other.pt").read_bytes() == saved.read_bytes()


def test_inputs_and_outputs_can_be_named(mixed: Mixed, tmp_path: Path) -> None:
    io_names = {"inputs": ["pixels"], "outputs": ["digit scores", "digit"]}
    save_model_pt(mixed, tmp_path / "m.pt", frames(mixed)[:1], io=io_names)
    graph = read_model_pt(tmp_path / "m.pt")
    assert [name for name, _ in graph.inputs + graph.outputs] == ["pixels", "digit scores", "digit"]
    assert graph.name == "m"


@pytest.mark.parametrize("names", [{"inputs": []}, {"outputs": ["a"]}, {"outputs": "ab"}, {"outputs": ["a", ""]}, {"input": ["a"]}])
def test_wrong_names_are_refused_and_nothing_is_written(mixed: Mixed, tmp_path: Path, names: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        save_model_pt(mixed, tmp_path / "m.pt", frames(mixed)[:1], io=names)
    assert caught.value.code == "IO-NAMES"
    assert not list(tmp_path.iterdir())


def test_an_example_of_one_frame_and_a_module_that_counts_frames(tmp_path: Path) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = Linear(4, 2, weight=Bipolar())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.fc(Bipolar()(x).view(len(x), -1) if False else torch.sign(x).reshape(int(x.shape[0]), 4))
            return y

    save_model_pt(Counting().eval(), tmp_path / "m.pt", torch.rand(1, 2, 2))
    graph = read_model_pt(tmp_path / "m.pt")
    assert graph.metas[graph.outputs[0][1]].shape == (1, 2)


def test_train_mode_is_refused(mixed: Mixed, tmp_path: Path) -> None:
    module = nn.Sequential(Linear(4, 2, weight=Bipolar()), nn.BatchNorm1d(2))
    with pytest.raises(InputError) as caught:
        save_model_pt(module, tmp_path / "m.pt", torch.rand(2, 4))
    assert caught.value.code == "TRAIN-MODE"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("example", [None, 3.5, "x", torch.tensor(1.0), torch.rand(0, 4)])
def test_examples_that_are_no_batch_are_refused(tmp_path: Path, example: Any) -> None:
    with pytest.raises(InputError) as caught:
        save_model_pt(nn.Sequential(Linear(4, 2, weight=Bipolar())).eval(), tmp_path / "m.pt", example)
    assert caught.value.code == "EXAMPLE-INPUT"


def test_what_is_no_module_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="dict was given, a torch module was expected"):
        save_model_pt({"weight": torch.zeros(2)}, tmp_path / "m.pt", torch.rand(2, 4))  # type: ignore[arg-type]


def test_an_example_that_does_not_fit_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not run on the example input"):
        save_model_pt(nn.Sequential(nn.Linear(4, 2)).eval(), tmp_path / "m.pt", torch.rand(2, 5))


@pytest.mark.parametrize("quantized", [False, True])
def test_control_flow_on_values_is_told_so(tmp_path: Path, capfd: pytest.CaptureFixture[str], quantized: bool) -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = Uniform(4, scale=0.1) if quantized else nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if self.act(x).sum() > 0 else -x

    with pytest.raises(InputError, match=r"Branch: torch\.export cannot trace .* branches on the values of a tensor") as caught:
        save_model_pt(Branch().eval(), tmp_path / "m.pt", torch.rand(2, 5))
    assert (caught.value.code, caught.value.where) == ("EXPORT-FAILED", "Branch")
    assert tuple(capfd.readouterr()) == ("", "")


def test_an_unwritable_place_is_an_error_and_an_old_file_survives_a_failure(mixed: Mixed, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        save_model_pt(mixed, tmp_path / "absent" / "m.pt", frames(mixed)[:1])
    assert caught.value.code == "FILE-WRITE"
    (tmp_path / "m.pt").write_text("precious")
    with pytest.raises(InputError):
        save_model_pt(mixed, tmp_path / "m.pt", torch.rand(1, 3))
    assert (tmp_path / "m.pt").read_text() == "precious"


def test_newer_formats_are_refused_plainly(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format 99, this hwq reads up to 1") as caught:
        read_model_pt(altered(saved, tmp_path, format_version=99))
    assert caught.value.code == "FILE-NEWER"


@pytest.mark.parametrize(
    "changes",
    [
        {"format_version": "1"},
        {"nodes": None},
        {"nodes": [{"target": 3}]},
        {"tensors": {"a": "no tensor"}},
        {"metas": {"a": {}}},
        {"inputs": [["x"]]},
        {"inputs": 5},
    ],
)
def test_damaged_documents_are_one_clear_error(saved: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        read_model_pt(altered(saved, tmp_path, **changes))
    assert caught.value.code == "FILE-DAMAGED"
    assert "altered.pt" in str(caught.value)


def test_a_tensor_that_claims_more_than_the_file_is_refused_before_it_is_copied(saved: Path, tmp_path: Path) -> None:
    huge = torch.zeros(1).expand(1 << 20, 1 << 20)
    with pytest.raises(InputError, match="more than the file holds") as caught:
        read_model_pt(altered(saved, tmp_path, tensors={"w": huge}))
    assert caught.value.code == "FILE-BOMB"


class Marker:
    """Pickles to a call that creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_code_smuggled_into_a_model_does_not_run(saved: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = altered(saved, tmp_path, freeze=Marker(marker))
    with pytest.raises(InputError) as caught:
        read_model_pt(path)
    assert caught.value.code == "PICKLE"
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # the file was armed


def test_every_truncation_is_an_error(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    for size in (10, 100, len(data) // 2, len(data) - 30):
        (tmp_path / "cut.pt").write_bytes(data[:size])
        with pytest.raises(InputError):
            read_model_pt(tmp_path / "cut.pt")


def test_a_member_missing_from_the_zip_is_an_error(saved: Path, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            if not info.filename.endswith("/data/0"):
                target.writestr(info, source.read(info))
    (tmp_path / "less.pt").write_bytes(out.getvalue())
    with pytest.raises(InputError) as caught:
        read_model_pt(tmp_path / "less.pt")
    assert caught.value.code == "FILE-DAMAGED"


def test_an_example_without_its_batch_axis_is_refused(tmp_path: Path) -> None:
    module = nn.Sequential(Bipolar(), Linear(64, 3, weight=Bipolar())).eval()
    with pytest.raises(InputError, match=r"\(64,\).*batch axis"):
        save_model_pt(module, tmp_path / "m.pt", torch.rand(64))
    assert not (tmp_path / "m.pt").exists()


def test_nan_weights_are_not_saved(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()
    with torch.no_grad():
        module[0].weight[1, 2] = float("nan")
    with pytest.raises(HwqError, match="0: weight holds NaN") as caught:
        save_model_pt(module, tmp_path / "m.pt", torch.rand(2, 4))
    assert caught.value.entries()[0].code == "WEIGHT-NAN"
    assert not (tmp_path / "m.pt").exists()
