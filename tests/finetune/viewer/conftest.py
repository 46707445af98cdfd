"""A browser on a served page; a module states in its fixture `folder` what the page shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from view_browser import CHROMIUM, open_page
from view_server import Served, view


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with view(folder) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    with open_page(browser, served) as opened:
        yield opened
