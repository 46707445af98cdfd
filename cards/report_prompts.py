"""The test images of an interactive run in report.html: IoU of each image with each kind of prompt."""

from __future__ import annotations

from html import escape

from cards.leakage import relations
from cards.paper_figure import Panel, panels
from cards.previews import Previews
from cards.record import RunRecord
from cards.report import Section, read_template
from cards.report_leakage import banner, related_cells
from cards.report_table import change_cells, number_cell, render_table, table_program


def prompts_section(record: RunRecord, previews: Previews | None) -> Section:
    """Render a row for each image.

    Args:
        record: an interactive run.
        previews: pictures of related images.

    Returns:
        The section.
    """
    related, shown = relations(record, "test"), panels(record)
    lowest = shown[0].stages["after"]
    images = sorted(record.prompts[0].images, key=lambda one: (lowest[one.image], one.image))
    header = ["Image", "Instances", *(text for panel in shown for text in _header(panel))]
    header += ["Related training image"] if related is not None else []
    rows = [
        [
            f"<td>{escape(one.image)}</td>",
            f"<td>{one.instances}</td>",
            *(cell for panel in shown for cell in _cells(panel, one.image)),
            *related_cells(related, one.image),
        ]
        for one in images
    ]
    scripts, styles = table_program(len(rows))
    body = [
        "<h2>Test images</h2>",
        f"<p>{escape(f'IoU of each test image, the lowest {shown[0].label} first.')}</p>",
        banner(record, previews),
        render_table(header, rows),
    ]
    return Section("\n".join(body) + "\n", (*styles, read_template("viewer.css")), tuple(scripts))


def _header(panel: Panel) -> list[str]:
    if "before" not in panel.stages:
        return [panel.label]
    return [f"{panel.label}, {text}" for text in ("before", "after", "change")]


def _cells(panel: Panel, image: str) -> list[str]:
    after = panel.stages["after"].get(image)
    if "before" not in panel.stages:
        return [number_cell(after)]
    return change_cells(panel.stages["before"].get(image), after)
