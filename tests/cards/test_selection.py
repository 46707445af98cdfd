"""Selections in words."""

from __future__ import annotations

from examples import full

from cards.evidence import Selection
from cards.selection import selection_sentences


def test_names_of_options_become_words() -> None:
    record = full()
    thresholds = {"nms_threshold": "0.4", "prob_threshold": "0.5", "cellprob_threshold": "0.2"}
    record.training.selections = [
        Selection(what=what, value=value, metric="Dice", split="validation", images=9)
        for what, value in thresholds.items()
    ]
    assert selection_sentences(record) == [
        "NMS threshold 0.4, probability threshold 0.5 and cell probability threshold 0.2 were selected by "
        "Dice on 9 validation images."
    ]
