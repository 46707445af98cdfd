"""benchmarks/field_folds.py: related images stay in one fold."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "field_folds.py"


def test_adjacent_tiles_are_predicted_together_and_test_images_not_at_all(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 1)):
        for kind in ("images", "masks"):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng((number, split == "test"))
            field = gaussian_filter(rng.random((96, 192)), 3)
            field = np.uint8(255 * (field - field.min()) / np.ptp(field))
            for side in (0, 1):
                name, tile = f"field{number}_{side}.tif", field[:, 96 * side : 96 * (side + 1)]
                tifffile.imwrite(tmp_path / "data" / split / "images" / name, tile)
                tifffile.imwrite(tmp_path / "data" / split / "masks" / name, np.uint8(tile > 128))
    out = tmp_path / "folds"
    command = [sys.executable, SCRIPT, tmp_path / "data", "--folds", "2", "--out", out]
    subprocess.run(command, check=True, capture_output=True)
    predicted = []
    for path in sorted(out.iterdir()):
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        assert len(rows) == 8 and all((out / row["image"]).is_file() for row in rows)
        predicted.append({Path(row["image"]).stem for row in rows if row["split"] == "test"})
    assert sorted(len(names) for names in predicted) == [4, 4] and not predicted[0] & predicted[1]
    for names in predicted:
        assert {name[:-1] + other for name in names for other in "01"} == names
