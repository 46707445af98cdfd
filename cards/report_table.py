"""The table of test images in report.html, sorted and searched by DataTables from the package itables."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources, util

from cards import formatting as words

LONG = 50  # rows from which the table is divided into pages


def number_cell(value: float | None, form: str = ".4f") -> str:
    """Render the cell of a metric.

    Args:
        value: the value; None if not measured, which is sorted as the lowest.
        form: format of the value.

    Returns:
        HTML.
    """
    text = words.NOT_MEASURED if value is None else format(value, form)
    return f'<td data-order="{-1 if value is None else value:.6f}">{text}</td>'


def change_cells(before: float | None, after: float | None) -> list[str]:
    """Render the cells of a metric before and after training, and of its change.

    Args:
        before: value before training; None if not measured.
        after: value after training; None if not measured.

    Returns:
        HTML of three cells.
    """
    change = None if before is None or after is None else after - before
    return [number_cell(before), number_cell(after), number_cell(change, "+.4f")]


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render the table.

    Args:
        header: text of the first row.
        rows: HTML of the cells of each other row.

    Returns:
        HTML.
    """
    head = "".join(f"<th>{escape(text)}</th>" for text in header)
    body = [f"<tr>{''.join(cells)}</tr>" for cells in rows]
    lines = "\n".join([f"<thead><tr>{head}</tr></thead>", "<tbody>", *body, "</tbody>"])
    return f'<div class="table" tabindex="0"><table id="images">{lines}</table></div>'


def table_program(rows: int) -> tuple[list[str], list[str]]:
    """Script and style sheet with which the table is sorted and searched.

    Args:
        rows: number of rows.

    Returns:
        Scripts and style sheets; none if itables is not installed.
    """
    bundle = _data_tables()
    if bundle is None:
        return [], []
    options = {
        "order": [],
        "paging": rows > LONG,
        "pageLength": LONG,
        "lengthChange": False,
        "autoWidth": False,
        "orderClasses": False,  # a class for each cell of the sorted column takes as long as the sorting
    }
    return [f"{bundle[0]}\n({_START})({json.dumps(options)}, ITable);"], [bundle[1]]


_START = """(options, Table) => {
  const table = document.getElementById("images");
  const sorted = new Table(table, options).dt;
  table.shownRows = () => sorted.rows({ order: "applied", search: "applied" }).nodes().toArray();
}"""


@cache
def _data_tables() -> tuple[str, str] | None:
    """Script and styles of DataTables, from the package itables; None if it is not installed."""
    if util.find_spec("itables") is None:
        return None
    folder = resources.files("itables") / "html"
    script = (folder / "dt_bundle.js").read_text("utf-8")
    exported = re.search(r"export\s*\{([^}]*)\}", script)
    name = re.search(r"(\w+) as ITable\b", exported.group(1)) if exported else None
    if exported is None or name is None:
        return None
    # The bundle is a module, which a page can only import from another file; its exports become constants.
    script = script[: exported.start()] + f"const ITable={name.group(1)}" + script[exported.end() :]
    # In its strings, these would change how a browser reads the end of the script
    # (https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements).
    script = re.sub(r"<(?=!--|/?script)", r"\\x3C", script, flags=re.IGNORECASE)
    return script, (folder / "dt_bundle.css").read_text("utf-8")
