"""Family "card": every figure, name, license and date of the model is that of the record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from cards import huggingface
from cards.audit.card_text import FAMILY, RESTORE, CardText, supported_by, text_claims
from cards.audit.claims import Claim, Subject, collect, joined, record_of, sentence
from cards.audit.consistency import record_claims
from cards.audit.description import read_mapping
from cards.audit.hashing import sha256_of
from cards.audit.package_card import package_claims
from cards.audit.packages import packages
from cards.audit.provenance_files import provenance_claims
from cards.audit.reading import read_text
from cards.audit.report_page import report_claims
from cards.audit.run_files import run_file_claims
from cards.audit.stated import stated_differences
from cards.audit.text import Supported
from cards.audit.values import differences
from cards.audit.versions import must_equal
from cards.errors import InputError, ModelError
from cards.huggingface import PICTURES
from cards.record import RunRecord

README = "README.md"
RECORD = "record.json"
# Metadata of a card that may be added on the Hub and states nothing about the model.
_FREE = {"language", "widget", "thumbnail", "inference", "new_version"}


def check(subject: Subject) -> list[Claim]:
    """Compare all cards of a model with its record.

    Args:
        subject: the model under audit.

    Returns:
        The claims.

    Raises:
        ModelError: if there is no record.
    """
    record = record_of(subject)
    supported = supported_by(record)
    parts: list[Callable[[], Iterable[Claim]]] = [
        partial(record_claims, subject, record),
        partial(run_file_claims, subject, record),
    ]
    if subject.kind != "package":
        parts.append(partial(_readme, subject, record, supported))
    if subject.kind == "run":
        parts.append(partial(report_claims, subject, record, supported))
        parts.append(lambda: [_copies(subject)])
    parts.append(partial(provenance_claims, subject, record))
    alone = subject.kind == "package"
    processing = subject.tools.processing
    parts += [
        partial(package_claims, package, record, alone=alone, processing=processing)
        for package in packages(subject)
    ]
    return collect(FAMILY, parts)


def _readme(subject: Subject, record: RunRecord, supported: Supported) -> list[Claim]:
    name = f"huggingface/{README}" if subject.kind == "run" else README
    statement = f"There is a model card, {name}."
    try:
        text = read_text(subject, name)
    except ModelError as error:
        return [Claim(FAMILY, statement, "broken", sentence(error), RESTORE)]
    header, body = split_card(text)
    shown = _pictures(record)
    expected = huggingface.render_body(record, shown)
    lead = len(body) - len(body.lstrip("\n"))  # blank lines after the metadata
    first = header.count("\n") + 4 + lead
    card = CardText(name, f"{body.strip()}\n", expected, first)
    strict = must_equal(record)
    metadata = _metadata(name, header, record, supported, strict)
    return [metadata, *text_claims(card, record, supported)]


def split_card(text: str) -> tuple[str, str]:
    """Separate the metadata of a card from its body.

    Args:
        text: a README.md.

    Returns:
        YAML, which is empty if there are no metadata, and Markdown.
    """
    found = re.match(r"\ufeff?---\r?\n(.*?)\r?\n---\r?\n", text, re.DOTALL)
    return (found.group(1), text[found.end() :]) if found else ("", text)


def _metadata(name: str, text: str, record: RunRecord, supported: Supported, strict: bool) -> Claim:
    """Compare the YAML metadata: license, base model, data sets, and each metric of the model-index."""
    statement = f"The metadata of {name}, with their model-index, state what the record states."
    try:
        found = read_mapping(text.encode(), f"{name}: metadata")
    except ModelError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), RESTORE)
    expected = huggingface.metadata(record).to_dict()
    stated: dict[str, Any] = {key: value for key, value in found.items() if key not in _FREE}
    problems = stated_differences(stated, expected, supported, strict=strict)
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    return Claim(FAMILY, statement, "holds", f"{len(stated)} keys compared.")


def _copies(subject: Subject) -> Claim:
    statement = f"{RECORD} and its copy in huggingface/ are equal."
    copy = subject.folder / "huggingface" / RECORD
    if not copy.is_file():
        evidence = f"huggingface/{RECORD} is missing."
        return Claim(FAMILY, statement, "broken", evidence, f"Copy {RECORD} into huggingface/.")
    if sha256_of(copy) == sha256_of(subject.folder / RECORD):
        return Claim(FAMILY, statement, "holds", f"Both have the SHA-256 {sha256_of(copy)[:12]}…")
    try:
        other = RunRecord.parse(copy.read_bytes(), f"huggingface/{RECORD}")
        found = differences(other.model_dump(mode="json"), record_of(subject).model_dump(mode="json"))
        evidence = f"huggingface/{RECORD}: {joined(found or ['the same values in another notation'])}"
    except InputError as error:
        evidence = sentence(error)
    remedy = "Find out which of the two was edited; the card was rendered from only one."
    return Claim(FAMILY, statement, "broken", evidence, remedy)


def _pictures(record: RunRecord) -> list[str]:
    """Pictures that the card showed when it was written."""
    listed = {file.path for file in record.files}
    return [name for name in PICTURES if f"huggingface/pictures/{name}" in listed]
