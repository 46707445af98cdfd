"""Comparison of a rendered card with the text that follows from the record, as claims."""

from __future__ import annotations

from dataclasses import dataclass

from cards.audit.claims import Claim, joined
from cards.audit.first_difference import first_difference
from cards.audit.text import Comparison, Supported, compare_texts, figures_in
from cards.audit.versions import must_equal
from cards.record import RunRecord
from cards.references import hub_license

FAMILY = "card"
RESTORE = "Restore the file, or render it again from the record with `finetune card render`."


@dataclass(frozen=True)
class CardText:
    """A text that follows from a record.

    Attributes:
        name: of the file, as the reader finds it.
        found: the text as it is stored.
        expected: the text as this version of finetune renders it.
        first: number of the first line in its file; None for a text that was extracted from HTML.
    """

    name: str
    found: str
    expected: str
    first: int | None = 1


def text_claims(text: CardText, record: RunRecord, supported: Supported) -> list[Claim]:
    """Compare figures and wording of a card with the record.

    Args:
        text: the card.
        record: the record from which it was rendered.
        supported: what that record supports, from `supported_by`.

    Returns:
        One claim on figures, names and licenses, and one on the wording.
    """
    compared = compare_texts(text.found, text.expected, supported, text.first)
    return [_figures(text, record, compared), _wording(text, record, compared)]


def _figures(text: CardText, record: RunRecord, compared: Comparison) -> Claim:
    statement = f"Every figure, date, name and license in {text.name} is that of the record."
    strict = must_equal(record)
    unsupported = [found for found in compared.unknown if strict or _is_license(found)]
    problems = [*compared.changed, *(f"{found} does not occur in the record" for found in unsupported)]
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    if compared.unknown:
        evidence = f"Not found in the record: {joined(compared.unknown)}"
        remedy = f"Audit with finetune {record.finetune_version}, which rendered this card."
        return Claim(FAMILY, statement, "cannot tell", evidence, remedy)
    return Claim(FAMILY, statement, "holds", f"{compared.figures} figures compared.")


def _wording(text: CardText, record: RunRecord, compared: Comparison) -> Claim:
    statement = f"{text.name} is the text that finetune wrote for this record."
    if text.found == text.expected:
        return Claim(FAMILY, statement, "holds", "Equal to the text rendered from the record.")
    strict = must_equal(record)
    changes = [*compared.wording, *(f"missing: {line}" for line in compared.missing)]
    evidence = joined(changes or [first_difference(text.found, text.expected, text.first)])
    if strict:
        return Claim(FAMILY, statement, "broken", f"Edited: {evidence}", RESTORE)
    remedy = f"Audit with the code of finetune that wrote the record: {_written_by(record)}."
    return Claim(FAMILY, statement, "cannot tell", f"Other wording: {evidence}", remedy)


def _written_by(record: RunRecord) -> str:
    commit = record.environment.git_commit
    return f"version {record.finetune_version}" + (f", commit {commit[:12]}" if commit else "")


def supported_by(record: RunRecord) -> Supported:
    """Collect what a record supports: its values, and names that a card repeats as they are.

    Args:
        record: the run.

    Returns:
        The values of the record, and texts on one line each.
    """
    base, data, card = record.model.base, record.data, record.card
    stated = (
        *(card.title, card.license, card.intended_use, *card.limits),
        *(text for author in card.authors for text in author.stated().values()),
        *(base.id, base.license, base.revision, base.terms, base.hub_id),
        *(data.id, data.license, data.source, data.split_by, data.note, record.name),
    )
    names = tuple(" ".join(text.split()) for text in stated if text and text.strip())
    return Supported(record.model_dump(mode="json"), names)


def _is_license(found: str) -> bool:
    figures = figures_in(found.partition(": ")[2])
    return any(hub_license(figure) for figure in figures)
