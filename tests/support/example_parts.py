"""Parts from which example records are made: hashes, images and scores."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from cards.base import Split
from cards.record import DataFile
from cards.scores import ImageScore, Stage, Summary

# Text that tries to leave its place: YAML, Markdown, HTML and Jinja.
HOSTILE = (
    'x: ]\n---\n# Evil | <script>alert("1")</script> [a](javascript:alert(1)) ```\n\n<!-- {{ 7*7 }} {% raw %}'
)


def sha256(text: str) -> str:
    """A hash that is the same in every run."""
    return hashlib.sha256(text.encode()).hexdigest()


def data_file(name: str, split: Split, size: tuple[int, int] = (256, 256), instances: int = 12) -> DataFile:
    """An image of one channel with its labels."""
    return DataFile(
        name=name,
        split=split,
        image=f"{split}/images/{name}.tif",
        label=f"{split}/masks/{name}.tif",
        shape=[1, *size],
        dtype="uint8",
        instances=instances,
        image_sha256=sha256(f"{name} image file"),
        label_sha256=sha256(f"{name} label file"),
        image_pixels=sha256(f"{name} image"),
        label_pixels=sha256(f"{name} label"),
    )


def stage(names: list[str], center: float, seed: int) -> Stage:
    """Scores around a center, with the summary that follows from them."""
    rng = np.random.default_rng(seed)
    dice = np.clip(rng.normal(center, 0.05, len(names)), 0, 0.995).round(6).tolist()
    scores = [
        ImageScore(
            image=name,
            metrics={
                "dice": value,
                "ap50": round(value - 0.05, 6),
                "ap75": round(value - 0.15, 6),
                "ap90": round(value - 0.4, 6),
                "pq": round(value - 0.12, 6),
            },
            seconds=0.043,
        )
        for name, value in zip(names, dice, strict=True)
    ]
    columns = {key: [score.metrics[key] for score in scores] for key in scores[0].metrics}
    return Stage(
        scores=scores,
        summary={key: Summary.of(values) for key, values in columns.items()},
        worst=[score.image for score in sorted(scores, key=lambda score: score.metrics["dice"])[:5]],
    )


def recipe() -> dict[str, dict[str, Any]]:
    """The recipe of the complete run; a new one for each record, because tests change records."""
    return {
        "model": {
            "repository": "bioimageio",
            "id": "unet2d_nuclei_broad",
            "target": "foreground_boundary",
        },
        "data": {"root": "dsb2018", "labels": "instances"},
        "training": {"epochs": 60, "batch_size": 8, "learning_rate": 0.0003},
    }
