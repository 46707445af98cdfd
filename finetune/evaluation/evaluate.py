"""Evaluation of a model on images with reference labels: metrics and time per image."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from cards.scores import ImageScore, Stage, Timing, csv_text
from finetune.data.labels import convert
from finetune.data.reader import Sample
from finetune.evaluation.plausibility import ImageCounts, compare_counts
from finetune.inference.model import Model
from finetune.metrics.registry import METRICS, compute_metrics
from finetune.utils.memory import PeakMemory

if TYPE_CHECKING:
    from finetune.prompts.model import PromptedModel


@dataclass
class Measured:
    """Measurements of one evaluation.

    Attributes:
        scores: metrics and time, one entry for each image.
        network_seconds: time from pixels in memory to maps in s, for each image.
        decoding_seconds: time from maps to the label image in s, for each image.
        counts: predicted and reference instances, for each image.
        peak_bytes: peak memory in bytes; None if it cannot be measured.
    """

    scores: list[ImageScore] = field(default_factory=list)
    network_seconds: list[float] = field(default_factory=list)
    decoding_seconds: list[float] = field(default_factory=list)
    counts: list[ImageCounts] = field(default_factory=list)
    peak_bytes: int | None = None


def evaluate(
    model: Model, samples: Iterable[Sample], keep: Callable[[Sample, np.ndarray], None] | None = None
) -> Measured:
    """Segment each image and compare it with its reference. One image is in memory at a time.

    Args:
        model: the model to evaluate.
        samples: images with reference labels of the type that the target of the model encodes.
        keep: called with each image and its predicted labels (H, W).

    Returns:
        Metrics and times. The first image is segmented once before timing starts (warm-up).
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
            measured.counts.append(compare_counts(labels, sample, model.target))
            if keep is not None:
                keep(sample, labels)
    measured.peak_bytes = memory.bytes
    return measured


def score(model: Model | PromptedModel, sample: Sample, labels: np.ndarray, seconds: float) -> ImageScore:
    """Compute all metrics of one image.

    For a boundary target, metrics on pixels compare boundaries, and metrics on instances compare the enclosed
    regions.

    Args:
        model: the model, whose target states the type of the labels.
        sample: image with reference labels (H, W).
        labels: predicted label image (H, W) integer, 0 is background.
        seconds: time per image in s.

    Returns:
        Metrics by name, with the time.
    """
    label_kind = model.target.labels
    instances = (convert(labels, label_kind, "instances"), convert(sample.labels, label_kind, "instances"))
    metrics = compute_metrics(labels, sample.labels, instances)
    return ImageScore(image=sample.name, metrics=metrics, seconds=seconds)


def timing(measured: Measured, device: str) -> Timing:
    """Summarize time per image: median and 95th percentile over the images.

    Args:
        measured: an evaluation of at least one image.
        device: name of the hardware.

    Returns:
        The timing for the record.
    """
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
    """Median; None without separate times."""
    return float(np.median(seconds)) if seconds else None


def write_scores(path: Path, stages: dict[str, Stage | None]) -> None:
    """Write `scores.csv`, one row for each image and stage.

    Args:
        path: output file.
        stages: "before" and "after"; None for a stage that was not measured.
    """
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, ["image", "stage", *METRICS, "seconds"])
        rows.writeheader()
        for name, stage in stages.items():
            for scored in stage.scores if stage else []:
                row = {
                    "image": csv_text(scored.image),
                    "stage": name,
                    **scored.metrics,
                    "seconds": scored.seconds,
                }
                rows.writerow(row)
