"""What a card says about test images that are related to training images."""

from __future__ import annotations

import re

import examples
import numpy as np
import pytest
from example_parts import data_file
from huggingface_hub import ModelCard

from cards import huggingface
from cards.evidence import Leakage, Relation, Selection
from cards.limitations import limitations


def related(record, kinds, split="test"):
    """The record, in which the first images of a split have relations of the given kinds."""
    names = [file.name for file in record.data.files if file.split == split]
    record.leakage = Leakage(
        method="Hashes.",
        relations=[
            Relation(image=name, split=split, related_to="train_00", kind=kind, evidence="seen")
            for name, kind in zip(names, kinds, strict=False)
        ],
    )
    return record


def bullet(text, label):
    return re.search(rf"^- \*\*{label}:\*\* (.*)$", text, re.MULTILINE)[1]


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ([], "No relation between the 20 test images and the training images was found."),
        (["same field"], "1 of the 20 test images is adjacent to a training image."),
        (["same field"] * 3, "3 of the 20 test images are adjacent to a training image."),
        (["near"] * 20, "All 20 test images are altered copies of a training image."),
        (["exact"] * 2, "2 of the 20 test images are identical to a training image."),
        (
            ["same field", "exact", "exact", "crop"],
            "4 of the 20 test images are related to a training image: 1 is adjacent to one, 2 are identical "
            "to one and 1 is part of, or contains, one.",
        ),
    ],
)
def test_one_sentence_states_how_many_test_images_are_related_and_how(full, kinds, sentence):
    text = huggingface.render_body(related(full, kinds))
    assert bullet(text, "Test images") == sentence


def test_accuracy_on_unrelated_images_stands_beside_that_on_all(full):
    scores = [score.metrics["dice"] for score in full.accuracy.after.scores]
    text = huggingface.render_body(related(full, ["same field"] * 5))
    rest = f"{np.mean(scores[5:]):.4f} ± {np.std(scores[5:]):.4f}"
    part = f"{np.mean(scores[:5]):.4f} ± {np.std(scores[:5]):.4f}"
    everything = f"{np.mean(scores):.4f} ± {np.std(scores):.4f}"
    assert "| Before | After | After, 15 unrelated images |" in text
    assert re.search(rf"\| Dice \| [\d. ±]+ \| {everything} \| {rest} \|", text)
    assert "| Mean ± SD after training | All 20 images | 5 related | 15 unrelated |" in text
    assert f"| Dice | {everything} | {part} | {rest} |" in text


def test_the_hub_shows_the_unrelated_images_as_a_subset_of_the_data_set(full):
    scores = [score.metrics["dice"] for score in full.accuracy.after.scores]
    card = ModelCard(huggingface.render(related(full, ["same field"] * 5)))
    subset = {
        result.metric_type: result for result in card.data.eval_results if result.dataset_config is not None
    }
    assert subset["dice"].metric_value == pytest.approx(np.mean(scores[5:]), abs=5e-5)
    assert subset["dice_std"].metric_value == pytest.approx(np.std(scores[5:]), abs=5e-5)
    assert subset["dice"].dataset_name == "dsb2018, 15 test images unrelated to training images"
    assert len(subset) == 6


@pytest.mark.parametrize("kinds", [[], ["same field"] * 20])
def test_without_both_groups_there_is_one_column_and_one_data_set(full, kinds):
    record = related(full, kinds)
    assert "unrelated images |" not in huggingface.render_body(record)
    assert {result.dataset_config for result in huggingface.evaluation(record)} == {None}


def test_if_every_test_image_is_related_accuracy_on_others_is_not_measured(full):
    record = related(full, ["same field"] * 20)
    text = huggingface.render_body(record)
    assert (
        "Accuracy on unrelated images: not measured, because every test image is related to a training image."
        in text
    )
    assert "Accuracy on unrelated images was not measured." in limitations(record)[0]


def test_if_no_relation_was_found_nothing_else_is_claimed(full):
    record = related(full, [])
    assert "was found. The accuracy above includes all of them." in huggingface.render_body(record)
    assert not any("related" in limit for limit in limitations(record))


def test_images_that_were_not_compared_are_said_to_be_so(full):
    full.leakage = None
    text = huggingface.render_body(full)
    assert bullet(text, "Test images") == (
        "Whether the test images are related to training images was not measured."
    )
    assert "because the test images were not compared with the training images" in text
    assert "| Relation of the test to the training images | not measured |" in text


def test_relations_of_images_that_are_not_in_the_split_do_not_count(full):
    record = related(full, ["same field"])
    stray = record.leakage.relations[0].model_copy(update={"image": "unknown"})
    record.leakage.relations.append(stray)
    text = huggingface.render_body(record)
    assert bullet(text, "Test images").startswith("1 of the 20 test images is adjacent")
    assert "`unknown`" not in text


def test_related_images_are_listed_with_partner_and_evidence(full):
    text = huggingface.render_body(full)
    assert "| `nucleus_07` | test | `train_03` | altered copy | rotated by 90°, correlation 0.999 |" in text
    assert "| `validation_01` | validation | `train_01` | adjacent |" in text
    assert (
        bullet(text, "Validation images") == "2 of the 5 validation images are adjacent to a training image."
    )


def test_a_long_list_of_related_images_ends_with_the_number_of_the_others(full):
    files = [data_file(f"t{number}", "test") for number in range(150)]
    full.data.files = files
    text = huggingface.render_body(related(full, ["same field"] * 150))
    rows = [line for line in text.splitlines() if line.startswith("| `t") and "| adjacent |" in line]
    assert len(rows) == 100
    assert "| and 50 more in record.json |" in text


@pytest.mark.parametrize(
    ("exposure", "sentence", "limit"),
    [
        ("seen", "The base model was trained on the test images (source: its paper).", True),
        ("selected on", "The base model was selected by its score on the test images", True),
        ("not seen", "The base model was trained without the test images (source: its paper).", False),
        ("unknown", "Whether the base model was trained on the test images is unknown", False),
    ],
)
def test_exposure_of_the_base_model_is_stated_with_its_source(full, exposure, sentence, limit):
    full.leakage.base_model_exposure = exposure
    full.leakage.exposure_source = "its paper"
    assert sentence in huggingface.render_body(full)
    assert any(sentence in each for each in limitations(full)) == limit


def test_a_network_trained_from_scratch_has_no_exposure(full):
    full.model.base.weights = "random"
    assert "- **Base model:**" not in huggingface.render_body(full)


def test_the_split_that_selected_epoch_and_thresholds_is_named(full):
    assert "- **Selection:** Epoch 32 and threshold 0.5 were selected by Dice on 5 validation images." in (
        huggingface.render_body(full)
    )


def test_a_selection_on_the_test_images_is_the_first_limitation_and_at_the_top_of_the_card(full):
    full.training.selections[0] = Selection(what="epoch", value="32", metric="Dice", split="test", images=20)
    text = huggingface.render_body(full)
    assert limitations(full)[0] == (
        "The epoch was selected by its Dice on the test images, on which accuracy is reported: the reported "
        "accuracy is too optimistic."
    )
    assert "**Selected on test images:** epoch 32, by Dice." in text.split("## Model details")[0]
    assert "Epoch 32 was selected by Dice on 20 test images." in text


def test_iou_with_prompts_is_divided_in_the_same_way():
    record = examples.prompted()
    record.data.files = [data_file(f"test_{number}", "test") for number in range(2)]
    text = huggingface.render_body(related(record, ["near"]))
    assert "| point | 0.5000 ± 0.2500 | 0.7500 ± 0.2500 | 1.0000 |" in text
    assert "| IoU, point | 0.7500 ± 0.2500 | 0.5000 | 1.0000 |" in text


def test_the_warning_of_the_run_about_related_images_does_not_repeat_the_limitation(full):
    from finetune.data.relations import leakage_warnings

    found = leakage_warnings(full.leakage, {"test": 20, "validation": 5})
    assert len(found) == 2
    full.warnings += found
    limits = limitations(full)
    assert sum("test images" in limit for limit in limits) == 1
    assert "The validation Dice of the last 8 epochs did not rise." in limits
