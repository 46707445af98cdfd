"""Claims on the figure for a paper: its numbers, and its drawing, which is drawn again from the record."""

from __future__ import annotations

import html
import re
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from cards.audit.card_text import FAMILY
from cards.audit.claims import Claim, Subject, joined
from cards.audit.reading import read_bytes
from cards.audit.versions import installed_version, must_equal
from cards.formatting import counted
from cards.paper_figure import CSV, SVG, draw_figure, figure_csv, figure_texts, panels
from cards.record import RunRecord

TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
TICK = re.compile(r"[−-]?[0-9.]+")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
# Pixels, and names that matplotlib derives from coordinates: both change with the last digit of a number.
DERIVED = re.compile(r"base64,[^\"]*|\b\w*[0-9a-f]{10}\b")
TOLERANCE = 0.01  # points of a coordinate: processors round differently
LIBRARY = "matplotlib"


def figure_claims(subject: Subject, record: RunRecord) -> list[Claim]:
    """Compare the figure with the record.

    Args:
        subject: the model under audit.
        record: its record.

    Returns:
        A claim for each of the two files that is there.
    """
    claims = []
    if (subject.folder / CSV).is_file():
        text = read_bytes(subject, CSV).decode("utf-8", "replace")
        compared = f"{counted(len(text.splitlines()), 'line')} compared."
        statement = f"{CSV} holds the scores of the record."
        claims.append(_claim(record, statement, compared, _other_lines(text, figure_csv(record))))
    if (subject.folder / SVG).is_file():
        drawing = read_bytes(subject, SVG).decode("utf-8", "replace")
        statement = f"{SVG} shows the scores of the record."
        claims.append(_claim(record, statement, *_compare_drawings(drawing, record)))
    return claims


def _claim(record: RunRecord, statement: str, compared: str, problems: list[str]) -> Claim:
    if not problems:
        return Claim(FAMILY, statement, "holds", compared)
    evidence = joined(problems)
    if must_equal(record):
        return Claim(FAMILY, statement, "broken", evidence, "Restore the file that the run wrote.")
    remedy = f"Audit with finetune {record.finetune_version}, which wrote this file."
    return Claim(
        FAMILY, statement, "cannot tell", f"Another version of finetune wrote the file: {evidence}", remedy
    )


def _compare_drawings(drawing: str, record: RunRecord) -> tuple[str, list[str]]:
    """What was compared, and the differences."""
    expected = Counter(figure_texts(record))
    texts, problems = counted(expected.total(), "text"), _other_texts(drawing, expected)
    known, here = record.environment.packages.get(LIBRARY), installed_version(LIBRARY)
    if not panels(record):
        return f"{texts} compared.", problems or ["the record has no scores to draw"]
    if known != here or not must_equal(record):
        return (
            f"{texts} compared; the points only where {LIBRARY} {known or 'of the run'} is installed.",
            problems,
        )
    with TemporaryDirectory() as folder:
        draw_figure(record, Path(folder) / SVG)
        again = (Path(folder) / SVG).read_text(encoding="utf-8")
    found, wanted = (DERIVED.sub("", text) for text in (drawing, again))
    numbers = NUMBER.findall(wanted)
    if not problems and NUMBER.sub("0", found) != NUMBER.sub("0", wanted):
        problems = ["it has other elements than the drawing of the record"]
    if not problems:
        pairs = zip(NUMBER.findall(found), numbers, strict=True)
        apart = [abs(float(one) - float(other)) for one, other in pairs]
        if moved := [distance for distance in apart if distance > TOLERANCE]:
            problems = [f"{len(moved)} of {len(apart):,} numbers differ, by up to {max(moved):.3g}"]
    return f"{texts} and {len(numbers):,} numbers of the drawing compared.", problems


def _other_lines(text: str, expected: str) -> list[str]:
    if text == expected:
        return []
    pairs = zip_longest(text.splitlines(), expected.splitlines(), fillvalue="nothing")
    problems = [
        f"line {i}: {found}, expected {wanted}"
        for i, (found, wanted) in enumerate(pairs, 1)
        if found != wanted
    ]
    return problems or ["line breaks differ"]


def _other_texts(drawing: str, expected: Counter[str]) -> list[str]:
    """Texts that are missing or were added; the numbers of the axes depend on the version of matplotlib."""
    found = Counter(html.unescape(text) for text in TEXT.findall(drawing))
    added = (text for text in (found - expected).elements() if not TICK.fullmatch(text))
    missing = (expected - found).elements()
    return [*(f"{text!r} is missing" for text in missing), *(f"{text!r} was added" for text in added)]
