"""References to cite: those of the data set and of the base model."""

from __future__ import annotations

from dataclasses import dataclass

from cards.record import RunRecord
from cards.references import is_bibtex


@dataclass(frozen=True)
class Citation:
    """A reference to cite.

    Attributes:
        what: what the reference describes: "Data" or "Base model".
        text: the reference, as plain text or BibTeX.
        bibtex: whether the text is BibTeX.
    """

    what: str
    text: str
    bibtex: bool


def citations(record: RunRecord) -> list[Citation]:
    """List the references to cite, each once.

    Args:
        record: the run.

    Returns:
        References of the data, then of the base model.
    """
    sources: dict[str, str] = {}
    for what, texts in (("Data", record.data.citation), ("Base model", record.model.base.citation)):
        for text in filter(str.strip, texts):
            sources.setdefault(text.strip(), what)
    return [Citation(what, text, is_bibtex(text)) for text, what in sources.items()]
