"""A small data set of discs, the recipe to learn them, and the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from discs import RECIPE, write_discs


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """A data set: ten images to train and validate on, three to test on."""
    root = tmp_path / "discs"
    write_discs(root / "train", 10)
    write_discs(root / "test", 3, seed=1)
    return root


@pytest.fixture
def recipe_file(tmp_path: Path, discs: Path) -> Path:
    """A recipe that learns the discs in a few seconds."""
    path = tmp_path / "discs.yaml"
    path.write_text(RECIPE.replace("ROOT", str(discs)))
    return path


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
