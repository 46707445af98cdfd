"""The banner of report.html: only for related test images, with pictures of the relations in the record."""

from __future__ import annotations

import re

import examples
import numpy as np
from report_pages import page, previews

from cards.previews import RelatedPicture, canvas_picture
from cards.record import RunRecord
from cards.report_leakage import banner


def picture(image: str, related_to: str) -> RelatedPicture:
    drawn = canvas_picture(np.zeros((8, 8, 3)))
    return RelatedPicture(image=image, related_to=related_to, joined=True, picture=drawn)


def test_the_banner_counts_related_images_and_shows_the_seam(full: RunRecord) -> None:
    shown = previews().model_copy(update={"related": [picture("nucleus_00", "train_10")]})
    text = banner(full, shown)
    assert "6 of the 20 test images are related to a training image" in text
    assert "accuracy on the 14 unrelated images" in text
    assert text.count("<figure>") == 1
    assert "nucleus_00 (test) and train_10 (training): right border continues, correlation 0.990" in text


def test_a_picture_of_a_relation_that_the_record_does_not_state_is_not_shown(full: RunRecord) -> None:
    shown = previews().model_copy(update={"related": [picture("nucleus_00", "train_99")]})
    assert "<figure>" not in banner(full, shown)


def test_unrelated_test_images_have_no_banner(full: RunRecord, sparse: RunRecord) -> None:
    full.leakage.relations = [one for one in full.leakage.relations if one.split == "validation"]
    assert banner(full, None) == ""
    assert banner(sparse, None) == ""


def test_an_interactive_run_lists_the_iou_of_each_image() -> None:
    record = examples.prompted()
    text = page(record, None)
    table = text[text.index('<table id="images">') :]
    point = [f"IoU, point, {stage}" for stage in ("before", "after", "change")]
    assert re.findall(r"<th>([^<]*)</th>", table)[:6] == ["Image", "Instances", *point, "IoU, box"]
    row = re.search(r"<tr><td>test_0</td>(.*)</tr>", table).group(1)
    assert re.findall(r">([^<>]+)</td>", row)[:5] == ["10", "0.2500", "0.5000", "+0.2500", "0.5000"]


def test_names_of_related_images_are_text(full: RunRecord) -> None:
    first = full.leakage.relations[0]
    first.related_to = first.evidence = "<script>"
    shown = previews().model_copy(update={"related": [picture(first.image, "<script>")]})
    text = banner(full, shown)
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 2
