"""report.html in a real browser: the viewer is operated by keyboard, in both widths and color schemes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_pages import page, previews

from cards.record import RunRecord

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs chromium"),
]


@pytest.fixture(params=[(1280, "light"), (390, "dark")])
def tab(request: pytest.FixtureRequest, full: RunRecord, tmp_path: Path) -> Iterator[Any]:
    """The report in a new tab; fails afterwards if the page reported an error or asked for anything."""
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    names = [one.image for one in full.accuracy.after.scores]
    shown = previews(*names)
    both = [image.model_copy(update={"before": image.after}) for image in shown.images]
    file = tmp_path / "report.html"
    file.write_text(page(full, shown.model_copy(update={"images": both})), encoding="utf-8")
    width, scheme = request.param
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": width, "height": 850}, color_scheme=scheme)
        opened.on("console", lambda message: problems.append(message.text))
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on(
            "request",
            lambda request: (
                None if request.url.startswith(("data:", "file:")) else problems.append(request.url)
            ),
        )
        opened.goto(file.as_uri())
        yield opened
        browser.close()
    assert problems == []


def test_the_viewer_is_operated_by_keyboard(tab: Any) -> None:
    first = tab.locator("#images tbody button").first
    first.focus()
    tab.keyboard.press("Enter")
    viewer = tab.locator("#viewer")
    viewer.wait_for(state="visible")
    name = viewer.locator('[data-part="name"]')
    tab.wait_for_function("document.querySelector('[data-part=name]').textContent !== ''")
    before = name.inner_text()
    assert before == first.get_attribute("data-title")
    tab.keyboard.press("b")
    assert viewer.locator("figcaption:visible").all_inner_texts() == ["before"]
    tab.keyboard.press("s")
    assert viewer.locator("figcaption:visible").all_inner_texts() == ["before", "after"]
    tab.keyboard.press("e")
    assert viewer.locator('[data-part="legend"]').is_visible()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function(f"document.querySelector('[data-part=name]').textContent !== {before!r}")
    tab.keyboard.press("Escape")
    assert not viewer.is_visible()


def test_the_table_is_sorted_and_searched(tab: Any) -> None:
    pytest.importorskip("itables")
    dice = tab.locator("#images tbody tr td:nth-child(3)")
    lowest = dice.first.inner_text()
    for order in ("ascending", "descending"):
        tab.locator("#images thead th", has_text="Dice after").click()
        tab.locator(f'#images thead th[aria-sort="{order}"]').wait_for()
    highest = dice.first.inner_text()
    assert float(highest) > float(lowest)
    name = tab.locator("#images tbody button").first.inner_text()
    tab.get_by_label("Search").fill(name)
    assert name in tab.locator("#images tbody tr").first.inner_text()
