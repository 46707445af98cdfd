"""The page in a real browser, operated by nothing but key presses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from finished_run import write_run
from view_browser import CHROMIUM, address, panels, rows
from view_server import Served

from finetune.viewer.csv_pages import PAGE

pytest.importorskip("panel")
sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
RUNS = ["all/runs/first", "all/runs/second"]
FOCUSED = """() => {
  let element = document.activeElement
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
  if (!element || element === document.body) return null
  const drawn = ({outlineStyle, outlineWidth}) => outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1
  const places = [element, element.closest('.tabulator-col') ?? element]
  let label = element.getAttribute('aria-label') || element.labels?.[0]?.innerText || element.innerText
  for (let host = element; !label && host; host = host.getRootNode().host)
    label = host.getAttribute('aria-label')
  return {
    name: (label || element.placeholder || element.title || '').trim(),
    visible: places.some(one => drawn(getComputedStyle(one))) || element.tagName === 'IFRAME',
  }
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, a table of two pages, an image and a benchmark."""
    root = tmp_path_factory.mktemp("keyboard") / "all"
    for name in ("first", "second"):
        write_run(root / "runs" / name, package=False)
    (root / "table.csv").write_text("n,text\n" + "".join(f"{n},cell {n}\n" for n in range(PAGE + 1)))
    (root / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400), dtype=np.uint8)
    tifffile.imwrite(root / "images" / "a.tif", pixels)
    return root


def stops(page: Any, limit: int = 120) -> Iterator[str]:
    """Press Tab until the end of the page; each stop has a name and visible focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            return
        assert focused["name"] and focused["visible"], focused
        yield focused["name"]
    raise AssertionError(f"the keyboard did not leave the page with {limit} presses of Tab")


def go_to(page: Any, name: str) -> None:
    """Press Tab until an element of this name has the focus."""
    reached = []
    for _ in range(2):  # behind the end, the page begins again
        for stop in stops(page):
            reached.append(stop)
            if stop.startswith(name):
                return
    raise AssertionError(f"{name} is not among {reached}")


def test_runs_are_sorted_filtered_selected_and_compared(page: Any, served: Served) -> None:
    page.goto(served.url)
    assert rows(page) == RUNS
    go_to(page, "Run")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("desc"))
    assert rows(page) == RUNS[::-1]
    page.keyboard.press("Tab")
    page.keyboard.type("second")
    sync_api.expect(page.locator(".tabulator-row")).to_have_count(1)
    for _ in "second":
        page.keyboard.press("Backspace")
    sync_api.expect(page.locator(".tabulator-row")).to_have_count(2)
    for _ in range(3):  # the box in the heading selects all runs; the next one leaves one out
        go_to(page, "Select Row")
        page.keyboard.press("Space")
    go_to(page, "Compare")
    page.keyboard.press("Enter")
    page.get_by_text("Select at least 2 runs").wait_for()
    go_to(page, "Select Row")
    page.keyboard.press("Space")
    go_to(page, "Compare")
    page.keyboard.press("Enter")
    page.get_by_text("have in common").wait_for()


def test_the_parts_of_a_comparison_are_turned(page: Any, served: Served) -> None:
    page.goto(address(served, {"kind": "compare", "items": RUNS}))
    page.get_by_text("have in common").wait_for()
    go_to(page, "Learning curves")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("tab"))
    go_to(page, "Plot")


def test_an_image_is_enlarged_moved_and_shown_as_a_whole(page: Any, served: Served) -> None:
    page.goto(address(served, {"kind": "images", "items": ["all/images"], "place": [0, 0, 6, 12]}))
    page.locator("canvas").first.wait_for()
    go_to(page, "Plot")
    page.keyboard.press("+")
    page.wait_for_url(re.compile("%22at%22"))
    left, right, top, bottom = panels(page)[0].options["at"]
    assert (right - left, bottom - top) == pytest.approx((320, 240), abs=2)
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"!location.search.includes('{left}%2C{right}')")
    assert panels(page)[0].options["at"] == pytest.approx([left + 32, right + 32, top, bottom], abs=2)
    page.keyboard.press("0")
    page.wait_for_function("decodeURIComponent(location.search).includes('[0,400,0,300]')")


def test_the_page_of_a_table_is_typed(page: Any, served: Served) -> None:
    page.goto(address(served, {"kind": "table", "items": ["all/table.csv"]}))
    page.get_by_text("of 5,001").wait_for()
    go_to(page, "Page")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.get_by_text("Rows 5,001 to 5,001 of 5,001").wait_for()


def test_panels_are_moved_floated_docked_and_closed(page: Any, served: Served) -> None:
    shown = (
        {"kind": "table", "items": ["all/table.csv"]},
        {"kind": "images", "items": ["all/images"], "place": [0, 6, 12, 12]},
    )
    page.goto(address(served, *shown))
    page.get_by_text("of 5,001").wait_for()
    go_to(page, "Arrange panels")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Down").first.wait_for()
    for name, expected in (
        ("Down", 'all/images"],"place":[0,0,'),
        ("Half or full width", ",6,"),
    ):
        go_to(page, name)
        page.keyboard.press("Enter")
        page.wait_for_function(f"decodeURIComponent(location.search).includes({json.dumps(expected)})")
        page.wait_for_function(f"({FOCUSED})()?.name === {json.dumps(name)}")  # it can be pressed again
    go_to(page, "Float")
    page.keyboard.press("Enter")
    page.locator(".jsPanel").wait_for()
    go_to(page, "Dock")
    page.keyboard.press("Enter")
    page.locator(".jsPanel").wait_for(state="detached")
    for left in (1, 0):
        go_to(page, "Close")
        page.keyboard.press("Enter")
        page.wait_for_function(f"decodeURIComponent(location.search).split('kind').length === {left + 1}")
