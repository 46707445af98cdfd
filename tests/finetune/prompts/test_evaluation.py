"""Evaluation of promptable models, with networks whose predictions are known."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from squares import Squares

from cards.errors import InputError
from finetune.data.normalization import build_normalize
from finetune.data.reader import Sample
from finetune.prompts.evaluation import evaluate_prompts, kinds, prompt_scores, write_prompt_scores
from finetune.prompts.model import PromptedModel
from finetune.targets.prompt_options import Prompts


def model(corrections: int = 2) -> PromptedModel:
    normalize = build_normalize({"name": "percentile", "low": 1.0, "high": 99.8})
    return PromptedModel(Squares(), Prompts(corrections=corrections), normalize, "auto", 1, 32, {})


def sample(*instances: tuple[slice, slice], shape: tuple[int, int] = (64, 128), name: str = "a") -> Sample:
    labels = np.zeros(shape, np.int32)
    for number, instance in enumerate(instances, start=1):
        labels[instance] = 10 * number
    return Sample(name, np.random.default_rng(0).random((1, *shape)), labels)


def test_prompts_go_in_where_the_instance_is_in_the_square_that_the_network_sees() -> None:
    asked = model(corrections=0)
    evaluate_prompts(asked, [sample((slice(10, 31), slice(80, 121)))])  # rows 10..30, columns 80..120
    (points, labels, prev_logits, multimask_output), (corners, signs, _, one) = asked.network.asked
    assert labels.tolist() == [[1]] and prev_logits is None and multimask_output
    x, y = points[0, 0].tolist()
    assert y == 20 and 45 <= x <= 55  # the image is 128 wide, the square 64
    assert corners.tolist() == [[[40, 10], [60, 30]]] and signs.tolist() == [[2, 3]] and not one


def test_a_kind_of_prompt_is_as_good_as_its_answers() -> None:
    long = (
        slice(16, 48),
        slice(16, 112),
    )  # 32 × 96 px: the point gives the middle two thirds
    (asked,) = evaluate_prompts(model(), [sample(long)])
    assert list(asked.iou) == ["point", "point + 2 corrections", "box"]
    assert asked.iou["box"] > 0.9
    assert asked.iou["point"] < 0.75
    assert asked.iou["point + 2 corrections"] > asked.iou["point"] + 0.2
    assert asked.instances == 1


def test_corrections_come_with_all_points_before_them_and_the_last_answer() -> None:
    asked = model()
    evaluate_prompts(asked, [sample((slice(16, 48), slice(8, 120)))])
    first, second, third, _ = asked.network.asked
    assert [entry[1].shape[1] for entry in (first, second, third)] == [1, 2, 3]
    assert torch.equal(third[0][:, :2], second[0]) and torch.equal(second[0][:, :1], first[0])
    assert second[2].shape == (1, 1, 16, 16)
    assert second[2].abs().max() == 32  # of ± 40, as SAM2ImagePredictor gives logits back
    assert [entry[3] for entry in (first, second, third)] == [True, False, False]


def test_an_image_counts_once_however_many_instances_it_has() -> None:
    many = [(slice(y, y + 8), slice(x, x + 16)) for y in (0, 16, 32, 48) for x in range(0, 128, 32)]
    few = sample((slice(0, 64), slice(0, 128)), name="few")
    asked = evaluate_prompts(model(0), [sample(*many, name="many"), few])
    assert [one.instances for one in asked] == [16, 1]
    (point, box) = prompt_scores(None, asked)
    assert box.after.mean == pytest.approx(np.mean([one.iou["box"] for one in asked]))
    assert point.after.std == pytest.approx(np.std([one.iou["point"] for one in asked]))
    assert point.before is None and point.images[0].before is None


def test_images_without_instances_have_nothing_to_ask_for() -> None:
    assert evaluate_prompts(model(), [sample()]) == []
    assert prompt_scores(None, []) == []


def test_before_and_after_stand_in_the_table(tmp_path: Path) -> None:
    samples = [sample((slice(16, 48), slice(16, 112)))]
    before, after = evaluate_prompts(model(1), samples), evaluate_prompts(model(1), samples)
    scores = prompt_scores(before, after)
    assert [score.kind for score in scores] == list(kinds(1)) == ["point", "point + 1 correction", "box"]
    assert all(score.before == score.after for score in scores)  # without chance: twice is the same
    write_prompt_scores(tmp_path / "scores.csv", scores)
    with (tmp_path / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["kind"] for row in rows] == [score.kind for score in scores]
    assert float(rows[2]["after"]) == scores[2].after.mean


def test_masks_for_points_and_boxes_of_ones_own() -> None:
    image = np.random.default_rng(0).random((64, 128))
    masks = model().masks(image, boxes=[(80, 10, 120, 30), (0, 0, 127, 63)])
    assert masks.shape == (2, 64, 128) and masks.dtype == bool
    assert masks[0, 20, 100] and not masks[0, 20, 20] and masks[1].mean() > 0.9
    assert model().masks(image, points=[(100, 30)])[0, 30, 100]
    assert model().masks(image, points=np.zeros((0, 2))).shape == (0, 64, 128)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ({}, "expected either points or boxes"),
        ({"points": [(1, 2)], "boxes": [(1, 2, 3, 4)]}, "expected either points or boxes"),
        ({"points": (1, 2)}, r"points \(x, y\) must have the shape \(number, 2\), got \(2,\)"),
        ({"boxes": [(1, 2)]}, r"boxes \(x, y, x, y\) must have the shape \(number, 4\), got \(1, 2\)"),
    ],
)
def test_prompts_that_are_none(prompts: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model().masks(np.zeros((64, 64)), **prompts)


def test_an_image_of_other_channels_is_refused() -> None:
    with pytest.raises(InputError, match="the image has 3 channels; this model takes 1"):
        model().masks(np.zeros((3, 64, 64)), points=[(1, 2)])


def test_a_mask_that_smaller_masks_cover_leaves_no_gap_in_the_numbers() -> None:
    rows = np.arange(8)[:, None]
    masks = [np.broadcast_to(inside, (8, 8)) for inside in (rows < 8, rows < 5, rows >= 3)]
    generator = SimpleNamespace(
        generate=lambda image: [{"segmentation": mask, "area": int(mask.sum())} for mask in masks]
    )
    labels = model().label(np.zeros((1, 8, 8), np.uint8), generator)
    assert sorted(np.unique(labels)) == [1, 2]
