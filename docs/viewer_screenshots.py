"""Screenshots of `finetune view` and of the page of `finetune annotate-next` for the documentation.

    python docs/viewer_screenshots.py RUN RUN --data FOLDER --images FOLDER --benchmark FOLDER --small RUN

The first two are runs of the same test images, whose data set is in --data. --images is a folder with a few
images, --benchmark the folder of a benchmark, and --small a run that is quick to predict with and has logged
several epochs. Writes into `docs/how-to/`. Needs an installed Chromium and the package playwright.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from finetune.pipeline.run_folder import RunFolder

DOCS = Path(__file__).parent / "how-to"
WIDTH, HEIGHT = 1280, 760
SUGGESTED = 6


def main() -> None:
    """Take the screenshots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs=2, type=Path)
    for name in ("data", "images", "benchmark", "small"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as scratch:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(120_000)
        folder = Path(scratch)
        _take_suggestions(page, options.small, options.images, folder / "suggestions")
        with RunFolder(folder / "runs" / "nuclei") as work:
            _log_first_half(options.small, work)
            measurements = _measure(options.runs[0], folder / "measurements.csv")
            benchmark = options.benchmark / "benchmark.json"
            shown = (*options.runs, work.parent, measurements, options.images, benchmark)
            _take_panels(page, shown, options)
        browser.close()


def _take_panels(page: Page, shown: Sequence[Path], options: argparse.Namespace) -> None:
    command = [sys.executable, "-m", "finetune.cli", "view", *map(str, shown), "--data", str(options.data)]
    server = subprocess.Popen([*command, "--no-browser"], text=True, stdout=subprocess.PIPE)
    assert server.stdout
    try:
        url = server.stdout.readline().split()[0]
        runs = [run.name for run in options.runs]
        first, second, *_ = sorted(image.name for image in options.images.iterdir())
        views = (
            _panel("images", options.images.name, width=6, image=first),
            _panel("images", options.images.name, left=6, width=6, image=second, at=[40, 200, 40, 200]),
        )
        _take(page, url, "view-compare", _panel("runs", height=5), _panel("compare", *runs, top=5, height=8))
        _take(page, url, "view-images", *views)
        _take(page, url, "view-table", _panel("table", "measurements.csv"))
        _take(page, url, "view-progress", _panel("progress", "runs/nuclei.partial", height=10))
        page.set_viewport_size({"width": WIDTH, "height": 1050})
        _take(page, url, "view-benchmark", _panel("benchmark", "benchmark.json", height=16))
        page.set_viewport_size({"width": WIDTH, "height": 1280})
        panels = (
            _panel("models", *runs, height=12, layers=["reference", "prediction"]),
            _panel("runs", top=12, width=6, height=8),
            _panel("compare", *runs, left=6, top=12, width=6, height=8, tab=1),
        )
        _take(page, url, "view", *panels, segment=True)
    finally:
        server.terminate()
        server.wait()


def _panel(
    kind: str, *items: str, left: int = 0, top: int = 0, width: int = 12, height: int = 12, **options: Any
) -> dict[str, Any]:
    return {"kind": kind, "items": items, "place": (left, top, width, height), "options": options}


def _take(page: Page, url: str, name: str, *panels: dict[str, Any], segment: bool = False) -> None:
    page.goto(f"{url}?view={quote(json.dumps(panels))}")
    page.locator(".window-header").first.wait_for()
    for left in (1, 0) if segment else ():
        page.get_by_role("button", name="Segment with this model").first.click()
        unfinished = page.get_by_role("button", name=re.compile("Segment with|segmenting"))
        expect(unfinished).to_have_count(left, timeout=300_000)
    page.wait_for_timeout(2500)  # pictures and plots are drawn
    _save(page, name)


def _take_suggestions(page: Page, run: Path, images: Path, out: Path) -> None:
    """The page of `finetune annotate-next`."""
    command = [sys.executable, "-m", "finetune.cli", "annotate-next", str(run), str(images)]
    subprocess.run([*command, "--out", str(out), "--number", str(SUGGESTED)], check=True)
    page.set_viewport_size({"width": 900, "height": 620})
    page.goto((out / "annotate-next.html").as_uri())
    page.wait_for_timeout(500)
    _save(page, "annotate-next")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def _log_first_half(run: Path, work: Path) -> None:
    """The log of a run as it was halfway."""
    (log,) = run.glob("logs/csv_*/metrics.csv")
    lines = log.read_text().splitlines(keepends=True)
    (work / "logs" / "csv_1").mkdir(parents=True)
    (work / "logs" / "csv_1" / "metrics.csv").write_text("".join(lines[: len(lines) // 2]))


def _measure(run: Path, file: Path) -> Path:
    """A table as other tools write it: the test images of a run with their scores."""
    with (run / "scores.csv").open(newline="") as scores, file.open("w", newline="") as table:
        csv.writer(table).writerows(csv.reader(scores))
    return file


def _save(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    path = DOCS / f"{name}.png"
    # Maximum coverage keeps the colors of thin lines.
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(path, optimize=True)
    print(f"{path.name}: {picture.width} × {picture.height} px, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
