"""Croissant description of the data of a run: one file object with its SHA-256 per image and per label image.

Croissant is the metadata format of MLCommons for data sets (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html).
The description names files by their path in the data folder, so that it can be stored there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from cards.errors import ModelError
from cards.provenance.quiet import quiet
from cards.record import Data, RunRecord

IMAGES, SPLITS = "images", "splits"  # sets of records

MEDIA_TYPES = {
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".bmp": "image/bmp",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".zip": "application/zip",
    ".csv": "text/csv",
}
OTHER = "application/octet-stream"

COLUMNS = {
    "name": "Name of the image.",
    "split": "Split of the run: train, validation or test.",
    "image": "File of the image, as path in the data folder.",
    "label": "File of the label image, as path in the data folder.",
    "image_pixels": "SHA-256 of the decoded pixels of the image: int32:shape, newline, values little-endian.",
    "label_pixels": "SHA-256 of the decoded pixels of the label image, in the same form.",
    "page": "Page of a file with several images, from 0 on; -1 for a file with one.",
    "instances": "Number of instances in the label image.",
}
NUMBERS = ("page", "instances")


def croissant(record: RunRecord) -> str:
    """Describe the data of a run.

    Args:
        record: the run.

    Returns:
        JSON-LD in version 1.0 of Croissant, the same for the same record.

    Raises:
        ModelError: if mlcroissant finds an error in the description.
    """
    with quiet():
        import mlcroissant as mlc

        try:
            content = _metadata(mlc, record).to_json()
            text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
            mlc.Dataset(json.loads(text))
        except mlc.ValidationError as error:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"the description of the data is not valid Croissant: {reason}") from error
    return text


def _metadata(mlc: Any, record: RunRecord) -> Any:
    data = record.data
    return mlc.Metadata(
        name=data.id,
        description=_description(record),
        license=[data.license] if data.license else None,
        cite_as="\n".join(data.citation) or None,
        url=data.source,
        version=None,
        distribution=list(_file_objects(mlc, data)),
        record_sets=[_splits(mlc, data), _images(mlc, data)],
    )


def _description(record: RunRecord) -> str:
    data = record.data
    note = f" {data.note}" if data.note else ""
    return (
        f"{len(data.files)} images with label images ({data.labels}) as used in the run {record.name}.{note} "
        f"Split: {data.split_by}. SHA-256 of all pixels: {data.digest()}."
    )


def _file_objects(mlc: Any, data: Data) -> Iterator[Any]:
    """One object per file: several images may be pages of one, and share one file of annotations."""
    hashes: dict[str, str] = {}
    for file in data.files:
        hashes.setdefault(file.image, file.image_sha256)
        hashes.setdefault(file.label, file.label_sha256)
    for path, sha256 in hashes.items():
        media_type = MEDIA_TYPES.get(PurePosixPath(path).suffix.lower(), OTHER)
        yield mlc.FileObject(
            id=_identifier(path), name=path, content_url=path, encoding_formats=[media_type], sha256=sha256
        )


def _identifier(path: str) -> str:
    """An identifier holds no white space (JSON-LD: it is a relative IRI)."""
    return re.sub(r"\s", lambda space: quote(space[0]), path)


def _splits(mlc: Any, data: Data) -> Any:
    present = sorted({file.split for file in data.files})
    field = mlc.Field(id=f"{SPLITS}/name", name="name", data_types=[mlc.DataType.TEXT])
    return mlc.RecordSet(
        id=SPLITS,
        name=SPLITS,
        description="Splits of the run.",
        key=[f"{SPLITS}/name"],
        data_types=[mlc.DataType.SPLIT],
        fields=[field],
        data=[{f"{SPLITS}/name": split} for split in present],
    )


def _images(mlc: Any, data: Data) -> Any:
    """One record per image; the values are in the description itself, so that no file is read."""
    fields = [
        mlc.Field(
            id=f"{IMAGES}/{name}",
            name=name,
            description=description,
            data_types=[mlc.DataType.INTEGER if name in NUMBERS else mlc.DataType.TEXT],
            **({"references": mlc.Source(field=f"{SPLITS}/name")} if name == "split" else {}),
        )
        for name, description in COLUMNS.items()
    ]
    records = [
        {
            f"{IMAGES}/{name}": -1 if value is None else value
            for name in COLUMNS
            for value in [getattr(file, name)]
        }
        for file in data.files
    ]
    return mlc.RecordSet(
        id=IMAGES,
        name=IMAGES,
        description="Images with their label images.",
        key=[f"{IMAGES}/split", f"{IMAGES}/name"],
        fields=fields,
        data=records,
    )
