"""How fast is the page of `finetune view`?

    python benchmarks/view_page.py RUN... --data FOLDER

RUN are three finished runs, FOLDER holds the images. Measures in headless Chromium, driven by Playwright:
the time until the address of 200 runs is printed (copies of the first record) and until their table is drawn
(at the first visit, as soon as the address is printed, and at later ones, with the processor time of the
server), the time to sort 5,000 rows of a CSV file and of report.html, the bytes sent for an image of
8,192 × 8,192 pixels, and the frames per second while three linked views are moved. Other work on the machine
adds to all of these times.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import tifffile
from playwright.sync_api import Page, sync_playwright

from cards.report_table import number_cell, render_table, table_program

COPIES, VISITS, ROWS, SORTS, SIDE = 200, 8, 5_000, 20, 8_192

SORT = """async ([heading, row, times]) => {
  function deepest(selector, root = document) {
    const found = root.querySelector(selector)
    if (found) return found
    for (const element of root.querySelectorAll('*')) {
      const inside = element.shadowRoot && deepest(selector, element.shadowRoot)
      if (inside) return inside
    }
  }
  const title = deepest(heading), first = () => deepest(row).innerText
  const frame = () => new Promise(requestAnimationFrame)
  const taken = []
  title.click()
  await new Promise(done => setTimeout(done, 500))
  for (let number = 0; number < times; number++) {
    const before = first(), start = performance.now()
    title.click()
    while (first() === before && performance.now() - start < 5000) await frame()
    taken.push(performance.now() - start)
    await new Promise(done => setTimeout(done, 100))
  }
  return taken
}"""
FRAMES = """seconds => new Promise(resolve => {
  const start = performance.now()
  let frames = 0
  const count = now => {
    frames += 1
    if (now - start > 1000 * seconds) resolve(1000 * frames / (now - start))
    else requestAnimationFrame(count)
  }
  requestAnimationFrame(count)
})"""


@contextmanager
def served(*arguments: str | Path) -> Iterator[tuple[str, int]]:
    """Address and process id of a running server."""
    command = [sys.executable, "-m", "finetune.cli.main", "view", *map(str, arguments), "--no-browser"]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE)
    assert process.stdout
    try:
        yield process.stdout.readline().split()[0], process.pid
    finally:
        process.terminate()
        process.wait()


def panel(kind: str, *items: str, place: tuple[int, ...] = (0, 0, 12, 14), **options: Any) -> dict[str, Any]:
    return {"kind": kind, "items": items, "place": place, "options": options}


def address(url: str, *panels: dict[str, Any], theme: str = "light") -> str:
    return f"{url}?view={quote(json.dumps(panels))}&theme={theme}"


def cpu_seconds(process: int) -> float:
    """Processor time of a process, from Linux."""
    user, system = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / 100


def thread_seconds(session: Any) -> float:
    """Processor time of the main thread of a page, from Chromium."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "ThreadTime")


def measure_runs(page: Page, record: Path, folder: Path) -> None:
    for number in range(COPIES):
        (folder / f"run_{number:03}").mkdir(parents=True)
        shutil.copy(record, folder / f"run_{number:03}" / "record.json")
    start = time.perf_counter()
    with served(folder) as (url, process):
        printed, start = time.perf_counter() - start, time.perf_counter()
        page.goto(url)
        page.locator(".tabulator-row").first.wait_for()
        first = time.perf_counter() - start
        later, used = [], cpu_seconds(process)
        for _ in range(VISITS):
            page.goto("about:blank")
            start = time.perf_counter()
            page.goto(url)
            page.locator(".tabulator-row").first.wait_for()
            later.append(time.perf_counter() - start)
        used = (cpu_seconds(process) - used) / VISITS
    print(f"{COPIES} runs: address after {printed:.2f} s, table {first:.2f} s later; in {VISITS} more visits")
    print(
        f"after {statistics.median(later):.2f} s (median) and at most {max(later):.2f} s, {used:.2f} s of "
        "processor time of the server each"
    )


def measure_sorts(page: Page, where: str, heading: str, row: str) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    used = thread_seconds(session)
    taken = page.evaluate(SORT, [heading, row, SORTS])
    used = (thread_seconds(session) - used) / (SORTS + 1)
    print(
        f"{ROWS:,} rows sorted in {where}: median {statistics.median(taken):.0f} ms, maximum "
        f"{max(taken):.0f} ms "
        f"of {SORTS} sorts; processor time of the main thread {1000 * used:.0f} ms each"
    )


def measure_table(page: Page, folder: Path) -> None:
    """Sort a CSV file by a column of text."""
    folder.mkdir()
    lines = "".join(f"row {n},{n}\n" for n in range(ROWS))
    (folder / "rows.csv").write_text(f"text,n\n{lines}")
    with served(folder) as (url, _):
        page.goto(url)
        page.locator(".tabulator-row").first.wait_for()
        page.wait_for_timeout(1000)
        measure_sorts(page, "finetune view", ".tabulator-col-title", ".tabulator-row")


def measure_report(page: Page, file: Path) -> None:
    """Sort the table of test images of report.html by a column of numbers; its values are random."""
    values = np.random.default_rng(0).random((ROWS, 6))
    rows = [[f"<td>image_{n}.tif</td>", *map(number_cell, row)] for n, row in enumerate(values)]
    scripts, styles = table_program(ROWS)
    table = render_table(["Image", "Before", "After", "Change", "AP50", "PQ", "Seconds"], rows)
    style, script = "".join(styles), "".join(scripts)
    file.write_text(f"<!doctype html><style>{style}</style>{table}<script>{script}</script>", "utf-8")
    page.goto(file.as_uri())
    page.locator("tbody tr").first.wait_for()
    page.wait_for_timeout(1000)
    measure_sorts(page, "report.html", "thead th:nth-child(3)", "tbody tr")


def measure_image(page: Page, folder: Path) -> None:
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
    tifffile.imwrite(folder / "large.tif", pixels, tile=(256, 256))
    sent: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sent.append(len(frame))))
    with served(folder) as (url, _):
        page.goto(url)
        page.locator("canvas").first.wait_for()
        page.wait_for_timeout(2000)
    print(f"{SIDE:,} × {SIDE:,} px: {sum(sent) / 1e6:.1f} MB sent, {4 * SIDE**2 / 1e6:.0f} MB as RGBA")


def measure_frames(page: Page, runs: list[Path], data: Path) -> None:
    keys = [run.name for run in runs]
    with served(*runs, "--data", data) as (url, _):
        page.goto(address(url, panel("models", *keys[:3])))
        canvas = page.locator("canvas").first
        canvas.wait_for()
        page.wait_for_timeout(2000)
        box = canvas.bounding_box()
        assert box
        page.evaluate(f"window.rate = ({FRAMES})(3)")
        page.mouse.move(box["x"] + 100, box["y"] + 100)
        page.mouse.down()
        for step in range(60):
            page.mouse.move(box["x"] + 100 + step, box["y"] + 100 + step / 2)
        page.mouse.up()
        print(f"{len(keys[:3])} linked views moved: {page.evaluate('window.rate'):.0f} frames per second")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data", required=True, type=Path)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as scratch:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        measure_runs(page, options.runs[0] / "record.json", Path(scratch) / "runs")
        measure_table(page, Path(scratch) / "table")
        measure_report(page, Path(scratch) / "report.html")
        measure_image(page, Path(scratch) / "image")
        measure_frames(page, options.runs, options.data)
        browser.close()


if __name__ == "__main__":
    main()
