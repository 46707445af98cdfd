"""Rules of the BioImage.IO collection for a model, checked before anything is uploaded.

Sources: bioimageio.spec 0.5.12 (`generic.v0_3`, `model.v0_5`), and the collection's rules for contributions,
https://bioimage.io/docs. Every broken rule is reported with the recipe key that mends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NAME = re.compile(r"[A-Za-z0-9_+\- ()]{5,128}")
HEADING = re.compile(r"^#{1,6}\s.*validation", re.IGNORECASE | re.MULTILINE)
MAX_COVER = 500_000  # bytes
COVERS = (".gif", ".jpeg", ".jpg", ".png", ".svg")


def broken_rules(description: Mapping[str, Any], folder: Path) -> list[str]:
    """Check the description of a package.

    Args:
        description: content of `rdf.yaml`.
        folder: the unpacked package.

    Returns:
        One line per broken rule: what is missing, and the recipe key that supplies it.
    """
    return [*_texts(description), *_people(description), *_documentation(description, folder)] + [
        *_covers(description, folder)
    ]


def _texts(description: Mapping[str, Any]) -> Iterator[str]:
    name = str(description.get("name") or "")
    if not NAME.fullmatch(name):
        yield (
            f"name: {name!r} must have 5 to 128 letters, digits, spaces or _ + - ( ); set card.title in the "
            "recipe"
        )
    if not description.get("description"):
        yield "description: is missing; set card.description in the recipe"
    if not description.get("license"):
        yield "license: is missing; set card.license in the recipe to an SPDX id, such as CC-BY-4.0"
    if not description.get("tags"):
        yield "tags: are missing; set card.tags in the recipe, such as [nuclei, 2d]"
    if not description.get("cite"):
        yield "cite: is missing; set data.citation in the recipe to the paper of the data"
    if description.get("id"):
        yield "id: must not be set, because the collection assigns it; export the package again"


def _people(description: Mapping[str, Any]) -> Iterator[str]:
    authors = [author for author in description.get("authors") or () if isinstance(author, Mapping)]
    maintainers = [person for person in description.get("maintainers") or () if isinstance(person, Mapping)]
    if not authors:
        yield "authors: are missing; set card.authors in the recipe"
    if not any(person.get("github_user") for person in (*authors, *maintainers)):
        yield (
            "authors: none has a github_user, the account that the collection contacts about the model; "
            "set github_user of one author in card.authors in the recipe, such as "
            "[{name: Jane Doe, github_user: janedoe}]"
        )


def _documentation(description: Mapping[str, Any], folder: Path) -> Iterator[str]:
    path = _inside(folder, _source(description.get("documentation")))
    if path is None:
        yield "documentation: is missing; export the package again"
    elif not HEADING.search(path.read_text(encoding="utf-8", errors="replace")):
        yield f"documentation: {path.name} has no heading with 'Validation'; export the package again"


def _covers(description: Mapping[str, Any], folder: Path) -> Iterator[str]:
    covers = [_source(cover) for cover in description.get("covers") or ()]
    if not covers:
        yield "covers: there is no cover image; add test images to the data and run the recipe again"
    for cover in covers:
        path = _inside(folder, cover)
        if path is None:
            yield f"covers: {cover} is not in the package; export the package again"
        elif path.suffix.lower() not in COVERS or path.stat().st_size > MAX_COVER:
            yield f"covers: {cover} must be an image of at most {MAX_COVER:,} bytes; export the package again"


def _source(entry: Any) -> str | None:
    """Path of a file, which is a string or stands under `source`."""
    found = entry.get("source") if isinstance(entry, Mapping) else entry
    return str(found) if found else None


def _inside(folder: Path, name: str | None) -> Path | None:
    """A file of the package; None for one that is missing or outside of it."""
    if name is None:
        return None
    path = folder / name
    return path if path.is_file() and path.resolve().is_relative_to(folder.resolve()) else None
