"""The files of a model card, rendered from a record, its pictures and the run folder."""

from __future__ import annotations

from pathlib import Path

from cards.huggingface import PICTURES, render, render_body
from cards.previews import FILE, Previews
from cards.record import RunRecord
from cards.report import Section, join_sections, read_template, render_html
from cards.report_audit import audit_section
from cards.report_images import images_section
from cards.report_paper import paper_section
from cards.report_prompts import prompts_section


def render_files(record: RunRecord, pictures: Path | None, run: Path | None = None) -> dict[str, bytes]:
    """Render README.md and report.html.

    Args:
        record: the run.
        pictures: folder with pictures from `PICTURES`; None without pictures.
        run: the run folder, whose previews and figure report.html shows, as far as they are there.

    Returns:
        Content by path in the folder of the card: README.md, report.html and the pictures shown.

    Raises:
        InputError: if the file of previews is damaged.
    """
    shown = {name: pictures / name for name in PICTURES if (pictures / name).is_file()} if pictures else {}
    previews = Previews.read(run / FILE) if run else None
    below = below_card(record, previews, run)
    return {
        "README.md": render(record, shown).encode(),
        "report.html": render_html(render_body(record, shown), pictures or Path(), below).encode(),
        **{f"pictures/{name}": path.read_bytes() for name, path in shown.items()},
    }


def below_card(record: RunRecord, previews: Previews | None, run: Path | None = None) -> Section:
    """Render what only a page can do, below the card.

    Args:
        record: the run.
        previews: pictures of the test images.
        run: the run folder.

    Returns:
        Test images, figure for a paper, audit, and the buttons that copy text.
    """
    return join_sections(
        [
            prompts_section(record, previews) if record.prompts else images_section(record, previews),
            paper_section(record, run),
            audit_section(record),
            Section("", (read_template("report.css"),), (read_template("copy.js"),)),
        ]
    )
