"""Choice of the precision of inference: bfloat16 if it is faster and the labels stay those of float32.

Both precisions predict the validation images, never the test images.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal

import numpy as np

from cards.evidence import InferencePrecision
from cards.precision import BY_RECIPE, precision_problem
from finetune.data.reader import Sample
from finetune.evaluation.evaluate import score
from finetune.inference.model import Model, Precision
from finetune.inference.tile_mismatch import count_mismatches
from finetune.utils.bfloat16 import is_fast_in_bf16


def choose_precision(
    model: Model, asked: Literal["auto", "float32", "bf16"], samples: Iterable[Sample]
) -> InferencePrecision:
    """Choose the precision in which a trained model predicts.

    Args:
        model: the model, with the options of its target selected.
        asked: `compute.inference` of the recipe.
        samples: validation images; they are read only if bfloat16 is possible.

    Returns:
        With `auto`, bf16 if the device is fast in it, and the network is faster and gives the same labels,
        within the bounds of `cards.precision`. What was measured is part of it in each case.
    """
    if asked == "float32":
        return InferencePrecision(precision="float32", reason=BY_RECIPE)
    if model.torchscript:
        return InferencePrecision(precision="float32", reason="TorchScript runs in float32")
    if asked == "auto" and not is_fast_in_bf16(model.device):
        return InferencePrecision(precision="float32", reason="the device is not fast in bf16")
    compared = compare_precisions(model, samples)
    if asked == "bf16":
        return compared.model_copy(update={"precision": "bf16", "reason": BY_RECIPE})
    if problem := precision_problem(compared):
        return compared.model_copy(update={"reason": problem})
    return compared.model_copy(update={"precision": "bf16", "reason": "faster, with the same accuracy"})


def compare_precisions(model: Model, samples: Iterable[Sample]) -> InferencePrecision:
    """Predict images in float32 and in bfloat16, one after the other, and compare time and labels.

    Args:
        model: the model; its precision is float32 afterwards.
        samples: images with reference labels.

    Returns:
        The measurements, without a choice.
    """
    gains: list[float] = []
    changes: dict[str, list[float]] = {"dice": [], "ap50": []}
    different = pixels = 0
    for index, sample in enumerate(samples):
        if index == 0:  # warm-up
            _predict(model, "bf16", sample), _predict(model, "float32", sample)
        (whole, whole_time), (half, half_time) = (
            _predict(model, precision, sample) for precision in ("float32", "bf16")
        )
        gains.append(whole_time / half_time)
        different += count_mismatches(half, whole)
        pixels += whole.size
        before, after = (score(model, sample, labels, 0.0).metrics for labels in (whole, half))
        for name, values in changes.items():
            values.append(after[name] - before[name])
    model.precision = "float32"
    if not gains:
        return InferencePrecision(precision="float32", reason="")
    return InferencePrecision(
        precision="float32",
        reason="",
        images=len(gains),
        gain=float(np.median(gains)),
        agreement=1 - different / pixels,
        dice_change=float(np.mean(changes["dice"])),
        ap50_change=float(np.mean(changes["ap50"])),
    )


def _predict(model: Model, precision: Precision, sample: Sample) -> tuple[np.ndarray, float]:
    """Labels of an image, and the time of the network in s."""
    model.precision = precision
    image = model.prepare(sample.pixels)
    start = time.perf_counter()
    maps = model.predict_maps(image)
    seconds = time.perf_counter() - start
    return model.target.decode(maps), seconds
