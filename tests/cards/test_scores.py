"""Scores: text in CSV files is text, and the score of one image has no standard deviation."""

from __future__ import annotations

import examples
import pytest

from cards import huggingface
from cards.bioimageio_config import config_values
from cards.provenance.mlbom import ml_bom
from cards.scores import csv_text


@pytest.mark.parametrize(
    "text", ["=cmd()|'/c'!A0.png", "+1.tif", "-1.tif", "@SUM(A1).tif", "\t=1", " =1", "＝1"]
)
def test_text_that_begins_like_a_formula_is_neutralized(text: str) -> None:
    assert csv_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a.tif", "well A1=3.tif", "'quoted'.tif", "", "ä" * 300])
def test_other_text_is_unchanged(text: str) -> None:
    assert csv_text(text) == text


def test_one_image_has_no_standard_deviation() -> None:
    record = examples.full(test_images=1)
    assert record.accuracy is not None
    assert "std" not in record.accuracy.model_dump()["after"]["summary"]["dice"]
    body = huggingface.render_body(record)
    assert "±" not in body
    assert "Accuracy on 1 test image." in body
    assert f"On 1 test image, the model reached Dice {record.accuracy.after.summary['dice'].mean:.4f}" in body
    assert "how much Dice varies between images is unknown" in body
    for text in (huggingface.render(record), ml_bom(record), str(config_values(record))):
        assert "standard deviation" not in text
