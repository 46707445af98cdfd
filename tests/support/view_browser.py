"""The page of `finetune view` in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from view_server import Served

from finetune.viewer import windows as links

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# What a table, a heading or a tooltip would run if it took text for HTML.
HOSTILE = "<img src=x onerror=\"document.title='executed'\">"


@contextmanager
def open_page(browser: Any, served: Served) -> Iterator[Any]:
    """Open an empty page; in the end, it must have neither errors nor requests to another server."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(60_000)
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda one: problems.append(one.text) if one.type == "error" else None)
    host = urlsplit(served.url).netloc
    opened.on(
        "request",
        lambda one: (
            problems.append(one.url)
            if urlsplit(one.url).netloc != host and not one.url.startswith(("data:", "blob:"))
            else None
        ),
    )
    yield opened
    title = opened.title()
    opened.close()
    assert problems == [], problems
    assert title == "finetune"  # no text from a file was executed


def address(served: Served, *windows: dict[str, Any]) -> str:
    """Address of a page with panels."""
    return f"{served.url}?view={quote(json.dumps(windows))}"


def panels(page: Any) -> list[links.Window]:
    """Panels in the address of the page."""
    return links.read(links.read_query(urlsplit(page.url).query)["view"])


def rows(page: Any) -> list[str]:
    """Names of the runs in the table."""
    page.locator(".tabulator-row").first.wait_for()
    return page.locator('.tabulator-row [tabulator-field="run"]').all_inner_texts()
