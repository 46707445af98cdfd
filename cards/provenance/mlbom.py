"""CycloneDX ML-BOM of a model: weights, base model, data and software, each with version, license and hash.

cyclonedx-python-lib writes the components. It has no classes for `modelCard`, which
`cards.provenance.mlbom_card` adds; the validator of the library then checks the whole document strictly.
Specification: https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from cards.errors import ModelError
from cards.evidence import Parent
from cards.limitations import limitations
from cards.provenance.mlbom_card import data_contents, model_card
from cards.record import Origin, RunRecord
from cards.references import find_doi

NAMESPACE = uuid.UUID("3a3d3f5e-5d0b-5c1a-9f0e-6b9f1c8f6d11")
"""Namespace of serial numbers: the same record always has the same one."""

WEIGHTS = (".safetensors", ".pt", ".pth", ".onnx", ".h5", ".npz", ".zip")
DATA, MODEL = "data", "model"  # references in the document


def ml_bom(record: RunRecord) -> str:
    """Write the ML-BOM of a model.

    Args:
        record: the run.

    Returns:
        JSON in version 1.6 of CycloneDX, the same for the same record. Local paths are not in it.

    Raises:
        ModelError: if the document is not valid.
    """
    from cyclonedx.output.json import JsonV1Dot6
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    document: dict[str, Any] = json.loads(JsonV1Dot6(_bom(record)).output_as_string())
    document["metadata"]["component"]["modelCard"] = model_card(record, DATA, limitations(record))
    for component in document["components"]:
        if component["bom-ref"] == DATA:
            component["data"] = data_contents(record)
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ModelError(f"the ML-BOM is not valid CycloneDX: {' '.join(str(error).split())[:300]}")
    return text


def _bom(record: RunRecord) -> Any:
    """Components, and which of them the model depends on."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType

    model = _model(record)
    data = _data(record)
    software = [
        Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            bom_ref=f"pypi:{name}",
            purl=_purl(name, version),
        )
        for name, version in sorted(record.environment.packages.items())
    ]
    tool = Component(name="finetune", version=record.finetune_version, type=ComponentType.APPLICATION)
    metadata = BomMetaData(component=model, timestamp=datetime.fromisoformat(record.created))
    metadata.tools.components.add(tool)
    serial = uuid.uuid5(NAMESPACE, record.digest())
    bom = Bom(components=[data, *software], metadata=metadata, serial_number=serial)
    bom.register_dependency(model, [data, *software])
    return bom


def _model(record: RunRecord) -> Any:
    from cyclonedx.model.component import Component, ComponentType, Pedigree
    from cyclonedx.model.contact import OrganizationalContact

    base = record.model.base
    ancestors = [_base(base), *map(_parent, base.parents)] if base.weights == "pretrained" else []
    return Component(
        name=record.card.title,
        version=record.created,
        description=record.card.description,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=MODEL,
        authors=[OrganizationalContact(name=author.name) for author in record.card.authors],
        licenses=_licenses(record.card.license),
        components=_weights(record),
        pedigree=Pedigree(ancestors=ancestors) if ancestors else None,
        external_references=_references([record.card.links.paper or "", *base.citation]),
    )


def _weights(record: RunRecord) -> list[Any]:
    """Exported weights and packages; checkpoints of the training are not part of the model."""
    from cyclonedx.model.component import Component, ComponentType

    return [
        Component(
            name=file.path,
            type=ComponentType.FILE,
            bom_ref=f"file:{file.path}",
            hashes=_hashes(file.sha256),
        )
        for file in record.files
        if PurePosixPath(file.path).suffix in WEIGHTS and not file.path.startswith("checkpoints/")
    ]


def _base(base: Origin) -> Any:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
    from cyclonedx.model.component import Component, ComponentType

    pages = [f"https://huggingface.co/{base.hub_id}"] if base.hub_id else []
    pages += [f"https://bioimage.io/#/?id={base.bioimageio_id}"] if base.bioimageio_id else []
    return Component(
        name=base.id,
        group=base.repository,
        version=base.revision,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="base",
        hashes=_hashes(base.sha256),
        licenses=_licenses(base.license),
        external_references=[
            ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(page)) for page in pages
        ],
    )


def _parent(parent: Parent) -> Any:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        name=parent.name,
        group=parent.repository,
        version=parent.revision,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        hashes=_hashes(parent.weights_sha256),
    )


def _data(record: RunRecord) -> Any:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
    from cyclonedx.model.component import Component, ComponentType

    data = record.data
    references = _references(data.citation)
    if data.source:
        reference = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(data.source))
        references.append(reference)
    return Component(
        name=data.id,
        description=data.note,
        type=ComponentType.DATA,
        bom_ref=DATA,
        hashes=_hashes(data.digest()),
        licenses=_licenses(data.license),
        external_references=references,
    )


def _references(citations: list[str]) -> list[Any]:
    """Publications with a DOI; a reference needs an address."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri

    dois = {doi: None for citation in citations if (doi := find_doi(citation))}
    return [
        ExternalReference(type=ExternalReferenceType.CITATION, url=XsUri(f"https://doi.org/{doi}"))
        for doi in dois
    ]


def _hashes(sha256: str | None) -> list[Any]:
    from cyclonedx.model import HashAlgorithm, HashType

    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _licenses(license: str | None) -> list[Any]:
    """The license as an SPDX id or expression if it is one, otherwise by its name."""
    from cyclonedx.contrib.license.factories import LicenseFactory

    return [LicenseFactory().make_from_string(license.strip())] if license and license.strip() else []


def _purl(name: str, version: str) -> Any:
    from packageurl import PackageURL

    # On PyPI, the name finetune belongs to another project.
    return PackageURL("generic" if name == "finetune" else "pypi", name=name, version=version)
