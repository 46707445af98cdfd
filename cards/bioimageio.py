"""The BioImage.IO description of a run: the content of rdf.yaml in its package.

`describe` fills a `ModelDescr` from the record and from files; it neither runs the model nor accesses the
internet. `bioimageio.spec.save_bioimageio_package` writes the package.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import HttpUrl

from cards import bioimageio_people as people
from cards import huggingface, markdown
from cards import statements as facts
from cards.bioimageio_config import bioimageio_config
from cards.bioimageio_parts import Onnx, PackageParts, StateDict, TorchScript
from cards.bioimageio_tensors import input_tensor, output_tensor
from cards.bioimageio_weights import weights
from cards.citations import MODEL, citations
from cards.fingerprint import sha256_file
from cards.markdown import plain
from cards.record import RunRecord
from cards.references import find_doi, find_url

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

__all__ = [
    "Onnx",
    "PackageParts",
    "StateDict",
    "TorchScript",
    "clean_name",
    "describe",
    "render_documentation",
]


def render_documentation(record: RunRecord) -> str:
    """Render README.md of the package, with the heading "Validation" that BioImage.IO requires.

    Args:
        record: the run.

    Returns:
        Markdown.
    """
    context = huggingface.context(record)
    return markdown.render(
        "documentation.md.j2", **(context | {"package": f"{record.name}.zip", "documentation": True})
    )


def describe(record: RunRecord, parts: PackageParts) -> ModelDescr:
    """Describe the package.

    Facts that are not stated are absent: without authors, license or citations the description is valid, and
    `bioimageio test` warns.

    Args:
        record: the run.
        parts: files and operations of the package.

    Returns:
        The validated description.

    Raises:
        pydantic.ValidationError: if the parts do not fit together, e.g. a test tensor of another shape.
    """
    from bioimageio.spec import ValidationContext
    from bioimageio.spec.model import v0_5

    parts.folder.mkdir(parents=True, exist_ok=True)
    documentation, attached = parts.folder / "README.md", parts.folder / "record.json"
    documentation.write_text(render_documentation(record), encoding="utf-8")
    attached.write_text(record.dumps(), encoding="utf-8")
    values = description_values(record)
    # The spec does not fetch URLs listed as known: a run must work offline.
    with ValidationContext(perform_io_checks=True, known_files=dict.fromkeys(_urls(record))):
        described = v0_5.ModelDescr(
            **people.without_accounts(values),
            license=_license(record, parts.folder),
            documentation=v0_5.FileDescr(source=documentation),
            covers=[v0_5.FileDescr(source=path) for path in parts.covers],
            inputs=[input_tensor(record, parts)],
            outputs=[output_tensor(parts)],
            weights=weights(record, parts),
            attachments=[v0_5.FileDescr(source=path) for path in (attached, *parts.attachments)],
            config=v0_5.Config.model_validate(
                {
                    "bioimageio": bioimageio_config(record, parts.tolerance),
                    "finetune": _own(record, parts),
                    "stardist": None,
                }
            ),
        )
    return _with_people(described, values)


def _with_people(described: ModelDescr, values: dict[str, Any]) -> ModelDescr:
    """Add authors and maintainers with their GitHub accounts, which are not looked up."""
    from bioimageio.spec import ValidationContext
    from bioimageio.spec.model import v0_5

    kinds: dict[str, Any] = {"authors": v0_5.Author, "maintainers": v0_5.Maintainer}
    with ValidationContext(perform_io_checks=False):
        made = {
            key: [kind(**person) for person in values[key]] for key, kind in kinds.items() if key in values
        }
    formats = [name for name, entry in described.weights if entry is not None] if made["authors"] else []
    return people.with_people(described, made, dict.fromkeys(formats, made["authors"]))


def description_values(record: RunRecord) -> dict[str, Any]:
    """Fields of a description that follow from the record alone. Does not import bioimageio.spec.

    Args:
        record: the run.

    Returns:
        JSON values by key. What is unknown is absent. None states that there is none: `parent` of a model
        that was trained from scratch, and `run_mode`, because finetune writes no other.
    """
    return {
        "name": clean_name(record.card.title),
        "description": _brief(record.card.description),
        "authors": people.authors(record),
        **({"maintainers": maintainers} if (maintainers := people.maintainers(record)) else {}),
        "cite": _cite(record),
        "tags": [plain(tag) for tag in facts.tags(record)],
        "timestamp": datetime.fromisoformat(record.created).isoformat(),
        **({"git_repo": str(HttpUrl(page))} if (page := record.card.links.repository) else {}),
        "run_mode": None,
        **_parent(record),
    }


def _parent(record: RunRecord) -> dict[str, Any]:
    """The base model as parent, if it has an id in the BioImage.IO collection; None if there is none."""
    base = record.model.base
    if base.weights == "random":
        return {"parent": None}
    if base.bioimageio_id is None:
        return {}
    version = base.revision if base.revision and not base.revision.startswith("sha256:") else None
    return {"parent": {"id": base.bioimageio_id, **({"version": version} if version else {})}}


def _own(record: RunRecord, parts: PackageParts) -> dict[str, Any]:
    """`config.finetune`: identity of the run, hashes of the covers, and how finetune predicts."""
    return {
        **identity_values(record),
        # Until format 0.5.10, `covers` are plain strings.
        **(
            {"covers_sha256": {path.name: sha256_file(path) for path in parts.covers}} if parts.covers else {}
        ),
        **({"prediction": parts.prediction} if parts.prediction else {}),
    }


def identity_values(record: RunRecord) -> dict[str, Any]:
    """Identity of run, data and base model, for which the format has no fields: part of `config.finetune`.

    The base model is included because `parent` accepts only models of the BioImage.IO collection.

    Args:
        record: the run, as stored in the package.

    Returns:
        JSON values by key.
    """
    base = record.model.base
    known = {"repository": base.repository, "id": base.id, "revision": base.revision, "sha256": base.sha256}
    parent = {f"base_{key}": value for key, value in known.items() if value and base.weights == "pretrained"}
    return {
        **parent,
        "version": record.finetune_version,
        "run": record.name,
        "record": "record.json",
        "record_sha256": record.digest(),
        "data_sha256": record.data.digest(),
    }


def clean_name(title: str) -> str:
    """Convert a title to a valid BioImage.IO name: 5 to 128 characters of `[A-Za-z0-9_+- ()]`.

    Args:
        title: any text.

    Returns:
        The name.
    """
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    name = " ".join(re.sub(r"[^A-Za-z0-9_+\- ()]", " ", letters).split())[:128].strip()
    return name if len(name) >= 5 else f"{name} model".strip()


def _brief(description: str) -> str:
    """The description on one line, shortened at a word to the 1024 characters that BioImage.IO allows."""
    line = plain(description)
    return line if len(line) <= 1024 else line[:1023].rsplit(" ", 1)[0] + "…"


def _cite(record: RunRecord) -> list[dict[str, str]]:
    """The citations with a DOI or a web address, one of which BioImage.IO requires."""
    entries = []
    for entry in citations(record):
        if entry.what == MODEL and entry.bibtex:  # the same as text precedes it
            continue
        text = f"{entry.what}: {plain(entry.text)}"
        if doi := find_doi(entry.text):
            entries.append({"text": text, "doi": doi})
        elif url := find_url(entry.text):
            entries.append({"text": text, "url": url})
    return entries


def _license(record: RunRecord, folder: Path) -> Any:
    """The SPDX id, a file with the name of a license that has none, or None if no license is stated."""
    from bioimageio.spec.model import v0_5
    from bioimageio.spec.utils import get_spdx_licenses

    if not record.card.license or not record.card.license.strip():
        return None
    stated = plain(record.card.license)
    known = {entry["licenseId"].lower(): entry["licenseId"] for entry in get_spdx_licenses()["licenses"]}
    if found := known.get(stated.lower()):
        return found
    path = folder / "LICENSE.txt"
    path.write_text(f"{stated}\n", encoding="utf-8")
    return v0_5.FileDescr(source=path)


def _urls(record: RunRecord) -> set[str]:
    """All web addresses in the description, in the spelling of the spec."""
    urls = [
        record.data.source,
        record.card.links.repository,
        *(find_url(entry.text) for entry in citations(record)),
    ]
    return {str(HttpUrl(url)) for url in urls if url}
