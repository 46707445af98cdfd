"""StarDist's `config.json` and `thresholds.json`, as defined by `stardist.models.Config2D` (0.9.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from cards.errors import ModelError
from finetune.utils.options import Options

REPOSITORY = "stardist"


class StarDistOptions(Options):
    """Options of the U-Net, named after the arguments of `StarDistUNet`; `NAMES` has StarDist's names.

    Outside their limits, a network is of no use or does not fit into memory.
    """

    grid: int = Field(1, ge=1, le=2, description="pixels of the image per pixel of the maps, along each axis")
    depth: int = Field(3, ge=1, le=6, description="number of times that the resolution halves")
    width: int = Field(32, ge=4, le=256, description="channels at full resolution; doubled at each level")
    convolutions: int = Field(2, ge=1, le=4, description="convolutions per level")
    features: int = Field(128, ge=0, le=1024, description="channels of the last convolution; 0 for none")
    foreground: bool = Field(
        False,
        description="predict the foreground, too, by StarDist's head for one class of objects; for "
        "model.target_options.foreground",
    )


# Our options: key in StarDist's configuration, and StarDist's default, for older files that lack the key.
NAMES = {
    "depth": ("unet_n_depth", 3),
    "width": ("unet_n_filter_base", 32),
    "convolutions": ("unet_n_conv_per_depth", 2),
    "features": ("net_conv_after_unet", 128),
}

# Settings of StarDist that `StarDistUNet` does not support, with the values of the published models.
FIXED: dict[str, Any] = {
    "n_dim": 2,
    "backbone": "unet",
    "unet_kernel_size": [3, 3],
    "unet_pool": [2, 2],
    "unet_activation": "relu",
    "unet_last_activation": "relu",
    "unet_batch_norm": False,
    "unet_dropout": 0.0,
    "unet_expansion": 2,
    "unet_prefix": "",
}

# Decoding options of the target rays, by their keys in StarDist's `thresholds.json`.
THRESHOLDS = {"prob": "prob_threshold", "nms": "nms_threshold"}


def options_in(path: Path) -> dict[str, Any] | None:
    """Read the network options from a `config.json`.

    Args:
        path: the file.

    Returns:
        Options of `StarDistUNet`; None if there is no such file.

    Raises:
        ModelError: if the file is damaged, is not from StarDist, or describes an unsupported network.
    """
    if not path.is_file():
        return None
    config = _read(path)
    if "n_rays" not in config:
        raise ModelError(f"{path}: not a configuration of StarDist: it has no n_rays")
    for key, value in FIXED.items():
        if config.get(key, value) != value:
            raise ModelError(f"{path}: {key} is {config[key]!r}; only models with {value!r} are supported")
    classes = config.get("n_classes")
    if classes not in (None, 1):
        raise ModelError(f"{path}: n_classes is {classes!r}; only models with None or 1 are supported")
    grid = config.get("grid", [1, 1])
    if not isinstance(grid, list) or len(set(grid)) != 1:
        raise ModelError(
            f"{path}: grid is {grid!r}; only models with the same grid in both axes are supported"
        )
    found = {"grid": grid[0], "foreground": classes == 1}
    return found | {option: config.get(key, default) for option, (key, default) in NAMES.items()}


def write_config(folder: Path, options: dict[str, Any], *, channels: int, rays: int) -> Path:
    """Write `config.json` for a network; training settings are left to StarDist.

    Args:
        folder: output folder.
        options: options of `StarDistUNet`.
        channels: number of image channels.
        rays: number of rays.

    Returns:
        Path of the file.
    """
    config = FIXED | {key: options[option] for option, (key, _) in NAMES.items()}
    config |= {
        "axes": "YXC",
        "n_channel_in": channels,
        "n_channel_out": 1 + rays,
        "n_rays": rays,
        "grid": [options["grid"]] * 2,
        "n_classes": 1 if options["foreground"] else None,
        "net_input_shape": [None, None, channels],
        "net_mask_shape": [None, None, 1],
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return path


def write_thresholds(folder: Path, options: dict[str, Any]) -> Path:
    """Write `thresholds.json` from the options of the target `rays`.

    Args:
        folder: output folder.
        options: options of the target.

    Returns:
        Path of the file.
    """
    path = folder / "thresholds.json"
    thresholds = {key: options[option] for key, option in THRESHOLDS.items()}
    path.write_text(json.dumps(thresholds) + "\n", encoding="utf-8")
    return path


def read_thresholds(folder: Path) -> dict[str, float]:
    """Read the thresholds that StarDist optimized for a model.

    Args:
        folder: folder of the model.

    Returns:
        Options of the target `rays`; empty if there are none.
    """
    path = folder / "thresholds.json"
    found = _read(path) if path.is_file() else {}
    return {
        option: round(found[key], 4)
        for key, option in THRESHOLDS.items()
        if isinstance(found.get(key), float | int) and 0 < found[key] < 1
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: cannot be read: not a JSON object")
    return content
