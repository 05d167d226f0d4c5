"""The house rules: imports go one way, heavy packages stay in their rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOW = ["numerics", "network", "transform", "fabric", "plan", "gateware", "target", "verify", "report"]
MAY_IMPORT = {package: set(FLOW[: k + 1]) for k, package in enumerate(FLOW)}
MAY_IMPORT["frontend"] = {"numerics", "network", "transform", "frontend", "quant"}  # hwq.save freezes
MAY_IMPORT["quant"] = {"numerics", "quant"}
MAY_IMPORT["zoo"] = {"numerics", "quant", "zoo", "frontend"}  # a recipe saves its model
ROOMS = {"torch": {"frontend", "quant", "zoo"}, "onnx": {"frontend"}, "brevitas": {"frontend"}, "sklearn": {"quant", "zoo"}}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted((ROOT / "hwq").rglob("*.py")):
        parts = path.relative_to(ROOT / "hwq").parts
        yield parts[0] if len(parts) > 1 else "", path, ast.parse(path.read_text())


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_packages_import_only_to_their_left(package: str) -> None:
    for room, path, tree in modules():
        if room != package:
            continue
        for name in imports(tree):
            if name.startswith("hwq.") and name != "hwq.errors":
                assert name.split(".")[1] in MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("library", sorted(ROOMS))
def test_heavy_libraries_stay_in_their_rooms(library: str) -> None:
    for room, path, tree in modules():
        if library in {name.split(".")[0] for name in imports(tree)}:
            assert room in ROOMS[library], f"{path.relative_to(ROOT)} imports {library}"


def test_no_room_without_a_noun() -> None:
    assert not [p for p in (ROOT / "hwq").rglob("*.py") if p.stem in {"utils", "helpers", "common", "misc"}]


def test_no_star_imports_and_no_vague_errors() -> None:
    for _, path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert all(a.name != "*" for a in node.names), path
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
                assert node.exc.func.id not in {"Exception", "AssertionError"}, f"{path}:{node.lineno}"


def test_the_top_level_is_the_agreed_one() -> None:
    agreed = {
        "pyproject.toml",
        "hwq",
        "rtl_out",
        "sim",
        "tests",
        "boards",
        "README.md",
        "LICENSE",
        "Makefile",
        "CHANGELOG.md",
        "constraints.txt",
    }
    import subprocess

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert {t for t in top if not t.startswith(".")} <= agreed
