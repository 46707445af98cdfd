"""mlcroissant reads the description back: one hash per file, and one record per image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cards.fingerprint import sha256_file
from cards.provenance.croissant import croissant
from cards.record import RunRecord


def dataset(source: Any) -> Any:
    import mlcroissant  # takes a second, in every process that collects tests

    return mlcroissant.Dataset(source)


def test_every_image_and_label_image_has_a_file_object_with_its_hash(either: RunRecord) -> None:
    content = json.loads(croissant(either))
    objects = {entry["contentUrl"]: entry["sha256"] for entry in content["distribution"]}
    for file in either.data.files:
        assert objects[file.image] == file.image_sha256
        assert objects[file.label] == file.label_sha256
    assert len(objects) == 2 * len(either.data.files)


def test_mlcroissant_reads_splits_and_hashes_of_pixels(full: RunRecord) -> None:
    records = list(dataset(json.loads(croissant(full))).records("images"))
    assert [(record["images/name"], record["images/split"]) for record in records] == [
        (file.name, file.split) for file in full.data.files
    ]
    assert records[0]["images/image_pixels"] == full.data.files[0].image_pixels


def test_license_citation_and_source_are_those_of_the_record(full: RunRecord) -> None:
    metadata = dataset(json.loads(croissant(full))).metadata
    assert metadata.license == [full.data.license]
    assert metadata.url == full.data.source
    assert all(citation in (metadata.cite_as or "") for citation in full.data.citation)
    assert not metadata.ctx.issues.errors


def test_what_is_not_stated_is_absent(sparse: RunRecord) -> None:
    content = json.loads(croissant(sparse))
    assert not {"license", "url", "citeAs", "datePublished"} & set(content)


def test_a_description_in_the_data_folder_names_the_files_there(full: RunRecord, tmp_path: Path) -> None:
    described = []
    for file in full.data.files:
        for path in (file.image, file.label):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(path.encode())
        hashes = {
            "image_sha256": sha256_file(tmp_path / file.image),
            "label_sha256": sha256_file(tmp_path / file.label),
        }
        described.append(file.model_copy(update=hashes))
    data = full.data.model_copy(update={"files": described})
    path = tmp_path / "croissant.json"
    path.write_text(croissant(full.model_copy(update={"data": data})), encoding="utf-8")
    for entry in dataset(path).metadata.distribution:
        assert sha256_file(tmp_path / entry.content_url) == entry.sha256


def test_pages_of_one_file_share_a_file_object(full: RunRecord) -> None:
    first, second, *others = full.data.files
    page = {"image": first.image, "label": first.label, "page": 1}
    files = [first.model_copy(update={"page": 0}), second.model_copy(update=page), *others]
    record = full.model_copy(update={"data": full.data.model_copy(update={"files": files})})
    content = json.loads(croissant(record))
    assert len(content["distribution"]) == 2 * (len(files) - 1)


def test_the_description_is_the_same_each_time(full: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    assert croissant(full) == croissant(full)
    assert capsys.readouterr().out == ""
