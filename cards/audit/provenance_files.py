"""Claims on the descriptions that may be added to a model: ML-BOM and Croissant are those of the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from cards.audit.card_text import FAMILY
from cards.audit.claims import Claim, Subject, joined, sentence
from cards.audit.reading import read_json
from cards.audit.values import differences
from cards.audit.versions import must_equal
from cards.errors import ModelError
from cards.provenance.mlbom_card import RECORD_DIGEST
from cards.record import RunRecord

BOM, CROISSANT = "model.cdx.json", "croissant.json"
WRITE = {BOM: "finetune card bom", CROISSANT: "finetune card croissant"}
# What depends on the version of the library, or on a record that also lists later tests.
FREE = ("$schema", "specVersion", "serialNumber", "@context", "conformsTo")


def provenance_claims(subject: Subject, record: RunRecord) -> Iterator[Claim]:
    """Write the descriptions again from the record, and compare those in the folder with them.

    Args:
        subject: the model under audit.
        record: its record.

    Yields:
        A claim for each description that is there.
    """
    writers: dict[str, Callable[[RunRecord], str]] = {BOM: _bom, CROISSANT: _croissant}
    for place in ("", "huggingface/"):
        for name, write in writers.items():
            if (subject.folder / place / name).is_file():
                yield _described(subject, record, f"{place}{name}", write, WRITE[name])


def _described(
    subject: Subject, record: RunRecord, name: str, write: Callable[[RunRecord], str], command: str
) -> Claim:
    statement = f"{name} states what the record states."
    remedy = f"Write the file again with `{command}`, or find out who changed it."
    try:
        found = read_json(subject, name)
    except ModelError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), remedy)
    try:
        expected = json.loads(write(record))
    except ImportError as error:
        install = 'Install finetune with the extra "provenance".'
        return Claim(FAMILY, statement, "cannot tell", f"{error.name} is not installed.", install)
    except ModelError as error:
        return Claim(FAMILY, statement, "cannot tell", sentence(error), remedy)
    problems = differences(_judged(found), _judged(expected))
    if problems and not must_equal(record):
        evidence = f"Another version of finetune may have worded it differently: {joined(problems)}"
        return Claim(FAMILY, statement, "cannot tell", evidence, remedy)
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), remedy)
    return Claim(FAMILY, statement, "holds", "Written again from the record and compared.")


def _judged(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    return _without_record_digest({key: value for key, value in content.items() if key not in FREE})


def _without_record_digest(content: Any) -> Any:
    """Leave out the hash of the record, which changes with each test of its package."""
    if isinstance(content, dict):
        return {key: _without_record_digest(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_record_digest(item) for item in content if not _is_record_digest(item)]
    return content


def _is_record_digest(item: Any) -> bool:
    return isinstance(item, dict) and item.get("name") == RECORD_DIGEST


def _bom(record: RunRecord) -> str:
    from cards.provenance.mlbom import ml_bom

    return ml_bom(record)


def _croissant(record: RunRecord) -> str:
    from cards.provenance.croissant import croissant

    return croissant(record)
