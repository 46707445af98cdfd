from __future__ import annotations

from typing import Any

import examples
import pytest
from example_evidence import inference

from cards import tables
from cards.evidence import InferencePrecision
from cards.precision import precision_problem, precision_sentences
from cards.training import StepTimes


def test_the_card_states_precision_gain_and_what_it_does_to_the_labels() -> None:
    assert precision_sentences(examples.full()) == (
        "bf16 (faster, with the same accuracy). On 5 validation images, bf16 made the network 1.93 times as "
        "fast as float32; 99.98% of the pixels kept their label; mean Dice changed by −0.0001; mean AP50 "
        "changed by +0.0000."
    )


def test_the_card_states_the_step_times_that_selected_the_precision_of_training() -> None:
    record = examples.full()
    assert ["Precision", "bf16-mixed"] in tables.training(record)
    record.training.step_times = StepTimes(float32=0.0193, bf16=0.0173)
    expected = "bf16-mixed, selected by the time of a training step: float32 19.3 ms, bfloat16 17.3 ms"
    assert ["Precision", expected] in tables.training(record)


def test_the_card_of_a_run_without_a_comparison_says_float32() -> None:
    record = examples.full().model_copy(update={"inference": None})
    assert precision_sentences(record) == "float32."
    chosen = InferencePrecision(precision="float32", reason="the device is not fast in bf16")
    record = record.model_copy(update={"inference": chosen})
    assert precision_sentences(record) == "float32 (the device is not fast in bf16)."


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"images": 0}, "no validation images"),
        ({"agreement": 0.98}, "only 98.00% of the pixels keep their label"),
        ({"dice_change": -0.0021}, "mean Dice changes by −0.0021"),
        ({"ap50_change": 0.03}, "mean AP50 changes by +0.0300"),
        ({"gain": 1.05}, "only 1.05 times as fast"),
    ],
)
def test_bf16_needs_a_gain_and_labels_that_stay(change: dict[str, Any], problem: str | None) -> None:
    found = precision_problem(inference().model_copy(update=change))
    if problem is None:
        assert found is None
    else:
        assert problem in str(found)
