"""Every artifact of a run with prompts loaded again, as its reader would, and asked for masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from cards.record import ExportCheck
from finetune.data.patches import Sample
from finetune.export.verification import compare
from finetune.loading import load_model
from finetune.metrics.dice import dice
from finetune.prompts.interaction import first_boxes, masks_of
from finetune.prompts.model import PROMPT_BATCH_SIZE, PromptedModel
from finetune.repositories.registry import promptable
from finetune.weights.checkpoint import WEIGHTS

Answers = Callable[[np.ndarray, np.ndarray], np.ndarray]


def check_prompts(run: Path, model: PromptedModel, samples: Iterable[Sample]) -> list[ExportCheck]:
    """Load each artifact of a run and compare what it answers to boxes with the trained model's answers.

    Dice is that of each mask with the instance of which it was told the box, the mean over instances. The
    tolerance is that of `finetune.export.verification.check_exports`.

    Args:
        run: the run folder, with `huggingface/` and `native/`.
        model: as it was trained.
        samples: test images, all their channels, with instances. They are kept in memory.

    Returns:
        A check for each artifact, whether it is equal or not; none if there are no images.

    Raises:
        ModelError: if an artifact cannot be loaded.
    """
    samples = list(samples)
    if not samples:
        return []
    expected = _scores(samples, lambda pixels, boxes: model.masks(pixels, boxes=boxes))
    loaded = load_model(run)
    assert isinstance(loaded, PromptedModel)
    got = _scores(samples, lambda pixels, boxes: loaded.masks(pixels, boxes=boxes))
    checks = [compare(f"huggingface/{WEIGHTS}", "safetensors", "finetune", expected, got)]
    native = promptable(model.architecture.repository).NATIVE
    for path in sorted((run / "native").glob(native.weights)):
        got = _scores(samples, _native(path, model))
        checks.append(compare(f"native/{path.name}", native.format, native.package, expected, got))
    return checks


def _native(path: Path, model: PromptedModel) -> Answers:
    """The repository's own code with the file that was written for it."""
    predictor = promptable(model.architecture.repository).predictor(path, model.architecture)

    def answer(pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        predictor.set_image(model.as_photograph(pixels))
        parts = [
            boxes[start : start + PROMPT_BATCH_SIZE] for start in range(0, len(boxes), PROMPT_BATCH_SIZE)
        ]
        found = [predictor.predict(box=part, multimask_output=False)[0] for part in parts]
        return np.concatenate([masks.reshape(-1, *pixels.shape[1:]) > 0 for masks in found])

    return answer


def _scores(samples: list[Sample], answers: Answers) -> np.ndarray:
    return np.array([_score(sample, answers) for sample in samples])


def _score(sample: Sample, answers: Answers) -> float:
    if not sample.labels.any():
        return 1.0  # nothing to ask for: as two empty images
    instances = masks_of(sample.labels)
    found = answers(sample.pixels, first_boxes(instances)[..., :2].reshape(-1, 4))
    return float(np.mean([dice(*pair) for pair in zip(found, instances, strict=True)]))
