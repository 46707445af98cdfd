"""Folders as StarDist saves them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_stardist import CONFIG, random_weights, write


@pytest.fixture(params=[1, 2], ids=["grid 1", "grid 2"])
def grid(request: pytest.FixtureRequest) -> int:
    """Pixels of the image a pixel of the maps."""
    return request.param


@pytest.fixture
def folder(tmp_path: Path, grid: int) -> Path:
    """A folder as StarDist saves it."""
    folder = tmp_path / "nuclei"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG | {"grid": [grid, grid]}))
    (folder / "thresholds.json").write_text(json.dumps({"prob": 0.4861655269131771, "nms": 0.5}))
    write(folder / "weights_best.h5", random_weights(grid))
    write(folder / "weights_last.h5", random_weights(grid, seed=1))
    return folder
