"""Plugins as a test sees them: their definitions, a small model and a small collection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from typer.testing import CliRunner, Result

from finetune.cli.main import app
from finetune.cli.plugin_commands import COMMANDS
from finetune.plugins.definition import Plugin
from finetune.plugins.metadata import About
from finetune.plugins.registry import all_plugins

ABOUT = About("1.2.3", "Jane Doe", "https://example.org/source")
PIXEL_SIZES = {
    "PhysicalSizeX": 0.325,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 0.325,
    "PhysicalSizeYUnit": "µm",
}


def plugins() -> dict[str, Plugin]:
    return all_plugins(COMMANDS)


def run_plugin(name: str, **parameters: object) -> Result:
    """Run a plugin through the command line."""
    words = [word for key, value in parameters.items() for word in (f"--{key}", str(value))]
    return CliRunner().invoke(app, ["plugin", "run", name, *words])


def write_collection(folder: Path, names: tuple[str, ...] = ("a", "b"), size: int = 64) -> Path:
    """A collection as WIPP has it: tiled OME-TIFF with a name and a pixel size."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in names:
        tifffile.imwrite(
            folder / f"{name}.ome.tif",
            rng.integers(0, 255, (size, size)).astype(np.uint8),
            ome=True,
            tile=(1024, 1024),
            metadata={"axes": "YX", "Name": f"field {name}", **PIXEL_SIZES},
        )
    return folder


def write_model(folder: Path) -> Path:
    """A small model that was not trained, as a model folder."""
    from saved_model import save_small_model  # imports torch

    save_small_model(folder / "huggingface")
    return folder
