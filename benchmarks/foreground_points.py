"""Points for automatic masks of SAM 2: centers of bright objects, and a grid of 32 × 32.

    uv run python benchmarks/foreground_points.py PATH/dsb2018/train --every 5
    uv run python benchmarks/foreground_points.py PATH/dsb2018/train --time 1

Prints how many points each kind has in an image, and which part of the instances contains one: an instance
without a point cannot be found. `--time N` segments N images with both kinds of `target_options.automatic`,
in turn, and prints their processor time. Weights are random there, so that accuracy is not measured: the
masks mean nothing, but encoding and decoding take the time that they always take.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

GRID = 32  # points_per_side of SAM2AutomaticMaskGenerator


def grid_points(shape: tuple[int, int]) -> np.ndarray:
    """(GRID², 2), x and y in pixels."""
    steps = (np.arange(GRID) + 0.5) / GRID
    y, x = np.meshgrid(steps * shape[0], steps * shape[1], indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def hit(points: np.ndarray, labels: np.ndarray) -> int:
    """Number of instances that contain a point."""
    x, y = points.astype(np.intp).T
    return int(np.count_nonzero(np.unique(labels[y, x])))


def recall(pairs: list[Any]) -> None:
    from finetune.data.images import read_image
    from finetune.prompts.foreground import foreground_points

    rows = []
    for pair in pairs:
        labels = read_image(pair.label)[0]
        found, grid = foreground_points(read_image(pair.image).mean(axis=0)), grid_points(labels.shape)
        instances = int(np.count_nonzero(np.unique(labels)))
        rows.append((instances, len(found), hit(found, labels), len(grid), hit(grid, labels)))
    total = np.array(rows).sum(axis=0)
    print(f"{len(rows)} images, {total[0]:,} instances")
    for name, column in (("foreground", 1), ("grid", 3)):
        points, found = total[column] / len(rows), total[column + 1] / total[0]
        print(f"{name:<12}{points:7.1f} points an image, {found:.1%} of the instances hit")


def times(pairs: list[Any], name: str, size: int, threads: int) -> None:
    import torch

    from finetune.data.images import read_image
    from finetune.data.normalization import build_normalize
    from finetune.prompts.model import PromptedModel
    from finetune.repositories.base import LoadOptions
    from finetune.repositories.registry import promptable
    from finetune.targets.prompt_options import Prompts

    torch.set_num_threads(threads)
    options = LoadOptions(1, 1, options={"image_size": size}, pretrained=False)
    loaded = promptable("sam2").load(name, options)
    network: Any = loaded.network
    seconds: dict[str, list[float]] = {"foreground": [], "grid": []}
    for pair in [pairs[0], *pairs]:  # the first one warms up
        for kind, spent in seconds.items():
            target = Prompts.model_validate({"automatic": kind})
            normalize = build_normalize(loaded.normalize or {"name": "percentile", "low": 1, "high": 99.8})
            model = PromptedModel(network, target, normalize, "auto", 1, loaded.divisor, loaded.architecture)
            generator, pixels = model.generator(), read_image(pair.image)
            start = time.process_time()
            model.label(pixels, generator)
            spent.append(time.process_time() - start)
    medians = {kind: float(np.median(spent[1:])) for kind, spent in seconds.items()}
    for kind, value in medians.items():
        print(f"{kind:<12}{value:7.2f} s of processor time an image at {size} px")
    print(f"ratio {medians['grid'] / medians['foreground']:.1f}")


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("data", type=Path, help="a folder with images and masks to train on")
    arguments.add_argument("--every", type=int, default=1, help="use every n-th image")
    arguments.add_argument("--time", type=int, default=0, help="number of images to segment")
    arguments.add_argument("--model", default="sam2.1-hiera-tiny")
    arguments.add_argument("--size", type=int, default=256, help="image_size of the model in pixels")
    arguments.add_argument("--threads", type=int, default=1)
    given = arguments.parse_args()
    from finetune.data.pairs import find_pairs

    pairs = find_pairs(given.data)[:: given.every]
    recall(pairs)
    if given.time:
        times(pairs[: given.time], given.model, given.size, given.threads)


if __name__ == "__main__":
    main()
