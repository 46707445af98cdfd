"""A promptable model and annotated images -> how well each kind of prompt finds their instances."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from cards.scores import PromptImage, PromptScore
from finetune.data.patches import Sample
from finetune.evaluation.evaluate import Measured, score
from finetune.metrics.summary import spread
from finetune.prompts.interaction import best, first_boxes, first_points, rounds
from finetune.prompts.loss import iou
from finetune.prompts.model import PROMPT_BATCH_SIZE, PromptedModel
from finetune.utils.memory import PeakMemory

COLUMNS = ("image", "kind", "instances", "before", "after")


@dataclass
class PromptResult:
    """What came of asking for every instance of one image.

    Attributes:
        image: its name.
        instances: how many it has.
        iou: the mean over them, a kind of prompt.
    """

    image: str
    instances: int
    iou: dict[str, float]


def kinds(corrections: int) -> tuple[str, ...]:
    """The kinds of prompts that are measured."""
    more = f"point + {corrections} correction{'s' if corrections > 1 else ''}"
    return ("point", more, "box") if corrections else ("point", "box")


def evaluate_prompts(model: PromptedModel, samples: Iterable[Sample]) -> list[PromptResult]:
    """Ask for every instance of every image; without chance, so that twice gives the same.

    The point is the innermost of the instance, the box its exact one, a correction the innermost point of the
    largest error.

    Args:
        model: what to evaluate.
        samples: images with instances; those without any have nothing to ask for, and are left out.
    """
    return [_ask(model, sample) for sample in samples if sample.labels.any()]


@torch.inference_mode()
def _ask(model: PromptedModel, sample: Sample) -> PromptResult:
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
    """For the record, a score a kind of prompt; of the same images before and after, in the same order."""
    earlier = {asked.image: asked for asked in before or ()}
    scores = []
    for kind in after[0].iou if after else ():
        images = [
            PromptImage(
                image=asked.image,
                instances=asked.instances,
                before=earlier[asked.image].iou[kind] if before else None,
                after=asked.iou[kind],
            )
            for asked in after
        ]
        was = [image.before for image in images if image.before is not None]
        scores.append(
            PromptScore(
                kind=kind,
                images=images,
                before=spread(was) if was else None,
                after=spread([image.after for image in images]),
            )
        )
    return scores


def evaluate_automatic(model: PromptedModel, samples: Iterable[Sample], images: int) -> Measured | None:
    """Label the first of the images without prompts, and compare as with any other model.

    Args:
        model: what to evaluate.
        samples: images with instances.
        images: how many of them; None comes of 0.
    """
    measured = Measured()
    with PeakMemory(model.device) as memory:
        for number, sample in enumerate(islice(samples, images)):
            if number == 0:
                generator = model.generator()
                generator.predictor.set_image(model.as_photograph(sample.pixels))  # so that all are warm
            start = time.perf_counter()
            labels = model.label(sample.pixels, generator)
            measured.scores.append(score(model, sample, labels, time.perf_counter() - start))
    measured.peak_bytes = memory.bytes
    return measured if measured.scores else None


def write_prompt_scores(path: Path, scores: list[PromptScore]) -> None:
    """Write `scores.csv` of a run with prompts: a row an image and kind of prompt, with its mean IoU."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, COLUMNS)
        rows.writeheader()
        for scored in scores:
            rows.writerows({"kind": scored.kind, **image.model_dump()} for image in scored.images)
