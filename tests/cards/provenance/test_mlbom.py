"""The ML-BOM is valid CycloneDX and states what the record states."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cards.provenance.mlbom import ml_bom
from cards.record import RunRecord


def assert_valid(text: str) -> None:
    from cyclonedx.schema import SchemaVersion  # takes two seconds, in every process that collects tests
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def components(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in document["components"]}


def test_the_bom_of_every_run_is_strictly_valid_and_reproducible(either: RunRecord) -> None:
    text = ml_bom(either)
    assert_valid(text)
    assert ml_bom(either) == text


def test_weights_and_data_have_the_hashes_of_the_record(full: RunRecord) -> None:
    document = json.loads(ml_bom(full))
    recorded = {file.path: file.sha256 for file in full.files}
    weights = document["metadata"]["component"]["components"]
    assert {file["name"] for file in weights} >= {"huggingface/model.safetensors"}
    for file in weights:
        assert file["hashes"] == [{"alg": "SHA-256", "content": recorded[file["name"]]}]
    data = components(document)[full.data.id]
    assert data["hashes"] == [{"alg": "SHA-256", "content": full.data.digest()}]
    assert [split["name"] for split in data["data"]] == ["train", "validation", "test"]


def test_licenses_are_spdx_ids_and_other_licenses_are_names(full: RunRecord) -> None:
    document = json.loads(ml_bom(full))
    assert components(document)[full.data.id]["licenses"] == [{"license": {"id": "CC0-1.0"}}]
    card = full.card.model_copy(update={"license": "Terms of our institute"})
    document = json.loads(ml_bom(full.model_copy(update={"card": card})))
    assert document["metadata"]["component"]["licenses"] == [{"license": {"name": "Terms of our institute"}}]


def test_the_base_model_is_an_ancestor_with_its_hash(full: RunRecord, sparse: RunRecord) -> None:
    model = json.loads(ml_bom(full))["metadata"]["component"]
    (ancestor, *_) = model["pedigree"]["ancestors"]
    assert (ancestor["name"], ancestor["version"]) == (full.model.base.id, full.model.base.revision)
    assert ancestor["hashes"][0]["content"] == full.model.base.sha256
    assert "pedigree" not in json.loads(ml_bom(sparse))["metadata"]["component"]


def test_figures_are_those_of_the_card(full: RunRecord) -> None:
    card = json.loads(ml_bom(full))["metadata"]["component"]["modelCard"]
    metrics = {
        (metric["type"], metric["slice"]): metric["value"]
        for metric in card["quantitativeAnalysis"]["performanceMetrics"]
    }
    assert full.accuracy is not None
    after = full.accuracy.after.summary["dice"]
    where = f"{full.accuracy.images} test images, after training"
    assert metrics["Dice, mean", where] == f"{after.mean:.4f}"
    assert metrics["Dice, standard deviation", where] == f"{after.std:.4f}"


def test_what_was_not_measured_is_not_measured(sparse: RunRecord) -> None:
    card = json.loads(ml_bom(sparse))["metadata"]["component"]["modelCard"]
    properties = {entry["name"]: entry["value"] for entry in card["properties"]}
    assert properties["finetune:energy of training"] == "not measured"
    assert card["quantitativeAnalysis"]["performanceMetrics"] == []


def test_every_package_of_the_environment_is_a_component(full: RunRecord) -> None:
    found = components(json.loads(ml_bom(full)))
    for name, version in full.environment.packages.items():
        assert found[name]["version"] == version
        assert found[name]["purl"].startswith("pkg:pypi/")


@pytest.mark.parametrize("text", ["<script>", 'a"b\n{{ 1 }}', "ä" * 300])
def test_hostile_text_stays_text(full: RunRecord, text: str) -> None:
    card = full.card.model_copy(update={"title": text, "description": text, "license": text})
    written = ml_bom(full.model_copy(update={"card": card}))
    assert_valid(written)
    assert json.loads(written)["metadata"]["component"]["name"] == text


def test_authors_are_contacts_and_their_ids_are_properties(full: RunRecord) -> None:
    component = json.loads(ml_bom(full))["metadata"]["component"]
    assert [author["name"] for author in component["authors"]] == ["Ada Example", "Grace Example"]
    stated = {entry["name"]: entry["value"] for entry in component["modelCard"]["properties"]}
    assert stated["finetune:author 1: ORCID iD"] == "https://orcid.org/0000-0002-1825-0097"
    assert stated["finetune:author 1: GitHub account"] == "ada-example"
    assert not any("author 2" in name for name in stated)
