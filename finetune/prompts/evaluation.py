"""Evaluation of a promptable model: IoU per kind of prompt, and label images predicted without prompts."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from cards.scores import PromptImage, PromptScore, Summary, csv_text
from finetune.data.reader import Sample
from finetune.evaluation.evaluate import Measured, score
from finetune.prompts.interaction import best, first_boxes, first_points, rounds
from finetune.prompts.loss import iou
from finetune.prompts.model import PROMPT_BATCH_SIZE, PromptedModel
from finetune.utils.memory import PeakMemory

COLUMNS = ("image", "kind", "instances", "before", "after")


@dataclass
class PromptResult:
    """Per-instance results of prompting one image.

    Attributes:
        image: name of the image.
        instances: number of instances in the reference.
        iou: mean IoU over the instances, per kind of prompt.
    """

    image: str
    instances: int
    iou: dict[str, float]


def kinds(corrections: int) -> tuple[str, ...]:
    """The kinds of prompts that are evaluated.

    Args:
        corrections: number of correction points after the first point.

    Returns:
        Their names, as in record and card.
    """
    more = f"point + {corrections} correction{'s' if corrections > 1 else ''}"
    return ("point", more, "box") if corrections else ("point", "box")


def evaluate_prompts(model: PromptedModel, samples: Iterable[Sample]) -> list[PromptResult]:
    """Prompt for every instance of every image; deterministic.

    The point is the innermost pixel of the instance, the box its bounding box, a correction the innermost
    pixel of the largest error.

    Args:
        model: the model to evaluate.
        samples: images with reference labels; images without instances are skipped.

    Returns:
        The results of each image.
    """
    return [_prompt(model, sample) for sample in samples if sample.labels.any()]


@torch.inference_mode()
def _prompt(model: PromptedModel, sample: Sample) -> PromptResult:
    features = model.encode(sample.pixels)
    numbers = np.unique(sample.labels[sample.labels > 0])
    reached: dict[str, list[torch.Tensor]] = {kind: [] for kind in kinds(model.target.corrections)}
    for start in range(0, len(numbers), PROMPT_BATCH_SIZE):
        masks = sample.labels == numbers[start : start + PROMPT_BATCH_SIZE, None, None]
        wanted = torch.from_numpy(masks).to(model.device)
        for kind, prompts, corrections in (
            ("point", first_points(masks), model.target.corrections),
            ("box", first_boxes(masks), 0),
        ):
            answers = rounds(model.network, features, masks, prompts, corrections)
            found = [iou(best(given, logits) > 0, wanted).cpu() for given, logits in answers]
            reached[kind].append(found[0])
            if corrections:
                reached[kinds(corrections)[1]].append(found[-1])
    return PromptResult(
        sample.name, len(numbers), {kind: float(torch.cat(found).mean()) for kind, found in reached.items()}
    )


def prompt_scores(before: list[PromptResult] | None, after: list[PromptResult]) -> list[PromptScore]:
    """Scores for the record, per kind of prompt.

    Args:
        before: results before training; None if not measured.
        after: results after training, of the same images.

    Returns:
        One score per kind of prompt.
    """
    earlier = {result.image: result for result in before or ()}
    scores = []
    for kind in after[0].iou if after else ():
        images = [
            PromptImage(
                image=result.image,
                instances=result.instances,
                before=earlier[result.image].iou[kind] if before else None,
                after=result.iou[kind],
            )
            for result in after
        ]
        ious_before = [image.before for image in images if image.before is not None]
        scores.append(
            PromptScore(
                kind=kind,
                images=images,
                before=Summary.of(ious_before) if ious_before else None,
                after=Summary.of([image.after for image in images]),
            )
        )
    return scores


def evaluate_automatic(model: PromptedModel, samples: Iterable[Sample], images: int) -> Measured | None:
    """Segment images without prompts, and score the label images as for an automatic model.

    Args:
        model: the model to evaluate.
        samples: images with reference labels.
        images: number of images to use, from the first.

    Returns:
        Scores and times, or None without images.
    """
    measured = Measured()
    with PeakMemory(model.device) as memory:
        for number, sample in enumerate(islice(samples, images)):
            if number == 0:
                generator = model.generator()
                generator.predictor.set_image(model.as_photograph(sample.pixels))  # warm-up
            start = time.perf_counter()
            labels = model.label(sample.pixels, generator)
            measured.scores.append(score(model, sample, labels, time.perf_counter() - start))
    measured.peak_bytes = memory.bytes
    return measured if measured.scores else None


def write_prompt_scores(path: Path, scores: list[PromptScore]) -> None:
    """Write `scores.csv` of the interactive task: one row per image and kind of prompt, with the mean IoU.

    Args:
        path: the file.
        scores: one score per kind of prompt.
    """
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, COLUMNS)
        rows.writeheader()
        for scored in scores:
            rows.writerows(
                {"kind": scored.kind, **image.model_dump(), "image": csv_text(image.image)}
                for image in scored.images
            )
