"""report.html in a real browser: the viewer is operated by keyboard, in both widths and color schemes."""

from __future__ import annotations

import ast
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_pages import page, previews

from cards.paper_figure import SVG, draw_figure
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
    for name in names:  # the example names the test images of its scores and of its data differently
        full.data.files.append(
            full.data.files[-1].model_copy(
                update={"name": name, "image": f"test/images/{name}.tif", "label": f"test/masks/{name}.tif"}
            )
        )
    shown = previews(*names, pixel_size_um=0.5)
    both = [image.model_copy(update={"before": image.after}) for image in shown.images]
    draw_figure(full, tmp_path / SVG)
    file = tmp_path / "report.html"
    shown = shown.model_copy(update={"images": both})
    file.write_text(page(full, shown, tmp_path), encoding="utf-8")
    width, scheme = request.param
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened = context.new_page()
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


def open_first(tab: Any) -> None:
    """Open the first image by keyboard."""
    tab.locator("#images tbody button").first.focus()
    tab.keyboard.press("Enter")
    tab.locator("#viewer").wait_for(state="visible")
    tab.wait_for_function("document.querySelector('[data-part=length]').textContent !== ''")


def test_lengths_are_in_micrometers_where_the_pixel_size_is_known(tab: Any) -> None:
    open_first(tab)
    length = tab.locator("[data-part=length]").inner_text()
    bar = tab.locator("[data-part=bar]").bounding_box()["width"]
    number, unit = length.split()
    assert unit == "µm"
    zoom = bar / (float(number) / 0.5)  # pixels of the screen for a pixel of the image
    canvas = tab.locator("canvas:visible").bounding_box()
    assert zoom == pytest.approx(min(canvas["width"] / 30, canvas["height"] / 20), rel=0.05)
    assert tab.locator("[data-part=distances] dt").all_inner_texts() == [
        "0 to 0.25 µm",
        "0.25 to 0.75 µm",
        "> 0.75 µm",
    ]


def test_the_image_is_moved_and_its_contrast_changed_by_keyboard(tab: Any) -> None:
    open_first(tab)
    drawn = lambda: tab.evaluate("document.querySelectorAll('#viewer canvas')[1].toDataURL()")  # noqa: E731
    seen = {drawn()}
    tab.keyboard.press("+")
    seen.add(drawn())
    tab.keyboard.press("Shift+ArrowRight")
    seen.add(drawn())
    tab.locator("[data-part=contrast]").focus()
    tab.keyboard.press("ArrowRight")
    seen.add(drawn())
    assert len(seen) == 4


def test_code_for_other_programs_names_the_image_and_is_copied(tab: Any) -> None:
    open_first(tab)
    name = tab.locator("#images tbody button").first.inner_text()
    tab.locator("[data-part=open] summary").focus()
    tab.keyboard.press("Enter")
    code = tab.locator("[data-part=open] .copyable", has_text="napari.Viewer")
    code.locator("button").focus()
    tab.keyboard.press("Enter")
    code.get_by_text("Copied").wait_for()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert f'viewer.open("test/images/{name}.tif")' in copied
    assert f'viewer.open("predicted/{name}.tif", layer_type="labels", name="prediction")' in copied
    assert "{" not in copied


def test_names_in_code_for_other_programs_stay_text(tab: Any) -> None:
    name = 'a\'; "${x}".tif'
    tab.evaluate("name => { document.querySelector('#images tbody button').dataset.file = name; }", name)
    open_first(tab)
    shell, python, *_ = tab.locator("[data-part=open] code").all_text_contents()
    assert shlex.split(shell)[3] == f"./{name}"
    opened = ast.literal_eval(python.partition("viewer.open(")[2].partition(")\n")[0])
    assert opened == name


def test_figure_and_numbers_are_saved_from_the_page(tab: Any, full: RunRecord) -> None:
    for label, start in (("Save the figure", "<?xml"), ("Save its numbers", "image,")):
        with tab.expect_download() as download:
            tab.locator(".paper a", has_text=label).focus()
            tab.keyboard.press("Enter")
        assert Path(download.value.path()).read_text(encoding="utf-8").startswith(start)


def test_the_page_is_accessible(tab: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(tab).response["violations"]
    open_first(tab)
    tab.keyboard.press("e")
    tab.locator("[data-part=open] summary").click()
    found += axe.run(tab).response["violations"]
    serious = [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_page_is_printed_without_what_only_a_screen_can_do(tab: Any) -> None:
    tab.emulate_media(media="print")
    assert not tab.locator(".copyable button, .paper a, #viewer").filter(visible=True).all()
    assert tab.locator("#images").is_visible() and tab.locator(".banner").is_visible()


def test_the_table_is_sorted_by_improvement_and_searched_by_keyboard(tab: Any) -> None:
    pytest.importorskip("itables")
    changes = tab.locator("#images tbody tr td:nth-child(4)")
    tab.locator("#images thead th", has_text="Change").locator("[tabindex='0']").focus()
    for order in ("ascending", "descending"):
        tab.keyboard.press("Enter")
        tab.locator(f'#images thead th[aria-sort="{order}"]').wait_for()
    improvement = [float(text) for text in changes.all_inner_texts()]
    assert improvement == sorted(improvement, reverse=True)
    first, second, *_ = tab.locator("#images tbody button").all_inner_texts()
    open_first(tab)
    tab.keyboard.press("ArrowRight")  # in the order of the table
    tab.locator("[data-part=name]", has_text=second).wait_for()
    tab.keyboard.press("Escape")
    tab.get_by_label("Search").focus()
    tab.keyboard.type(first)
    assert tab.locator("#images tbody button").all_inner_texts() == [first]
