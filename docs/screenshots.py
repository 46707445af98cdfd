"""Screenshots of README and documentation, from the reports of two runs.

    python docs/screenshots.py RUN QUICKSTART

RUN is a run folder whose base model was measured before training, and of whose test images some are related
to training images. QUICKSTART is a run folder of the recipe `quickstart`. Writes `report-viewer.png`,
`report-images.png` and `audit-page.png` into `docs/how-to/`, and `recipes/quickstart.png`. Needs an installed
Chromium and the package playwright. `viewer_screenshots.py` draws the pages of `finetune view`.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "how-to"
COLORS = 256  # of a picture, which keeps it small


def main() -> None:
    """Take the screenshots."""
    run, quickstart = (Path(argument).resolve() for argument in sys.argv[1:3])
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        report = _open(browser, run / "report.html", 1280, 850)
        _save(_images(report), DOCS / "report-images.png")
        _save(_viewer(report), DOCS / "report-viewer.png")
        _save(_audit(browser, quickstart), DOCS / "audit-page.png")
        small = _open(browser, quickstart / "report.html", 800, 700)
        _save(_quickstart(small), ROOT / "recipes" / "quickstart.png")
        browser.close()


def _open(browser: Browser, file: Path, width: int, height: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
    page.goto(file.as_uri())
    return page


def _images(page: Page) -> Image.Image:
    """The banner of related images, and the first rows of the table."""
    page.locator(".banner").evaluate("banner => banner.scrollIntoView()")
    page.wait_for_timeout(500)  # thumbnails are decoded
    return _picture(page.screenshot(clip={"x": 240, "y": 0, "width": 800, "height": 850}))


def _viewer(page: Page) -> Image.Image:
    """The image with the median Dice, before and after training, with its errors."""
    buttons = page.locator("#images tbody button")
    buttons.nth(buttons.count() // 2).click()
    for key in "se":  # side by side, errors
        page.keyboard.press(key)
    page.wait_for_timeout(1000)  # pictures are drawn
    return _picture(page.locator("#viewer").screenshot())


def _audit(browser: Browser, run: Path) -> Image.Image:
    """The top of the page of an audit."""
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "audit.html"
        command = [sys.executable, "-m", "finetune.cli", "audit", run.name, "--html", str(html)]
        # The exit code is the verdict.
        subprocess.run(command, cwd=run.parent, stdout=subprocess.DEVNULL, check=False)
        return _picture(_open(browser, html, 900, 760).screenshot())


def _quickstart(page: Page) -> Image.Image:
    """Side by side: the top of the card over the training curve, and the best test image."""
    top = _picture(page.screenshot(clip={"x": 0, "y": 0, "width": 800, "height": 460}))
    curve, best = (
        _picture(page.locator(f'figure img[alt*="{words}"]').screenshot())
        for words in ("Training loss", "best Dice")
    )
    curve = curve.resize((top.width, round(curve.height * top.width / curve.width)))
    height = top.height + curve.height
    best = best.resize((round(best.width * height / best.height), height))
    canvas = Image.new("RGB", (top.width + best.width, height), "white")
    for image, place in ((top, (0, 0)), (curve, (0, top.height)), (best, (top.width, 0))):
        canvas.paste(image, place)
    return canvas


def _picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def _save(image: Image.Image, path: Path) -> None:
    # Maximum coverage keeps the colors of thin lines.
    image.quantize(COLORS, Image.Quantize.MAXCOVERAGE, kmeans=1).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {image.width} × {image.height} px, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
