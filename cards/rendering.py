"""The files of a model card, rendered from a record and its pictures."""

from __future__ import annotations

from pathlib import Path

from cards.huggingface import PICTURES, render, render_body
from cards.previews import Previews
from cards.record import RunRecord
from cards.report import render_html
from cards.report_images import images_section


def render_files(record: RunRecord, pictures: Path | None, previews: Path | None = None) -> dict[str, bytes]:
    """Render README.md and report.html.

    Args:
        record: the run.
        pictures: folder with pictures from `PICTURES`; None without pictures.
        previews: `images.json` of the run folder, for report.html; it may be missing.

    Returns:
        Content by path in the folder of the card: README.md, report.html and the pictures shown.

    Raises:
        InputError: if the file of previews is damaged.
    """
    shown = {name: pictures / name for name in PICTURES if (pictures / name).is_file()} if pictures else {}
    images = images_section(record, Previews.read(previews) if previews else None)
    page = render_html(render_body(record, shown), pictures or Path(), images)
    return {
        "README.md": render(record, shown).encode(),
        "report.html": page.encode(),
        **{f"pictures/{name}": path.read_bytes() for name, path in shown.items()},
    }
