"""A model and annotated images -> scores an image, and the time it takes."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from cards.scores import ImageScore, Stage, Timing
from finetune.data.datamodule import Sample
from finetune.data.labels import convert
from finetune.inference.model import Model
from finetune.metrics.registry import METRICS, compute_metrics
from finetune.utils.memory import PeakMemory

if TYPE_CHECKING:
    from finetune.prompts.model import PromptedModel


@dataclass
class Measured:
    """What evaluating a model gave.

    Attributes:
        scores: one an image.
        network_seconds: an image, from pixels in memory to maps.
        decoding_seconds: an image, from maps to labels.
        peak_bytes: highest memory in use meanwhile; None where it cannot be measured.
    """

    scores: list[ImageScore] = field(default_factory=list)
    network_seconds: list[float] = field(default_factory=list)
    decoding_seconds: list[float] = field(default_factory=list)
    peak_bytes: int | None = None


def evaluate(model: Model, samples: Iterable[Sample]) -> Measured:
    """Label every image and compare with its reference; one image in memory at a time.

    Args:
        model: what to evaluate.
        samples: images with reference labels of the kind the model's target learns.

    Returns:
        Scores and times. The first image is labeled once more beforehand, so that all are warm.
    """
    measured = Measured()
    with PeakMemory(model.device) as memory:
        for index, sample in enumerate(samples):
            if index == 0:
                model.target.decode(model.predict_maps(model.prepare(sample.pixels)))
            start = time.perf_counter()
            maps = model.predict_maps(model.prepare(sample.pixels))
            middle = time.perf_counter()
            labels = model.target.decode(maps)
            end = time.perf_counter()
            measured.network_seconds.append(middle - start)
            measured.decoding_seconds.append(end - middle)
            measured.scores.append(score(model, sample, labels, end - start))
    measured.peak_bytes = memory.bytes
    return measured


def score(model: Model | PromptedModel, sample: Sample, labels: np.ndarray, seconds: float) -> ImageScore:
    """Compare labels (H, W) with the reference: Dice on the foreground, AP and PQ on instances.

    Where the target is a boundary, Dice is taken on the boundary and AP and PQ on what it encloses.
    """
    label_kind = model.target.labels
    instances = (convert(labels, label_kind, "instances"), convert(sample.labels, label_kind, "instances"))
    metrics = compute_metrics(labels, sample.labels, instances)
    return ImageScore(image=sample.name, metrics=metrics, seconds=seconds)


def timing(measured: Measured, device: str) -> Timing:
    """Time per image: median and 95th percentile over the images."""
    seconds = [score.seconds for score in measured.scores]
    return Timing(
        images=len(seconds),
        median_seconds=float(np.median(seconds)),
        p95_seconds=float(np.percentile(seconds, 95)),
        network_seconds=_median(measured.network_seconds),
        decoding_seconds=_median(measured.decoding_seconds),
        device=device,
        threads=torch.get_num_threads(),
        peak_memory_inference_bytes=measured.peak_bytes,
    )


def _median(seconds: list[float]) -> float | None:
    """None where the two were not told apart."""
    return float(np.median(seconds)) if seconds else None


def write_scores(path: Path, stages: dict[str, Stage | None]) -> None:
    """Write `scores.csv`: a row an image and stage ("before", "after")."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, ["image", "stage", *METRICS, "seconds"])
        rows.writeheader()
        for name, stage in stages.items():
            for scored in stage.scores if stage else []:
                row = {"image": scored.image, "stage": name, **scored.metrics, "seconds": scored.seconds}
                rows.writerow(row)
