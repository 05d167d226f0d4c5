"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The default suite draws the same examples on every machine and every day; HYPOTHESIS_PROFILE=explore draws new ones.
settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "reproducible"))


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Folder of real pre-trained networks with reference vectors; the test is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("the folder of pre-trained networks is not here")
    return folder
