"""A small finished run with cards of the present version, in a fraction of a second."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cards.bioimageio import description_values, identity_values, render_documentation
from cards.people import Author
from cards.record import RunRecord
from finetune.pipeline.artifacts import write_cards

RUN = Path(__file__).parents[1] / "fixtures" / "0.2.0" / "run"
LISTED = {
    "card": {"license": "MIT", "authors": [Author(name="Jane Doe", github_user="janedoe")]},
    "data": {"license": "MIT", "citation": ["Doe, J. Discs. https://doi.org/10.1007/978-3-030-00934-2_30"]},
}
"""What the rules of the BioImage.IO collection ask for."""


def write_run(
    folder: Path,
    *,
    package: bool = True,
    listed: bool = False,
    native: Mapping[str, bytes] | None = None,
    **changes: object,
) -> Path:
    """Copy the run of the fixture and write its cards anew.

    Args:
        folder: the run folder to write.
        package: whether to keep the BioImage.IO package, which repeats the fields of the record.
        listed: whether the package meets the rules of the BioImage.IO collection.
        native: files in the format of the network's repository.
        changes: fields of the record to change; only without the package.

    Returns:
        The folder.
    """
    shutil.copytree(RUN, folder)
    for old in ("README.md", "record.json"):
        (folder / "huggingface" / old).unlink()
    (folder / "huggingface" / "pictures").mkdir(exist_ok=True)
    record = RunRecord.read(folder).model_copy(update={"files": [], **changes})
    if not package:
        shutil.rmtree(folder / "bioimageio")
    if listed:
        record = _listed(record)
        _write_package(folder / "bioimageio" / "discs.zip", record)
    for name, content in (native or {}).items():
        (folder / "native" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "native" / name).write_bytes(content)
    write_cards(record, folder)
    return folder


def _listed(record: RunRecord) -> RunRecord:
    parts = {name: getattr(record, name).model_copy(update=values) for name, values in LISTED.items()}
    return record.model_copy(update=parts)


def _write_package(path: Path, record: RunRecord) -> None:
    """Bring documentation, record and description of a package up to date."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    yaml = YAML(typ="safe")
    description: dict[str, Any] = yaml.load(files["rdf.yaml"])
    record = RunRecord.model_validate_json(files["record.json"]).model_copy(
        update={name: getattr(record, name) for name in LISTED}
    )
    description |= description_values(record) | {"license": "MIT"}
    description["config"]["finetune"] |= identity_values(record)
    files["README.md"] = render_documentation(record).encode()
    files["record.json"] = record.dumps().encode()
    for place in (description["documentation"], description["attachments"][0]):
        place["sha256"] = hashlib.sha256(files[place["source"]]).hexdigest()
    text = io.StringIO()
    yaml.dump(description, text)
    files["rdf.yaml"] = text.getvalue().encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
