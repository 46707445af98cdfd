"""A small StarDist model: configuration, Keras files and reference output."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from finetune.repositories.registry import Loaded, LoadOptions, load

WIDTH, DEPTH, RAYS, FEATURES = 4, 2, 8, 6
CONFIG = {
    "n_dim": 2,
    "axes": "YXC",
    "n_channel_in": 1,
    "n_channel_out": 1 + RAYS,
    "n_rays": RAYS,
    "backbone": "unet",
    "unet_n_depth": DEPTH,
    "unet_kernel_size": [3, 3],
    "unet_n_filter_base": WIDTH,
    "unet_n_conv_per_depth": 2,
    "unet_pool": [2, 2],
    "unet_activation": "relu",
    "unet_last_activation": "relu",
    "unet_batch_norm": False,
    "unet_dropout": 0.0,
    "unet_prefix": "",
    "net_conv_after_unet": FEATURES,
    "train_epochs": 400,
}


class Output(NamedTuple):
    """Maps (H, W, K); the classes are background and the one class of objects."""

    probability: np.ndarray
    distances: np.ndarray
    classes: np.ndarray | None


def layers(grid: int, channels: int = 1, classes: int = 0) -> dict[str, tuple[int, int, int]]:
    """Name -> kernel size, channels in, channels out; in StarDist's order, `Config2D` as above."""
    found: dict[str, tuple[int, int, int]] = {}
    if grid == 2:
        found |= {"conv2d_5": (3, channels, WIDTH), "conv2d_6": (3, WIDTH, WIDTH)}
        channels = WIDTH
    found |= {
        "down_level_0_no_0": (3, channels, 4),
        "down_level_0_no_1": (3, 4, 4),
        "down_level_1_no_0": (3, 4, 8),
        "down_level_1_no_1": (3, 8, 8),
        "middle_0": (3, 8, 16),
        "middle_2": (3, 16, 8),
        "up_level_1_no_0": (3, 16, 8),
        "up_level_1_no_2": (3, 8, 4),
        "up_level_0_no_0": (3, 8, 4),
        "up_level_0_no_2": (3, 4, 4),
        "features": (3, 4, FEATURES),
    }
    heads = {"prob": (1, FEATURES, 1), "dist": (1, FEATURES, RAYS)}
    if classes:
        found |= {"features_class": (3, 4, FEATURES)}
        heads |= {"prob_class": (1, FEATURES, 1 + classes)}
    return found | heads


Weights = dict[str, tuple[np.ndarray, np.ndarray]]


def random_weights(grid: int, seed: int = 0, classes: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        name: (
            rng.normal(0, 1 / (size * np.sqrt(wide)), (size, size, wide, out)).astype(np.float32),
            rng.normal(0, 0.1, out).astype(np.float32),
        )
        for name, (size, wide, out) in layers(grid, classes=classes).items()
    }


def write(path: Path, weights: Weights, style: str = "2") -> None:
    """A file as Keras lays it out: style "2" by `save_weights`, "model" by `save`, "3" by Keras 3."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if style == "model" else file
        root.attrs["layer_names"] = [b"input", *(name.encode() for name in weights), b"max_0"]
        root.attrs["keras_version"] = b"2.2.4"
        for name in ("input", "max_0"):
            root.create_group(name).attrs["weight_names"] = np.zeros(0)
        for name, arrays in weights.items():
            end = "" if style == "3" else ":0"
            keys = [f"{name}/{kind}{end}" for kind in ("kernel", "bias")]
            group = root.create_group(name)
            group.attrs["weight_names"] = [key.encode() for key in keys]
            for key, array in zip(keys, arrays, strict=True):
                group[key] = array


def keras_forward(image: np.ndarray, weights: Weights, grid: int) -> Output:
    """What Keras computes, in numpy and channels last, from an image (H, W, C)."""

    def convolve(name: str, x: np.ndarray, activate: bool = True) -> np.ndarray:
        kernel, bias = weights[name]
        size, edge = len(kernel), len(kernel) // 2
        padded = np.pad(x, ((edge, edge), (edge, edge), (0, 0)))  # padding="same"
        height, width = x.shape[:2]
        out = bias + sum(
            padded[row : row + height, column : column + width] @ kernel[row, column]
            for row in range(size)
            for column in range(size)
        )
        return np.maximum(out, 0) if activate else out

    def pool(x: np.ndarray) -> np.ndarray:
        return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max(axis=(1, 3))

    x, skipped = image.astype(np.float64), []
    if grid == 2:
        x = pool(convolve("conv2d_6", convolve("conv2d_5", x)))
    for level in range(DEPTH):
        x = convolve(f"down_level_{level}_no_1", convolve(f"down_level_{level}_no_0", x))
        skipped.append(x)
        x = pool(x)
    x = convolve("middle_2", convolve("middle_0", x))
    for level in reversed(range(DEPTH)):
        x = np.concatenate([x.repeat(2, axis=0).repeat(2, axis=1), skipped[level]], axis=-1)
        x = convolve(f"up_level_{level}_no_2", convolve(f"up_level_{level}_no_0", x))
    features, classes = convolve("features", x), None
    if "prob_class" in weights:
        scores = np.exp(convolve("prob_class", convolve("features_class", x), False))
        classes = scores / scores.sum(axis=-1, keepdims=True)
    probability = 1 / (1 + np.exp(-convolve("prob", features, False)))
    return Output(probability, convolve("dist", features, False), classes)


def load_rays(checkpoint: Path | None, **changes: Any) -> Loaded:
    """Load a network from weights; changes are those of `LoadOptions`, and `name`."""
    arguments = {"in_channels": 1, "out_channels": 1 + RAYS, "checkpoint": checkpoint} | changes
    return load("stardist", arguments.pop("name", "unet"), LoadOptions(**arguments))
