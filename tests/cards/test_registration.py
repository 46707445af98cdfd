"""What a card says about a target value that was stated before training."""

from __future__ import annotations

import pytest

from cards import huggingface
from cards.registration import outcome


def test_the_card_states_the_target_its_date_and_that_it_was_met(full):
    text = huggingface.render_body(full)
    assert (
        "- **Target:** mean Dice ≥ 0.92 on the test images, registered on 2026-03-14 08:40 UTC, before "
        "training. Result: 0.9263, target met." in text.split("## Model details")[0]
    )


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (0.93, "0.9263, target not met"),
        (0.92626546, "0.92626545, target not met"),
        (0.92626544, "0.92626545, target met"),
    ],
)
def test_the_verdict_never_contradicts_the_figure_shown(full, value, result):
    full.registration.value = value
    assert outcome(full).result == result


def test_for_a_metric_of_which_less_is_better_the_target_is_an_upper_bound(full):
    full.metrics[0].higher_is_better = False
    assert outcome(full).target == "mean Dice ≤ 0.92 on the test images"
    assert outcome(full).result.endswith("target not met")


@pytest.mark.parametrize(
    "registered", ["2026-03-14T09:20:00+00:00", "2026-03-14T10:40:00+01:00", "2026-03-14T09:20:00", "soon"]
)
def test_a_target_that_did_not_come_first_is_not_valid(full, registered):
    full.registration.registered = registered
    text = huggingface.render_body(full)
    assert "- **Target not valid:** The registration is not older than the training." in text
    assert "before training. Result" not in text


def test_a_target_for_other_test_images_is_not_valid(full):
    full.data.files.pop()
    assert "The test images are not those of the registration." in huggingface.render_body(full)


def test_a_target_without_a_result_is_not_measured(full):
    full.accuracy = None
    assert outcome(full).result == "not measured"
    assert outcome(full).objections == ()


def test_without_a_target_the_card_says_so(sparse):
    text = huggingface.render_body(sparse)
    assert "Target:" not in text
    assert "| Pre-registered target value | not stated | `finetune run --register` |" in text
