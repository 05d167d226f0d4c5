"""Foreign .pt2 files: read like live modules, never run, and every lie in them is an error."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim, export

from hwq.errors import InputError, Problems
from hwq.frontend.exported import ExportedGraph
from hwq.frontend.pt2 import read_pt2
from hwq.frontend.torch_export import export_module
from hwq.frontend.torch_graph import source_graph
from hwq.quant import Frozen, freeze
from tests.frontend.test_model_pt import Marker
from tests.frontend.torch_networks import frames, networks


class Foreign(nn.Module):
    """Someone's own quantization, a block without gradient, a layer used twice, shared and odd storage."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.norm = nn.BatchNorm1d(6)
        self.act = nn.ReLU(inplace=True)
        self.register_buffer("turned", torch.arange(36.0).reshape(6, 6).t()[1:, ::2])
        self.register_buffer("third", torch.full((6,), 1 / 3, dtype=torch.bfloat16))
        self.constant = torch.tensor([1.5] * 6)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        x = image.view(image.size(0), -1) * 2 - 1
        with torch.no_grad():
            q = torch.round(x * 7) / 7
        x = x + (q - x).detach()
        x = self.act(self.norm(self.fc(self.fc(x))))
        x = x * self.third.float() + self.constant + self.turned.sum()
        return {"p": torch.softmax(x, 1), "best": x.max(1).values}


def write_pt2(module: nn.Module, path: Path, example: torch.Tensor, dynamic: bool = True) -> Path:
    free: Any = ({0: Dim.DYNAMIC},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = None if not dynamic else (free,) if isinstance(module, Frozen) else free
        program = export(module.eval(), (example,), dynamic_shapes=shapes)
        torch.export.save(program, path)
    return path


@pytest.fixture(scope="module")
def foreign() -> Foreign:
    torch.manual_seed(0)
    return Foreign().eval()


@pytest.fixture(scope="module")
def archive(foreign: Foreign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pt2(foreign, tmp_path_factory.mktemp("pt2") / "foreign.pt2", torch.rand(3, 2, 3))


def contract(graph: ExportedGraph) -> list[tuple[str, str]]:
    """Layer and op of everything but Identity."""
    return [(n.name, n.op) for n in source_graph(graph).nodes if n.op != "Identity" and n.name]


def test_a_file_reads_like_the_live_module(foreign: Foreign, archive: Path) -> None:
    got, live = read_pt2(archive), export_module(foreign, (torch.rand(3, 2, 3),), "foreign")
    assert [op for _, op in contract(got)] == [op for _, op in contract(live)]
    assert got.inputs[0][0] == live.inputs[0][0] == "image"
    assert [n for n, _ in got.outputs] == ["p", "best"]
    layers = [n.layer for n in got.nodes if n.layer]
    assert list(dict.fromkeys(layers)) == ["fc", "fc@1", "norm", "act"]


def test_tensors_come_out_bit_for_bit(foreign: Foreign, archive: Path) -> None:
    stored = read_pt2(archive).tensors
    state = {**foreign.state_dict(), "constant": foreign.constant}
    for key, value in state.items():
        if key == "norm.num_batches_tracked":
            continue
        candidates = [v for k, v in stored.items() if k.endswith(key.replace(".", "_"))]
        np.testing.assert_array_equal(candidates[0], value.float().numpy())


@pytest.mark.parametrize("dynamic", [True, False])
def test_the_batch_is_one_frame(foreign: Foreign, tmp_path: Path, dynamic: bool) -> None:
    path = write_pt2(foreign, tmp_path / "m.pt2", torch.rand(3, 2, 3), dynamic)
    source = source_graph(read_pt2(path))
    assert source.inputs[0].shape == (1, 2, 3)
    shapes = [source.constants[n.inputs[1]].tolist() for n in source.nodes if n.op == "Reshape"]
    assert shapes == [[-1, 6]]


def test_a_frozen_network_of_hwq_quant_travels_as_pt2_too(tmp_path: Path) -> None:
    module = networks()["saturating, scaled"]
    frozen = freeze(module)
    path = write_pt2(frozen, tmp_path / "m.pt2", frames(module)[:3])
    got, live = read_pt2(path), export_module(frozen, (frames(module)[:3],), "m")
    assert got.frozen
    assert contract(got) == contract(live)


def rewritten(archive: Path, tmp_path: Path, member: str, change: Callable[[Any], Any]) -> Path:
    """The archive with one member changed; JSON is parsed for ``change``."""
    out = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            data: Any = source.read(info)
            if info.filename.endswith(member):
                changed = change(json.loads(data) if member.endswith(".json") else data)
                data = changed if isinstance(changed, bytes) else json.dumps(changed)
            target.writestr(info.filename, data)
    path = tmp_path / "changed.pt2"
    path.write_bytes(out.getvalue())
    return path


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_pt2(path)
    return caught.value


def weights(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    def apply(config: Any) -> Any:
        change(config["config"]["fc.weight"])
        return config

    return apply


WEIGHTS = "model_weights_config.json"


def test_a_pickled_weight_is_refused_and_does_not_run(archive: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    buffer = io.BytesIO()
    torch.save(Marker(marker), buffer)
    armed = rewritten(archive, tmp_path, WEIGHTS, weights(lambda m: m.update(use_pickle=True)))
    armed = rewritten(armed, tmp_path, "data/weights/weight_0", lambda _: buffer.getvalue())
    error = refused(armed)
    assert error.code == "PICKLE"
    assert "'fc.weight'" in error.message
    assert not marker.exists()


def test_opaque_constants_are_refused(archive: Path, tmp_path: Path) -> None:
    def opaque(config: Any) -> Any:
        config["config"] = {"secret": {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}}
        return config

    assert refused(rewritten(archive, tmp_path, "model_constants_config.json", opaque)).code == "PICKLE"


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "/etc/passwd", "..", "a\\b", 7])
def test_paths_that_lead_out_are_refused(archive: Path, tmp_path: Path, name: object) -> None:
    path = rewritten(archive, tmp_path, WEIGHTS, weights(lambda m: m.update(path_name=name)))
    assert refused(path).code == "PATH-ESCAPE"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sizes", [{"as_int": 1000}, {"as_int": 1000}]),
        ("sizes", [{"as_int": -6}, {"as_int": 6}]),
        ("sizes", [{"as_int": 6}]),
        ("strides", [{"as_int": 600}, {"as_int": 1}]),
        ("strides", [{"as_int": -6}, {"as_int": 1}]),
        ("storage_offset", {"as_int": 1}),
        ("storage_offset", {"as_int": -1}),
    ],
)
def test_sizes_that_lie_are_refused_before_memory_is_taken(archive: Path, tmp_path: Path, key: str, value: object) -> None:
    path = rewritten(archive, tmp_path, WEIGHTS, weights(lambda m: m["tensor_meta"].update({key: value})))
    assert refused(path).code == "TENSOR-SIZE"


def test_broadcasts_of_gigabytes_are_refused(archive: Path, tmp_path: Path) -> None:
    lie = {"sizes": [{"as_int": 1 << 20}, {"as_int": 1 << 20}], "strides": [{"as_int": 0}, {"as_int": 0}]}
    path = rewritten(archive, tmp_path, WEIGHTS, weights(lambda m: m["tensor_meta"].update(lie)))
    assert refused(path).code == "TENSOR-SIZE"


def test_bytes_that_are_missing_are_noticed(archive: Path, tmp_path: Path) -> None:
    assert refused(rewritten(archive, tmp_path, "data/weights/weight_0", lambda data: data[:8])).code in ("TENSOR-SIZE", "FILE-DAMAGED")


def test_unknown_and_sparse_tensors_are_refused(archive: Path, tmp_path: Path) -> None:
    for change, code in (({"dtype": 10}, "TENSOR-DTYPE"), ({"layout": 1}, "TENSOR-LAYOUT")):
        path = rewritten(archive, tmp_path, WEIGHTS, weights(lambda m, c=change: m["tensor_meta"].update(c)))
        assert refused(path).code == code


@pytest.mark.parametrize(
    "change",
    [
        lambda d: b"{",
        lambda d: b"[" * 100_000,
        lambda d: [],
        lambda d: {},
        lambda d: {**d, "graph_module": None},
        lambda d: {**d, "graph_module": {**d["graph_module"], "graph": {**d["graph_module"]["graph"], "nodes": [{}]}}},
        lambda d: {**d, "graph_module": {**d["graph_module"], "graph": {**d["graph_module"]["graph"], "nodes": 3}}},
        lambda d: {**d, "schema_version": "new"},
    ],
)
def test_damaged_graphs_are_one_clear_error(archive: Path, tmp_path: Path, change: Callable[[Any], Any]) -> None:
    assert refused(rewritten(archive, tmp_path, "models/model.json", change)).code == "FILE-DAMAGED"


def test_sizes_are_numbers_not_programs(archive: Path, tmp_path: Path) -> None:
    def smuggle(d: Any) -> Any:
        values = d["graph_module"]["graph"]["tensor_values"]
        values["image"]["sizes"][0]["as_expr"]["expr_str"] = "__import__('os').system('true')"
        return d

    assert refused(rewritten(archive, tmp_path, "models/model.json", smuggle)).code == "FILE-DAMAGED"


def test_an_image_of_free_size_is_refused_by_its_name(tmp_path: Path) -> None:
    free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = export(nn.Conv2d(2, 3, 3).eval(), (torch.zeros(2, 2, 8, 9),), dynamic_shapes={"input": free})
        torch.export.save(program, tmp_path / "m.pt2")
    with pytest.raises(Problems) as caught:
        read_pt2(tmp_path / "m.pt2")
    assert [(p.code, p.where) for p in caught.value.entries()] == [("INPUT-DYNAMIC", "input")] * 2


def test_lists_with_gaps_travel(tmp_path: Path) -> None:
    class Picked(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, [2, 0]]

    graph = source_graph(read_pt2(write_pt2(Picked(), tmp_path / "m.pt2", torch.zeros(2, 3, 4))))
    assert "Gather" in [n.op for n in graph.nodes]


def test_newer_schemas_are_refused_plainly(archive: Path, tmp_path: Path) -> None:
    path = rewritten(archive, tmp_path, "models/model.json", lambda d: {**d, "schema_version": {"major": 99, "minor": 1}})
    assert refused(path).code == "FILE-NEWER"


def test_a_module_exported_in_train_mode_is_refused(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(export(module.train(), (torch.rand(3, 4),)), tmp_path / "train.pt2")
    with pytest.raises(Problems) as caught:
        source_graph(read_pt2(tmp_path / "train.pt2"))
    assert [(p.code, p.where) for p in caught.value.entries()] == [("TRAIN-MODE", "1")]


def test_a_model_that_counts_its_frames_is_refused(tmp_path: Path) -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen += 1
            return x + self.seen

    path = write_pt2(Counter(), tmp_path / "m.pt2", torch.rand(3, 4))
    with pytest.raises(InputError, match=r"changes its own 'b?_?seen'"):
        source_graph(read_pt2(path))


def test_torch_is_not_needed(archive: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from hwq.frontend.pt2 import read_pt2\n"
        "from hwq.frontend.torch_graph import source_graph\n"
        f"source_graph(read_pt2(Path({str(archive)!r})))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
