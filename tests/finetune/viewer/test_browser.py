"""The page in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from finished_run import write_run
from view_browser import CHROMIUM, HOSTILE, address, panels, rows
from view_server import Served

from cards.record import RunRecord
from finetune.viewer.csv_pages import PAGE

pytest.importorskip("panel")
sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
HOSTILE_CELL = '"' + HOSTILE.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same images and a broken one, tables, a large image and labels."""
    root = tmp_path_factory.mktemp("shown") / "all"
    for name in ("first", "second"):
        write_run(root / "runs" / name, package=False)
    path = root / "runs" / "second" / "record.json"
    record = RunRecord.read(path)
    record.recipe["training"]["epochs"] = 77
    record.recipe["name"] = HOSTILE
    assert record.accuracy
    for score in record.accuracy.after.scores:
        score.metrics["dice"] *= 0.5
    record.accuracy.after.summary["dice"].mean *= 0.5
    path.write_text(record.dumps())
    (root / "runs" / "broken").mkdir()
    (root / "runs" / "broken" / "record.json").write_text("{")
    rows = "".join(f"{number},{HOSTILE_CELL},1,2\n" for number in range(PAGE))
    (root / "large.csv").write_text(f"number,{HOSTILE_CELL},a.b,index\n" + rows + f"{PAGE},last,1,2\n")
    large = np.random.default_rng(0).integers(0, 255, (6000, 6000), dtype=np.uint8)
    (root / "images").mkdir()
    tifffile.imwrite(root / "images" / "large.tif", large, tile=(256, 256))
    return root


def test_runs_are_sorted_and_filtered_and_a_broken_record_says_why(page: Any, served: Served):
    page.goto(served.url)
    assert rows(page) == ["all/runs/broken", "all/runs/first", "all/runs/second"]
    assert "not a run record" in page.locator(".tabulator-row").first.inner_text()
    page.locator(".tabulator-col-title", has_text="Dice after").click()
    page.wait_for_url(re.compile("after"))
    assert rows(page).index("all/runs/second") < rows(page).index("all/runs/first")
    page.reload()
    assert rows(page).index("all/runs/second") < rows(page).index("all/runs/first")
    field = page.locator(".tabulator-header-filter input").first
    field.fill("first")
    field.press("Enter")
    page.wait_for_function("document.title")  # the filter works in the browser
    sync_api.expect(page.locator(".tabulator-row").filter(has_text="broken")).to_have_count(0)
    assert rows(page) == ["all/runs/first"]


def test_runs_are_compared_and_three_panels_are_arranged_floated_and_restored(page: Any, served: Served):
    page.goto(served.url)
    for name in ("first", "second"):
        row = page.locator(".tabulator-row").filter(has=page.get_by_text(f"all/runs/{name}", exact=True))
        row.locator("input[type=checkbox]").click()
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("on the test images that both runs have in common").wait_for()
    page.get_by_text("Differences", exact=True).click()
    page.get_by_text("training.epochs").wait_for()
    page.get_by_label("Open a panel").select_option(label="all/large.csv")
    page.get_by_text("of 5,001").wait_for()
    assert [one.kind for one in panels(page)] == ["table", "compare", "runs"]
    page.get_by_role("button", name="Float").nth(1).click()
    page.locator(".jsPanel").wait_for()
    page.get_by_role("button", name="Arrange panels").click()
    page.get_by_role("button", name="Half or full width").first.click()
    page.wait_for_url(lambda url: len(url) > 0 and "12%2C11" not in url)
    kept = panels(page)
    assert [one.place is None for one in kept].count(True) == 1
    page.reload()
    page.locator(".jsPanel").wait_for()
    page.get_by_text("training.epochs").wait_for()
    assert panels(page) == kept
    page.get_by_role("button", name="Dock").click()
    page.locator(".jsPanel").wait_for(state="detached")
    page.get_by_role("button", name="Close").first.click()
    page.wait_for_function("decodeURIComponent(location.search).split('kind').length === 3")


def test_of_a_large_image_only_the_visible_part_is_sent(page: Any, served: Served):
    received: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    window = {"kind": "images", "items": ["all/images"], "place": [0, 0, 6, 12]}
    page.goto(address(served, window))
    canvas = page.locator("canvas").first
    canvas.wait_for()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    for _ in range(3):
        page.mouse.wheel(0, -200)
    page.wait_for_url(re.compile("%22at%22"))
    left, right, top, bottom = panels(page)[0].options["at"]
    assert right - left < 5000 and bottom - top < 5000
    assert sum(received) < 20_000_000  # the whole image has 144 MB as RGBA


def test_a_page_of_a_long_table_is_chosen_by_keyboard_only(page: Any, served: Served):
    page.goto(served.url)
    rows(page)
    choice = page.get_by_label("Open a panel")
    for _ in range(30):
        page.keyboard.press("Tab")
        if choice.evaluate("e => e.getRootNode().activeElement === e"):
            break
    page.keyboard.type("all/large.csv")
    page.get_by_text("of 5,001").wait_for()
    number = page.get_by_label("Page")
    number.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.get_by_text("Rows 5,001 to 5,001 of 5,001").wait_for()
    page.get_by_role("button", name="Close").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("!location.search.includes('large.csv')")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_of_a_phone(page: Any, served: Served, theme: str):
    page.set_viewport_size({"width": 390, "height": 800})
    window = {"kind": "compare", "items": ["all/runs/first", "all/runs/second"]}
    page.goto(f"{address(served, window, {'kind': 'runs', 'place': [0, 12, 12, 9]})}&theme={theme}")
    page.get_by_text("have in common").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_run_that_was_deleted_while_shown_is_reported_and_the_page_stays(
    page: Any, served: Served, folder: Path
):
    write_run(folder / "runs" / "gone", package=False)
    page.goto(served.url)
    assert "all/runs/gone" in rows(page)
    shutil.rmtree(folder / "runs" / "gone")
    row = page.locator(".tabulator-row").filter(has=page.get_by_text("all/runs/gone", exact=True))
    row.locator("input[type=checkbox]").click()
    page.get_by_role("button", name="Cards").click()
    page.get_by_text("it may have been deleted or renamed").wait_for()
    page.get_by_role("button", name="Search again").click()
    page.get_by_text("not among the files shown").wait_for()
    assert "all/runs/gone" not in rows(page)


def test_a_card_is_shown_in_a_frame_that_executes_nothing(page: Any, served: Served):
    page.goto(address(served, {"kind": "card", "items": ["all/runs/first"]}))
    frame = page.locator("iframe")
    frame.wait_for()
    assert frame.get_attribute("sandbox") == ""
    assert page.frame_locator("iframe").locator("h1").inner_text()


def test_names_from_files_are_shown_as_text_and_links_may_overlap(page: Any, served: Served):
    table = {"kind": "table", "items": ["all/large.csv"]}
    page.goto(address(served, table, {**table, "place": None}, {"kind": "runs"}))
    page.locator(".jsPanel").wait_for()
    cell = page.locator(".jsPanel .tabulator-cell", has_text="<img").first
    cell.hover()
    page.wait_for_timeout(1000)  # tooltips appear late
    headings = page.locator(".jsPanel .tabulator-col-title").all_inner_texts()
    assert [text for text in headings if text.strip()] == ["number", HOSTILE, "a.b", "index"]
    assert page.locator(".jsPanel .tabulator-row").first.locator(".tabulator-cell:visible").count() == 4
    assert page.get_by_role("heading", name="Runs").count() == 1
