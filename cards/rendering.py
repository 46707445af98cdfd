"""The files of a model card, rendered from a record, its pictures and the run folder."""

from __future__ import annotations

from pathlib import Path

from cards.huggingface import PICTURES, render_body, with_metadata
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
    shown = shown_pictures(pictures)
    body = render_body(record, shown)
    return {
        "README.md": with_metadata(record, body).encode(),
        "report.html": render_report(record, body, pictures, run).encode(),
        **{f"pictures/{name}": path.read_bytes() for name, path in shown.items()},
    }


def shown_pictures(folder: Path | None) -> dict[str, Path]:
    """List the pictures that a card shows.

    Args:
        folder: with pictures from `PICTURES`; None without pictures.

    Returns:
        Path by name, in the order of the card.
    """
    return {name: folder / name for name in PICTURES if (folder / name).is_file()} if folder else {}


def render_report(record: RunRecord, body: str, pictures: Path | None, run: Path | None = None) -> str:
    """Render report.html.

    Args:
        record: the run.
        body: its card, from `cards.huggingface.render_body`.
        pictures: folder of the pictures that the card shows; None without pictures.
        run: the run folder, whose previews and figure the page shows, as far as they are there.

    Returns:
        HTML.

    Raises:
        InputError: if the file of previews is damaged.
    """
    previews = Previews.read(run / FILE) if run else None
    return render_html(body, pictures or Path(), below_card(record, previews, run))


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
