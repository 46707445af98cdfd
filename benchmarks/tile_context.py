"""Dice of tiles that are segmented one by one, and as parts of the field of view that they were cut from.

    python benchmarks/tile_context.py PATH/mdck_zo1 '{field}_r{row}c{column}' validation RUN [RUN ...]

The pattern is that of `finetune join-tiles`. The fields are those that a run used in the split, as tiles or
joined. Both label images are compared with the masks of the tiles, so that the difference is that of the
surroundings which the network sees. Printed are means over the images and, for the difference, its 95 %
bootstrap interval; several runs are averaged first, image by image.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cards.record import RunRecord
from finetune.data.pairs import Pair, find_pairs
from finetune.data.reader import Reader, Sample
from finetune.data.tile_names import arrange_tiles
from finetune.evaluation.evaluate import score
from finetune.loading import load
from finetune.metrics.summary import bootstrap_mean

METRICS = ("dice", "ap50", "pq")


def used_fields(pairs: list[Pair], pattern: str, record: RunRecord, split: str) -> list[list[list[Pair]]]:
    """Grids of the tiles of the fields that a run used in a split."""
    used = {file.name for file in record.data.files if file.split == split}
    grids = arrange_tiles([pair.name for pair in pairs], pattern)
    return [
        [[pairs[index] for index in row] for row in grid]
        for name, grid in grids.items()
        if name in used or pairs[grid[0][0]].name in used
    ]


def segment(model: Any, pixels: np.ndarray) -> np.ndarray:
    """Label image of an image (C, H, W)."""
    return model.target.decode(model.predict_maps(model.prepare(pixels)))


def measure(model: Any, tiles: list[list[Sample]]) -> list[tuple[list[float], list[float]]]:
    """Metrics of each tile of a field: alone, and as a part of the field."""
    field = np.concatenate([np.concatenate([tile.pixels for tile in row], 2) for row in tiles], 1)
    whole, found, top = segment(model, field), [], 0
    for row in tiles:
        left = 0
        for tile in row:
            height, width = tile.labels.shape
            part = np.ascontiguousarray(whole[top : top + height, left : left + width])
            scores = [
                score(model, tile, labels, 0.0).metrics for labels in (segment(model, tile.pixels), part)
            ]
            alone, within = ([metrics[name] for name in METRICS] for metrics in scores)
            found.append((alone, within))
            left += width
        top += row[0].labels.shape[0]
    return found


def main(root: Path, pattern: str, split: str, runs: list[Path]) -> None:
    """Print means, and the interval of the difference."""
    torch.set_grad_enabled(False)
    pairs = [pair for pair in find_pairs(root) if (pair.split == "test") == (split == "test")]
    values = []
    for run in runs:
        record = RunRecord.read(run)
        model: Any = load(run)
        reader = Reader(model.target, model.normalize, record.data.labels, model.select)
        fields = used_fields(pairs, pattern, record, split)
        samples = [[[reader(tile) for tile in row] for row in grid] for grid in fields]
        values.append([pair for tiles in samples for pair in measure(model, tiles)])
        for index, where in enumerate(("alone", "in their fields")):
            found = np.array([pair[index] for pair in values[-1]], float)
            (dice, ap50, pq), spread = found.mean(0), found[:, 0].std()
            print(
                f"{run}, {len(found)} tiles {where}: "
                f"Dice {dice:.4f} ± {spread:.4f}, AP50 {ap50:.4f}, PQ {pq:.4f}"
            )
    alone, within = np.moveaxis(np.array(values, float).mean(0), 1, 0)
    for index, name in enumerate(METRICS):
        one, two = alone[:, index], within[:, index]
        low, high = bootstrap_mean(two - one)
        print(
            f"{name}: {one.mean():.4f} alone, {two.mean():.4f} in their fields, "
            f"{(two - one).mean():+.4f} ({low:.4f} to {high:.4f})"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], [Path(run) for run in sys.argv[4:]])
