"""The files of a model card, rendered from a record and its pictures."""

from __future__ import annotations

from pathlib import Path

from cards.huggingface import PICTURES, render, render_body
from cards.record import RunRecord
from cards.report import render_html


def render_files(record: RunRecord, pictures: Path | None) -> dict[str, bytes]:
    """Render README.md and report.html.

    Args:
        record: the run.
        pictures: folder with pictures from `PICTURES`; None without pictures.

    Returns:
        Content by path in the folder of the card: README.md, report.html and the pictures shown.
    """
    shown = {name: pictures / name for name in PICTURES if (pictures / name).is_file()} if pictures else {}
    page = render_html(render_body(record, shown), pictures or Path())
    return {
        "README.md": render(record, shown).encode(),
        "report.html": page.encode(),
        **{f"pictures/{name}": path.read_bytes() for name, path in shown.items()},
    }
