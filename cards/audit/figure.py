"""Claims on the figure for a paper: its numbers, and the text of its drawing."""

from __future__ import annotations

import html
import re
from collections import Counter
from itertools import zip_longest

from cards.audit.card_text import FAMILY
from cards.audit.claims import Claim, Subject, joined
from cards.audit.reading import read_bytes
from cards.audit.versions import must_equal
from cards.formatting import counted
from cards.paper_figure import CSV, SVG, figure_csv, figure_texts
from cards.record import RunRecord

TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
TICK = re.compile(r"[−-]?[0-9.]+")


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
        expected = Counter(figure_texts(record))
        compared = f"{counted(expected.total(), 'text')} compared; the points are not compared."
        statement = f"{SVG} states the mean scores of the record."
        claims.append(_claim(record, statement, compared, _other_texts(drawing, expected)))
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
