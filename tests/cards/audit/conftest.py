"""A run folder of which every claim holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import audited
import pytest


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run folder, never changed."""
    folder = tmp_path_factory.mktemp("audit") / "run"
    audited.write_run(folder)
    return folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy of the run folder, to change."""
    return Path(shutil.copytree(original, tmp_path / "run"))
