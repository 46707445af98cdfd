"""The precision of inference is chosen by what it does to time and labels on the validation images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cards.base import NetworkSpec
from finetune.data.normalization import build_normalize
from finetune.data.reader import Sample
from finetune.evaluation.precision import choose_precision, compare_precisions
from finetune.inference.model import Model
from finetune.targets.registry import build_target
from finetune.utils.bfloat16 import is_fast_in_bf16


class Bright(nn.Module):
    """Foreground is what is brighter than a level; an offset within makes the result inexact in bfloat16."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.add, self.subtract = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
        with torch.no_grad():
            for layer, bias in ((self.add, offset), (self.subtract, -offset - 0.5)):
                layer.weight.fill_(1)
                layer.bias.fill_(bias)  # type: ignore[union-attr]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, H, W) to logits of the same shape."""
        return self.subtract(self.add(images))


def model_of(offset: float = 0.0) -> Model:
    return Model(
        Bright(offset).eval(),
        build_target("foreground"),
        build_normalize({"name": "scale_linear"}),
        "auto",
        1,
        1,
        NetworkSpec(repository="test", name="bright"),
    )


def samples(count: int = 2) -> list[Sample]:
    """Squares of an intensity of 0.8 on 0.2, as the labels show them."""
    labels = np.zeros((64, 64), np.int32)
    labels[8:24, 8:24], labels[36:56, 30:52] = 1, 2
    image = np.where(labels > 0, 0.8, 0.2).astype(np.float32)[None]
    return [Sample(f"squares{number}", image, labels) for number in range(count)]


def test_labels_that_stay_are_measured_on_every_validation_image() -> None:
    found = compare_precisions(model_of(), samples())
    assert (found.images, found.agreement, found.dice_change, found.ap50_change) == (2, 1, 0, 0)
    assert found.gain is not None and found.gain > 0


def test_a_network_that_bf16_cannot_represent_keeps_float32() -> None:
    model = model_of(offset=1000.0)  # in bfloat16, 1000.2 and 1000.8 are 1000
    found = compare_precisions(model, samples())
    assert found.agreement is not None and found.agreement < 0.9
    assert found.dice_change is not None and found.dice_change < -0.5
    assert model.precision == "float32"
    chosen = choose_precision(model, "auto", samples())
    assert chosen.precision == "float32"
    reason = "keep their label" if is_fast_in_bf16(model.device) else "the device is not fast in bf16"
    assert reason in chosen.reason


def test_a_precision_that_the_recipe_sets_is_used_whatever_the_labels() -> None:
    assert choose_precision(model_of(1000.0), "bf16", samples()).precision == "bf16"
    chosen = choose_precision(model_of(), "float32", samples())
    assert (chosen.precision, chosen.images, chosen.gain) == ("float32", 0, None)


def test_without_validation_images_nothing_shows_that_labels_stay() -> None:
    if not is_fast_in_bf16(torch.device("cpu")):
        pytest.skip("the processor has no bfloat16")
    chosen = choose_precision(model_of(), "auto", [])
    assert chosen.precision == "float32"
    assert "no validation images" in chosen.reason
