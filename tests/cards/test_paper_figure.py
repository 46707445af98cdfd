"""The figure for a paper: every number in its CSV is one of the record, and its text stays text."""

from __future__ import annotations

import csv
import html
import io
import re
from collections import Counter
from pathlib import Path

import examples
import pytest

from cards.paper_figure import CSV, SVG, draw_figure, figure_csv, figure_texts, panels
from cards.record import RunRecord
from cards.report_paper import paper_section


def rows(record: RunRecord) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(figure_csv(record))))


def test_the_numbers_are_those_of_each_test_image(full: RunRecord) -> None:
    found = {row["image"]: row for row in rows(full)}
    assert len(found) == len(full.accuracy.after.scores)
    for name, stage in (("before", full.accuracy.before), ("after", full.accuracy.after)):
        for score in stage.scores:
            assert float(found[score.image][f"dice_{name}"]) == score.metrics["dice"]


def test_the_numbers_name_the_related_training_image(full: RunRecord) -> None:
    related = {row["image"]: row["related_training_image"] for row in rows(full)}
    assert related["nucleus_07"] == "train_03"
    assert related["nucleus_19"] == ""


def test_an_interactive_run_shows_iou_for_each_kind_of_prompt() -> None:
    record = examples.prompted()
    assert [panel.column for panel in panels(record)] == [
        f"iou_{score.kind.replace(' + ', '_').replace(' ', '_')}" for score in record.prompts
    ]
    assert len(rows(record)) == len(record.prompts[0].images)


def test_a_name_that_is_a_formula_stays_text(full: RunRecord) -> None:
    full.accuracy.after.scores[0].image = "=1+1"
    assert "'=1+1" in {row["image"] for row in rows(full)}


def test_a_run_without_test_images_has_no_figure(sparse: RunRecord, tmp_path: Path) -> None:
    assert panels(sparse) == []
    assert paper_section(sparse, tmp_path) is None


@pytest.mark.filterwarnings("error")
def test_the_text_of_the_figure_stays_text_and_equal_records_give_equal_files(
    full: RunRecord, tmp_path: Path
) -> None:
    for name in ("a.svg", "b.svg"):
        draw_figure(full, tmp_path / name)
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
    for label in ("Dice", "AP50", "before", "after", "14 unrelated images"):
        assert f">{label}</text>" in text
    assert f"{full.accuracy.after.summary['dice'].mean:.3f}" in text


@pytest.mark.parametrize("build", [examples.full, examples.prompted])
def test_the_texts_are_those_of_the_drawing_apart_from_the_axes(build, tmp_path: Path) -> None:
    draw_figure(build(), tmp_path / SVG)
    drawing = (tmp_path / SVG).read_text(encoding="utf-8")
    found = Counter(html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawing))
    listed = Counter(figure_texts(build()))
    assert listed <= found
    assert all(float(text) >= 0 for text in found - listed)


def test_the_page_offers_figure_and_numbers(full: RunRecord, tmp_path: Path) -> None:
    assert paper_section(full, tmp_path) is None  # an earlier run
    (tmp_path / SVG).write_text("<svg/>")
    section = paper_section(full, tmp_path)
    assert section is not None
    for name in (SVG, CSV):
        assert f'download="{full.name}_{name}" href="data:' in section.html
