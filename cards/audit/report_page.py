"""report.html of a run: its text is that of the record, and its programs are those of finetune."""

from __future__ import annotations

import re
from html import unescape
from itertools import zip_longest

from cards.audit.card_text import FAMILY, RESTORE, CardText, text_claims
from cards.audit.claims import Claim, Subject, joined, sentence
from cards.audit.reading import read_text
from cards.audit.text import Supported
from cards.audit.values import shown
from cards.audit.versions import installed_version, must_equal
from cards.errors import InputError
from cards.huggingface import render_body
from cards.previews import FILE as PREVIEWS
from cards.record import RunRecord
from cards.rendering import render_report, shown_pictures

REPORT = "report.html"
LIBRARY = "itables"
_PICTURE = re.compile(r'(?:src|href)="data:[^"]*"')
_BUTTON = re.compile(r"<button\b([^>]*)>")
_PART = re.compile(r"<style\b.*?</style>|(?:href|src)=\"[^\"]*\"", re.DOTALL)
_CELL = re.compile(r"</t[dh]>\s*")
_HIDDEN = re.compile(r"<style>.*?</style>|<script\b.*?</script>|<[^>]*>", re.DOTALL)
_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL | re.IGNORECASE)
_POLICY = re.compile(r"<meta[^>]*Content-Security-Policy[^>]*>", re.IGNORECASE)


def report_claims(subject: Subject, record: RunRecord, supported: Supported) -> list[Claim]:
    """Compare the report with the one that follows from the record.

    Args:
        subject: a run folder.
        record: of the run.
        supported: what that record supports.

    Returns:
        The claims; none without a report, whose absence is a claim of the family "files".
    """
    if not (subject.folder / REPORT).is_file():
        return []
    folder = subject.folder / "huggingface" / "pictures"
    try:
        body = render_body(record, shown_pictures(folder))
        expected = render_report(record, body, folder, subject.folder)
    except InputError as error:
        statement = f"The pictures of {REPORT} are those of {PREVIEWS}."
        return [Claim(FAMILY, statement, "broken", sentence(error), RESTORE)]
    try:
        found = read_text(subject, REPORT)
    except InputError as error:
        return [Claim(FAMILY, f"{REPORT} can be read.", "broken", sentence(error), RESTORE)]
    plain = _plain(found)
    text = CardText(REPORT, plain, plain if found == expected else _plain(expected), None)
    claims = [*text_claims(text, record, supported), _programs(found, expected, record)]
    if must_equal(record) and record.environment.packages.get(LIBRARY) == installed_version(LIBRARY):
        claims.append(_page(found, expected))
    return claims


def _page(found: str, expected: str) -> Claim:
    """Compare everything else: style sheets, which can add and hide text, links and pictures."""
    statement = f"The styles, links and pictures of {REPORT} are those that finetune writes."
    if found == expected:
        return Claim(FAMILY, statement, "holds", f"{len(found.encode()):,} bytes compared.")
    pairs = zip_longest(_PART.findall(found), _PART.findall(expected), fillvalue="nothing")
    problems = [f"{shown(one)} instead of {shown(other)}" for one, other in pairs if one != other]
    return Claim(
        FAMILY, statement, "broken", joined(problems) if problems else "The markup differs.", RESTORE
    )


def _programs(found: str, expected: str, record: RunRecord) -> Claim:
    """Compare the scripts and the security policy, which names each script by its hash."""
    statement = f"The scripts and the security policy of {REPORT} are those of finetune."
    if found == expected or _executable(found) == _executable(expected):
        count = len(_SCRIPT.findall(found))
        evidence = f"{count} scripts and the policy compared." if count else "No script; the policy compared."
        return Claim(FAMILY, statement, "holds", evidence)
    if not must_equal(record):
        remedy = f"Audit with finetune {record.finetune_version}, which wrote this page."
        return Claim(FAMILY, statement, "cannot tell", "Another version of finetune wrote the page.", remedy)
    library = record.environment.packages.get(LIBRARY)
    if library != installed_version(LIBRARY):
        state = library or "not installed"
        evidence = f"The table comes from {LIBRARY}, which was {state} for the run; here, it differs."
        remedy = f"Audit where {LIBRARY} is {state}."
        return Claim(FAMILY, statement, "cannot tell", evidence, remedy)
    evidence = "They differ from those that finetune writes for this record."
    return Claim(FAMILY, statement, "broken", evidence, f"Do not open the file. {RESTORE}")


def _executable(page: str) -> tuple[list[str], list[str]]:
    """Security policies and scripts of a page; one script holds the labels and distances that it shows."""
    return _POLICY.findall(page), _SCRIPT.findall(page)


def _plain(page: str) -> str:
    """The text of a page, one line for each paragraph and row, without pictures.

    The attributes of buttons are text, too: the viewer shows them.
    """
    page = _CELL.sub(" | ", _BUTTON.sub(r"\1 ", _PICTURE.sub("", page)))
    lines = (" ".join(unescape(line).split()) for line in _HIDDEN.sub("", page).splitlines())
    return "\n".join(line for line in lines if line) + "\n"
