"""For a paper, in report.html: the figure of the run with its numbers, both to download."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from cards.paper_figure import CSV, SVG, figure_csv, panels
from cards.record import RunRecord
from cards.report import Section


def paper_section(record: RunRecord, run: Path | None) -> Section | None:
    """Render the figure of the run folder, with links that save it and its numbers.

    Args:
        record: the run.
        run: the run folder; None without one.

    Returns:
        The section; None if nothing was measured or the run folder has no figure: earlier versions drew none.
    """
    path = run / SVG if run else None
    if path is None or not path.is_file() or not panels(record):
        return None
    picture = f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"
    numbers = f"data:text/csv;charset=utf-8;base64,{base64.b64encode(figure_csv(record).encode()).decode()}"
    name = escape(record.name)
    body = f"""<section class="paper"><h2>For a paper</h2>
<figure><img alt="accuracy of each test image, mean and standard deviation" src="{picture}">
<figcaption>{escape(_caption(record))}</figcaption></figure>
<p><a download="{name}_{SVG}" href="{picture}">Save the figure (SVG)</a>
<a download="{name}_{CSV}" href="{numbers}">Save its numbers (CSV)</a></p>
<p>Both files are in the run folder, too. The section Citation has text for a methods section.</p></section>
"""
    return Section(body)


def _caption(record: RunRecord) -> str:
    both = "before" in panels(record)[0].stages
    points = "Each line is a test image before and after training" if both else "Each point is a test image"
    return f"{points}. Horizontal lines and bars show mean ± standard deviation over images."
