"""Labels of a run in bfloat16 beside those in float32, on the images of one split.

    python benchmarks/precision_labels.py RUN IMAGES [SPLIT [COUNT]]

Each image is predicted in float32, in bfloat16, and in bfloat16 as a processor without such instructions
emulates it. Printed are the differences of Dice and AP50 and the fraction of pixels that keep their label,
and how much of the difference remains between a native and an emulated prediction: this is what an audit on
another processor sees.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cards.record import RunRecord
from finetune.data.reader import Reader, Sample
from finetune.evaluation.evaluate import score
from finetune.inference.tile_mismatch import count_mismatches
from finetune.loading import load
from finetune.pipeline.audit_data import locate
from finetune.utils.bfloat16 import EmulatedBf16

COMPARED = (("float32", "bf16"), ("bf16", "emulated"))


def labels_of(model: Any, sample: Sample) -> dict[str, np.ndarray]:
    """Labels of an image by precision."""
    image = model.prepare(sample.pixels)
    found = {}
    for name in ("float32", "bf16", "emulated"):
        model.precision = "float32" if name == "float32" else "bf16"
        if name == "emulated":
            with EmulatedBf16():
                maps = model.predict_maps(image)
        else:
            maps = model.predict_maps(image)
        found[name] = model.target.decode(maps)
    return found


def main(run: Path, data: Path, split: str, count: int | None) -> None:
    """Print the comparisons."""
    torch.set_grad_enabled(False)
    record = RunRecord.read(run)
    model: Any = load(run, precision="float32")
    reader = Reader(model.target, model.normalize, record.data.labels, model.select)
    changes: dict[tuple[str, str], list[tuple[float, float, float]]] = {pair: [] for pair in COMPARED}
    for _, pair in islice(locate(data, record, [split]), count):  # type: ignore[list-item]
        sample = reader(pair)
        labels = labels_of(model, sample)
        metrics = {name: score(model, sample, found, 0.0).metrics for name, found in labels.items()}
        for first, second in COMPARED:
            dice, ap50 = (metrics[second][name] - metrics[first][name] for name in ("dice", "ap50"))
            mismatch = count_mismatches(labels[second], labels[first]) / labels[first].size
            changes[first, second].append((dice, ap50, mismatch))
    for (first, second), values in changes.items():
        dice, ap50, mismatch = np.array(values).T
        print(
            f"{second} − {first}, {len(values)} {split} images: mean Dice {dice.mean():+.5f}, "
            f"largest change {np.abs(dice).max():.5f}; mean AP50 {ap50.mean():+.5f}, "
            f"largest change {np.abs(ap50).max():.3f}; {100 * (1 - mismatch.mean()):.3f}% of the pixels "
            f"keep their label, at least {100 * (1 - mismatch.max()):.3f}% of an image"
        )


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        sys.argv[3] if len(sys.argv) > 3 else "validation",
        int(sys.argv[4]) if len(sys.argv) > 4 else None,
    )
