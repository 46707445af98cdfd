"""References to cite: the model itself, the data set and the base model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from cards import formatting as words
from cards.markdown import plain
from cards.record import RunRecord
from cards.references import find_doi, is_bibtex

MODEL = "This model"


@dataclass(frozen=True)
class Citation:
    """A reference to cite.

    Attributes:
        what: what the reference describes: "This model", "Data" or "Base model".
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
        References of the model, if its authors are stated, then of the data and of the base model.
    """
    sources: dict[str, str] = {}
    for what, texts in (
        (MODEL, _of_model(record)),
        ("Data", record.data.citation),
        ("Base model", record.model.base.citation),
    ):
        for text in filter(str.strip, texts):
            sources.setdefault(text.strip(), what)
    return [Citation(what, text, is_bibtex(text)) for text, what in sources.items()]


def _of_model(record: RunRecord) -> Iterator[str]:
    """The model as text in the order of APA (authors, year, title, kind, address), and as BibTeX."""
    card, year = record.card, record.created[:4]
    authors = [plain(author.name) for author in card.authors if author.name.strip()]
    if not authors:
        return
    title, page = plain(card.title), card.links.paper or card.links.repository or card.links.demo
    yield f"{words.listed(authors)} ({year}). {title}. Machine-learning model." + (f" {page}" if page else "")
    doi = find_doi(page or "")
    address = {"doi": doi} if doi else {"url": page} if page else {}
    fields = {
        "title": f"{{{_latex(title)}}}",
        "author": " and ".join(map(_latex, authors)),
        "year": year,
        **address,
    }
    lines = (f"  {key} = {{{value}}}" for key, value in fields.items())
    yield f"@misc{{{_key(authors[0])}{year},\n" + ",\n".join(lines) + "\n}"


def _key(name: str) -> str:
    """Key of a BibTeX entry: the last word of a name, in ASCII letters."""
    letters = unicodedata.normalize("NFKD", name.split()[-1]).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z]", "", letters).lower() or "model"


def _latex(text: str) -> str:
    """Text whose characters have no meaning in LaTeX; braces and backslashes are left out."""
    return re.sub(r"[&%#$_]", r"\\\g<0>", re.sub(r"[{}\\]", "", text))
