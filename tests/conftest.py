"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Folder of real pre-trained networks with reference vectors; the test is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("the folder of pre-trained networks is not here")
    return folder
