"""A small data set of discs, the recipe to learn them, and the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from discs import write_data, write_recipe
from forked_command import run_command
from no_onnx import hide_onnx


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """A data set: ten images to train and validate on, three to test on."""
    return write_data(tmp_path / "discs")


@pytest.fixture
def recipe_file(tmp_path: Path, discs: Path) -> Path:
    """A recipe that learns the discs in a few seconds."""
    return write_recipe(tmp_path / "discs.yaml", discs)


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ONNX weights in this test, for runs that are not about them."""
    hide_onnx(monkeypatch)


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """Run the command line in tmp_path, as a user would: command("run", "discs.yaml")."""
    return partial(run_command, cwd=tmp_path)
