"""Verification of a promptable model's exports: each is reloaded by its own tool and prompted with boxes."""

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

PredictMasks = Callable[[np.ndarray, np.ndarray], np.ndarray]


def check_prompts(run: Path, model: PromptedModel, samples: Iterable[Sample]) -> list[ExportCheck]:
    """Reload each exported file and compare its masks with the trained model's.

    Dice compares each mask with the instance whose bounding box was the prompt, and is averaged over
    instances. The tolerance is that of `finetune.export.verification.check_exports`.

    Args:
        run: the run folder, with `huggingface/` and `native/`.
        model: the trained model.
        samples: test images with all channels and reference labels. They are kept in memory.

    Returns:
        One check per exported file, equal or not; none without images.

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


def _native(path: Path, model: PromptedModel) -> PredictMasks:
    """Masks by the repository's own code, from the file in its own format."""
    predictor = promptable(model.architecture.repository).predictor(path, model.architecture)

    def predict(pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        predictor.set_image(model.as_photograph(pixels))
        parts = [
            boxes[start : start + PROMPT_BATCH_SIZE] for start in range(0, len(boxes), PROMPT_BATCH_SIZE)
        ]
        found = [predictor.predict(box=part, multimask_output=False)[0] for part in parts]
        return np.concatenate([masks.reshape(-1, *pixels.shape[1:]) > 0 for masks in found])

    return predict


def _scores(samples: list[Sample], predict_masks: PredictMasks) -> np.ndarray:
    return np.array([_score(sample, predict_masks) for sample in samples])


def _score(sample: Sample, predict_masks: PredictMasks) -> float:
    if not sample.labels.any():
        return 1.0  # as for two empty images
    instances = masks_of(sample.labels)
    found = predict_masks(sample.pixels, first_boxes(instances)[..., :2].reshape(-1, 4))
    return float(np.mean([dice(*pair) for pair in zip(found, instances, strict=True)]))
