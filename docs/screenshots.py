"""Screenshots of the documentation, from the report of a run.

    python docs/screenshots.py RUN

RUN is a run folder whose base model was measured before training. Writes `docs/how-to/report-viewer.png`.
Needs an installed Chromium and the package playwright.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent


def main() -> None:
    """Take the screenshots."""
    report = Path(sys.argv[1]).resolve() / "report.html"
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 850}, color_scheme="light")
        page.goto(report.as_uri())
        page.locator("#images tbody button").first.click()
        for key in "se":  # side by side, errors
            page.keyboard.press(key)
        page.wait_for_timeout(1000)  # pictures are drawn
        page.locator("#viewer").screenshot(path=HERE / "how-to" / "report-viewer.png")
        browser.close()


if __name__ == "__main__":
    main()
