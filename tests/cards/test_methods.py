"""The paragraph for a methods section."""

from __future__ import annotations

import re

import examples

from cards import huggingface
from cards.methods import methods


def test_it_states_model_data_training_selection_accuracy_and_software(full):
    text = methods(full)
    for part in (
        "unet2d_nuclei_broad (bioimageio, revision 0.5.0)",
        "40 training images, 5 validation images and 20 test images",
        "10 % of train for validation, seed 0",
        "40 epochs of 60, stopped early, with AdamW",
        "Epoch 32 and threshold 0.5 were selected by Dice on 5 validation images.",
        "On 20 test images, the model reached Dice 0.9263 ± 0.0417",
        "on the 14 of them unrelated to training images, Dice 0.9286 ± 0.0307",
        "finetune 0.1.0, PyTorch 2.15.0, PyTorch Lightning 2.6.0, Python 3.11.9",
    ):
        assert part in text, part
    assert "\n" not in text


def test_nothing_is_claimed_that_was_not_measured(sparse):
    text = methods(sparse)
    assert "Accuracy was not measured." in text
    assert "test image" not in text
    assert not re.search(r"None|nan|  |\(\)", text)


def test_an_interactive_model_is_described_by_its_iou_for_each_prompt():
    text = methods(examples.prompted())
    assert "segmented interactively" in text
    assert "IoU with point 0.7500 ± 0.2500 and IoU with box 0.7500 ± 0.2500" in text


def test_it_is_on_the_card(full):
    assert "> Instances were segmented with unet (bioimageio), fine-tuned from" in huggingface.render_body(
        full
    )
