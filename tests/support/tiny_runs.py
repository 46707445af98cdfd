"""A small run of every kind of model: each starts from random weights and learns discs in seconds."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from discs import RECIPE, write_discs
from foreign import make_package
from rich.console import Console
from safetensors.torch import save_file
from tiny_transformers import MASK2FORMER, SEGFORMER

import finetune
from finetune.recipe.reader import read_recipe
from finetune.repositories.registry import LoadOptions, load

UNET = {"width": 8, "depth": 2}
LARGE = ["training.patch=64", "training.images_per_epoch=4", "training.batch_size=2"]
# A package needs a test output with objects. The flows of an untrained network end anywhere, so that its
# labels depend on the last digit.
LONGER = [
    "training.patch=64",
    "training.epochs=6",
    "training.images_per_epoch=64",
    "training.learning_rate=1.0e-3",
]


def model(repository: str, name: str, target: str, **more: Any) -> list[str]:
    """Changes of the recipe that choose a model."""
    given = {"repository": repository, "name": name, "target": target, "options": {}} | more
    return [
        f"model.{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in given.items()
    ]


KINDS: dict[str, list[str]] = {
    "U-Net, foreground": ["model.target=foreground"],
    "U-Net, foreground_boundary": [],
    "U-Net, boundary": ["model.target=boundary"],
    "U-Net with LoRA": ["model.checkpoint=base", "model.adapt=lora"],
    "CPnet (cyto3), flows": [*model("cellpose", "cyto3", "flows", pretrained=False), *LONGER],
    "StarDist U-Net, rays": model(
        "stardist",
        "unet",
        "rays",
        options={"grid": 2, "width": 8, "depth": 2},
        target_options={"rays": 16, "grid": 2, "prob_threshold": 0.1},
    ),
    "StarDist U-Net, rays and foreground": model(
        "stardist",
        "unet",
        "rays",
        options={"grid": 2, "width": 8, "depth": 2, "foreground": True},
        target_options={
            "rays": 16,
            "grid": 2,
            "foreground": True,
            "prob_threshold": 0.1,
            "outline_threshold": "auto",
        },
    ),
    "SAM 2 Hiera, flows": [
        *model("sam2", "sam2.1-hiera-tiny", "flows", pretrained=False),
        *LONGER,
    ],
    "SegFormer, foreground": [
        *model(
            "huggingface", "somebody/model", "foreground", pretrained=False, options={"config": SEGFORMER}
        ),
        *LARGE,
    ],
    "SegFormer with LoRA": [
        *model(
            "huggingface", "somebody/model", "foreground", pretrained=False, options={"config": SEGFORMER}
        ),
        "model.adapt=lora",
        *LARGE,
    ],
    "Mask2Former, queries": [
        *model(
            "huggingface",
            "somebody/model",
            "queries",
            pretrained=False,
            options={"config": MASK2FORMER},
            target_options={"queries": 10, "threshold": 0.05},
        ),
        *LARGE,
    ],
    "torchvision LR-ASPP, foreground": [
        *model("torchvision", "lraspp_mobilenet_v3_large", "foreground", pretrained=False),
        *LARGE,
    ],
    "package of another tool": model("bioimageio", "tiny-fish", "foreground", checkpoint="foreign/package"),
}
"""Changes of the recipe in `discs.RECIPE`, by kind of model. Checkpoints are those of `make_starts`."""


def make_starts(folder: Path) -> Path:
    """Write images, weights that LoRA starts from, and a package as another tool writes it.

    Args:
        folder: `discs`, `base` and `foreign` are written there, and the recipe `discs.yaml`.

    Returns:
        The folder of the images.
    """
    write_discs(folder / "discs" / "train", 6)
    write_discs(folder / "discs" / "test", 3, seed=1)
    (folder / "discs.yaml").write_text(RECIPE.replace("ROOT", str(folder / "discs")))
    loaded = load("wipp", "unet", LoadOptions(in_channels=1, out_channels=2, options=UNET, seed=5))
    (folder / "base").mkdir()
    save_file(loaded.network.state_dict(), folder / "base" / "model.safetensors")
    config = {"architecture": loaded.architecture.model_dump()}
    (folder / "base" / "config.json").write_text(json.dumps(config))
    (folder / "foreign").mkdir()
    make_package(folder / "foreign", traced=True, id="tiny-fish", version="1.2.0")
    return folder / "discs"


def make_run(starts: Path, kind: str, out: Path) -> Path:
    """Make a small run.

    Args:
        starts: folder that `make_starts` has filled.
        kind: a key of `KINDS`.
        out: the run folder.

    Returns:
        The run folder.
    """
    changes = [change.replace("checkpoint=", f"checkpoint={starts}/") for change in KINDS[kind]]
    recipe = read_recipe(starts / "discs.yaml", ["training.epochs=1", *changes])
    finetune.run(recipe, out=out, console=Console(file=io.StringIO()))
    return out
