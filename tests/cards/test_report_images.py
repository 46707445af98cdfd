"""The test images in report.html: a table in the order of Dice, and a viewer that cannot run other code."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from example_parts import HOSTILE
from PIL import Image
from report_pages import LABELS, page, previews

from cards.errors import InputError
from cards.previews import (
    FILE,
    LARGEST,
    Previews,
    label_picture,
    preview_factor,
)
from cards.record import RunRecord
from cards.rendering import render_files
from cards.report_images import images_section


class Rows(HTMLParser):
    """Cells of the table of test images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.cell = False
        self.feed(text[text.index('<table id="images">') :])

    def handle_starttag(self, tag: str, attributes: object) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.cell = tag in ("td", "th") or (self.cell and tag == "button")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.cell = False

    def handle_data(self, data: str) -> None:
        if self.cell and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_each_image_has_a_row_the_lowest_dice_first(full: RunRecord) -> None:
    header, *rows = Rows(page(full, None)).rows
    scores = {one.image: one.metrics["dice"] for one in full.accuracy.after.scores}
    dice = [float(row[header.index("Dice after")]) for row in rows]
    assert len(rows) == len(scores)
    assert dice == sorted(dice)
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        assert float(cells["Dice after"]) == pytest.approx(scores[cells["Image"]], abs=5e-5)
        change = float(cells["Dice after"]) - float(cells["Dice before"])
        assert float(cells["Change"]) == pytest.approx(change, abs=1.01e-4)


def test_a_run_without_test_images_has_no_table(sparse: RunRecord) -> None:
    assert images_section(sparse, None) is None


def test_every_script_is_named_by_its_hash_and_nothing_else_may_run(full: RunRecord) -> None:
    name = full.accuracy.after.scores[0].image
    text = page(full, previews(name))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert policy.startswith("default-src 'none'; script-src ")
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    others = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert re.findall(r"<script[^>]*>", others) == ['<script type="application/json" id="previews">']
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text.partition("<script>")[0])


def test_hostile_names_are_text(full: RunRecord) -> None:
    for stage in (full.accuracy.before, full.accuracy.after):
        stage.scores[0].image = HOSTILE
    text = page(full, previews(HOSTILE))
    assert HOSTILE in [row[0] for row in Rows(text).rows]
    data = text[text.index('id="previews">') :].partition("</script>")[0]
    assert "alert" not in data


def test_previews_are_found_by_name_and_others_have_none(full: RunRecord) -> None:
    name = max(full.accuracy.after.scores, key=lambda one: one.metrics["dice"]).image
    text = page(full, previews(name, "an image of another run"))
    data = json.loads(re.search(r'id="previews">(.*?)</script>', text, re.DOTALL).group(1))
    assert [image is not None for image in data["images"]] == [False] * 19 + [True]
    assert "1 of 20 images has a preview" in text


def test_labels_are_recovered_from_their_picture() -> None:
    content = base64.b64decode(label_picture(LABELS, (LABELS == 1) * 3).partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(content))).astype(int)
    assert (pixels[..., 0] + 256 * pixels[..., 1] == LABELS).all()
    assert ((pixels[..., 2] == 3) == (LABELS == 1)).all()


def test_large_images_are_reduced() -> None:
    assert preview_factor((20, 30)) == 1
    assert preview_factor((4 * LARGEST, 100)) == 0.25


def test_previews_are_read_again(tmp_path: Path) -> None:
    written = previews("a", "b")
    (tmp_path / FILE).write_text(written.dumps(), encoding="utf-8")
    assert Previews.read(tmp_path / FILE) == written
    assert Previews.read(tmp_path / "missing.json") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-20],
        lambda text: text.replace("data:image/jpeg;base64,", "https://example.com/"),
        lambda text: text.replace("data:image/png;base64,", 'data:image/png;base64,"><script>'),
    ],
)
def test_damaged_previews_are_one_line(change, full: RunRecord, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(change(previews("a").dumps()), encoding="utf-8")
    with pytest.raises(InputError, match=r"images\.json: no previews: .+") as caught:
        render_files(full, None, tmp_path)
    assert "\n" not in str(caught.value)
