"""A small data set of discs, the recipe to learn them, and the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from discs import write_data, write_recipe


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """A data set: ten images to train and validate on, three to test on."""
    return write_data(tmp_path / "discs")


@pytest.fixture
def recipe_file(tmp_path: Path, discs: Path) -> Path:
    """A recipe that learns the discs in a few seconds."""
    return write_recipe(tmp_path / "discs.yaml", discs)


@pytest.fixture
def command(tmp_path: Path):
    """Run the command line in tmp_path, as a user would: command("run", "discs.yaml")."""

    def run(*arguments: str, timeout: int = 300, **options) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "finetune.cli", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            **options,
        )

    return run
