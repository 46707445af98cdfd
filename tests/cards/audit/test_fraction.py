"""Runs that used a fraction of the training images: the others may lie in the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import audited
import pytest

from cards.audit.claims import FoundImage, Subject, Tools
from cards.audit.data import check
from cards.base import Split

FRACTION = 0.5


def added(split: Split | None, **data: Any) -> str:
    """State of the claim on other images, with one image of the split that is not in the record."""
    record = audited.complete()
    record.recipe["data"] |= data
    found = audited.found_images(record)
    found.append(FoundImage("other", "elsewhere/other.tif", None, split, "0" * 64, "1" * 64, (1, 64, 64), 3))
    tools = Tools(read_data=lambda *_: found)
    subject = Subject("run", "run", Path(), record, data=Path(), tools=tools)
    return next(claim.verdict for claim in check(subject) if "no other images" in claim.statement)


@pytest.mark.parametrize("split", ["train", None])
def test_training_images_that_were_left_out_are_expected(split: Split | None) -> None:
    assert added(split, train_fraction=FRACTION) == "holds"
    assert added(split) == "broken"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_other_validation_and_test_images_are_not(split: Split) -> None:
    assert added(split, train_fraction=FRACTION) == "broken"
