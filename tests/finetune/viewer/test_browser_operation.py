"""Operating the page in a real browser: contrast, stopping a run, accessibility, width."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from finished_run import write_run
from PIL import Image
from view_browser import CHROMIUM, address, panels
from view_server import Served

from finetune.pipeline.run_folder import RunFolder
from finetune.training.run_files import STOP
from finetune.viewer.csv_pages import PAGE

pytest.importorskip("panel")
pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
IMPACTS = {"moderate", "serious", "critical"}
EXCLUDED = {
    # Tabulator makes the scrolled body of a grid focusable, so that it scrolls by keyboard; it is no row.
    "aria-required-children",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, an image, and a table of two pages."""
    root = tmp_path_factory.mktemp("operated") / "all"
    for name in ("first", "second"):
        write_run(root / "runs" / name, package=False)
    (root / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 4000, (300, 400), dtype=np.uint16)
    tifffile.imwrite(root / "images" / "a.tif", pixels)
    (root / "table.csv").write_text("n\n" + "".join(f"{number}\n" for number in range(PAGE + 1)))
    return root


def pixels(picture: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def settled(page: Any, canvas: Any) -> bytes:
    """Picture of a canvas, when picture and address no longer change."""
    previous = None
    for _ in range(30):
        page.wait_for_timeout(1000)
        present = (canvas.screenshot(), page.url)
        if present == previous:
            return present[0]
        previous = present
    pytest.fail("the page keeps changing")


def test_the_contrast_is_changed_by_keyboard_and_kept_in_the_address(page: Any, served: Served) -> None:
    page.goto(address(served, {"kind": "images", "items": ["all/images"], "place": [0, 0, 6, 12]}))
    canvas = page.locator("canvas").first
    canvas.wait_for()
    before = settled(page, canvas)
    page.get_by_label("White").focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.wait_for_url(re.compile("contrast"))
    brighter = settled(page, canvas)
    black, white = panels(page)[0].options["contrast"]
    assert black == 0 and white < 100
    assert brighter != before
    page.reload()
    canvas.wait_for()

    def as_before() -> bool:
        change = pixels(settled(page, canvas)) - pixels(brighter)
        return bool(np.abs(change).max() <= 2)  # the smoothed edge of the image may be drawn differently

    assert any(as_before() for _ in range(10))  # on a busy computer, parts of the image arrive late
    assert panels(page)[0].options["contrast"] == [black, white]


def test_a_run_in_progress_is_asked_to_stop(page: Any, served: Served, folder: Path) -> None:
    with RunFolder(folder / "runs" / "live") as work:
        log = work / "logs" / "csv_1" / "metrics.csv"
        log.parent.mkdir(parents=True)
        log.write_text("epoch,loss\n0,0.8\n")
        page.goto(address(served, {"kind": "progress", "items": ["all/runs/live.partial"]}))
        assert not (work / STOP).exists()
        button = page.get_by_role("button", name="Stop after this epoch")
        button.focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Training ends after this epoch").wait_for()
        assert (work / STOP).exists()
        (work / STOP).unlink()  # as training does when it has ended
        (work / "checkpoints").mkdir()
        (work / "checkpoints" / "finished.json").write_text("{}")
        page.get_by_role("button", name="after this epoch").wait_for(state="hidden")
    shutil.rmtree(folder / "runs" / "live")


def test_an_image_is_as_wide_as_its_panel_and_its_pixels_are_square(page: Any, served: Served) -> None:
    page.goto(address(served, {"kind": "images", "items": ["all/images"], "place": [0, 0, 12, 18]}))
    page.locator("canvas").first.wait_for()
    page.wait_for_timeout(1500)
    width, height = page.evaluate(
        "[...Bokeh.documents[0]._all_models.values()].filter(one => one.type === 'Figure')"
        ".map(one => [one.inner_width, one.inner_height])[0]"
    )
    assert width > 1100
    assert width / height == pytest.approx(400 / 300, rel=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_of_moderate_impact_or_worse(
    page: Any, served: Served, theme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.set_viewport_size({"width": width, "height": 900})
    runs = ["all/runs/first", "all/runs/second"]
    shown = (
        {"kind": "runs", "place": [0, 0, 12, 9]},
        {"kind": "compare", "items": runs, "place": [0, 9, 12, 12]},
        {"kind": "images", "items": ["all/images"], "place": [0, 21, 12, 13]},
        {"kind": "table", "items": ["all/table.csv"], "place": None},
    )
    page.goto(f"{address(served, *shown)}&theme={theme}")
    page.get_by_text("have in common").wait_for()
    page.get_by_label("White").wait_for()
    page.get_by_label("Page").wait_for()
    page.wait_for_timeout(1000)
    found = axe.Axe().run(page).response["violations"]
    defects = {
        one["id"]: [node["html"][:200] for node in one["nodes"]]
        for one in found
        if one["impact"] in IMPACTS and one["id"] not in EXCLUDED
    }
    assert defects == {}, json.dumps(defects, indent=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
