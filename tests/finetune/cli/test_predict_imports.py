"""What `finetune predict` imports: one small image must not wait for packages that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile
from saved_model import save_small_model

HEAVY = (
    "pytorch_lightning",
    "transformers",
    "bioimageio.core",
    "bioimageio.spec",
    "torchvision",
    "torchmetrics",
    "matplotlib",
    "pandas",
    "jinja2",
    "rich",
    "zarr",
)

RUN = """
import sys
from finetune.cli.main import app
app(["predict", *sys.argv[2:]], standalone_mode=False)
print([name for name in sys.argv[1].split(",") if name in sys.modules])
"""


def test_one_image_is_segmented_without_packages_for_training_packages_and_pictures(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.tile(np.arange(32, dtype=np.uint8), (32, 1)))
    save_small_model(tmp_path / "model", "foreground_boundary")
    arguments = [tmp_path / "model", tmp_path / "a.tif", "--out", tmp_path / "labels"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, ",".join(HEAVY), *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
