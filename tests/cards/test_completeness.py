"""Completeness of the metadata of a package, by the formula of the BioImage.IO collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bioimageio.spec import ValidationContext, build_description

from cards.authored import Card
from cards.bioimageio import describe
from cards.bioimageio_parts import Onnx
from cards.people import Author
from cards.record import RunRecord


def completeness(record: RunRecord, parts: Any) -> float:
    """What bioimageio.spec computes for a description that is read again."""
    content = describe(record, parts).model_dump(mode="json", exclude_unset=True)
    with ValidationContext(perform_io_checks=False, log_warnings=False):
        return build_description(content).validation_summary.metadata_completeness


def absent(record: RunRecord, parts: Any) -> set[str]:
    """Keys that the formula counts and the description does not state."""
    described = describe(record, parts)
    stated, all_keys = (
        set(_keys(described.model_dump(mode="json", exclude_unset=unset), "")) for unset in (True, False)
    )
    return all_keys - stated


def _keys(content: dict[str, Any], before: str) -> Iterator[str]:
    for key, value in content.items():
        yield f"{before}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{before}{key}.")


@pytest.fixture
def three_formats(parts):
    import dataclasses

    onnx = parts.test_input.parent / "weights.onnx"
    onnx.write_bytes(b"onnx")
    return dataclasses.replace(parts, onnx=Onnx(onnx, 18))


def test_a_recipe_with_all_keys_of_the_card_gives_at_least_nine_tenths(full, three_formats):
    assert completeness(full, three_formats) >= 0.9


def test_evidence_alone_gives_more_than_eight_tenths(full, three_formats):
    full.card = Card(title=full.card.title, description=full.card.description, tags=["nuclei"])
    full.training.energy = None
    assert 0.8 <= completeness(full, three_formats) < 0.9


def test_what_is_unknown_stays_absent(full, three_formats):
    full.card = Card(title=full.card.title, description=full.card.description)
    full.training.energy = None
    config, impact = "config.bioimageio.", "config.bioimageio.environmental_impact."
    unknown = {"maintainers", "git_repo", f"{config}funded_by", f"{config}target_structure"}
    unknown |= {f"{impact}co2_emitted", f"{impact}compute_region", f"{impact}cloud_provider"}
    assert unknown <= absent(full, three_formats)
    assert {"id", "version", "uploader", "packaged_by", "training_data"} <= absent(full, three_formats)


def test_the_card_of_the_recipe_reaches_the_description(full, three_formats):
    full.card.biases = ["Most images show HeLa cells."]
    full.card.risks = ["Touching nuclei may be counted as one."]
    full.card.recommendations = ["Look at the outlines."]
    described = describe(full, three_formats)
    config = described.config.bioimageio
    assert config.funded_by == "Example Foundation, grant 42"
    assert config.target_structure == ["nuclei"]
    assert config.out_of_scope_use == "Diagnosis."
    assert str(described.git_repo) == "https://example.com/nuclei/code"
    about = config.bias_risks_limitations
    assert "- Most images show HeLa cells." in about.known_biases
    assert "- Touching nuclei may be counted as one." in about.risks
    assert about.recommendations.splitlines()[-1] == "- Look at the outlines."
    assert "- Tissue sections were not in the data." in about.limitations


def test_measured_energy_reaches_the_description(full, three_formats):
    impact = describe(full, three_formats).config.bioimageio.environmental_impact
    energy = full.training.energy
    assert impact.co2_emitted == pytest.approx(energy.co2_kilograms, rel=1e-2)
    assert (impact.compute_region, impact.cloud_provider) == (energy.region, energy.provider)


def test_the_country_of_the_recipe_is_the_region_if_no_energy_was_measured(full, three_formats):
    full.training.energy = None
    full.recipe["compute"] = {"country": "DEU"}
    assert describe(full, three_formats).config.bioimageio.environmental_impact.compute_region == "DEU"


def test_a_model_from_scratch_states_that_it_has_no_parent(full, sparse, three_formats):
    sparse.model.channels = 1
    for record, stated in ((sparse, True), (full, False)):
        assert ("parent" in describe(record, three_formats).model_fields_set) is stated


def test_weights_state_how_they_were_made(full, three_formats):
    full.card.authors = [Author(name="Ada Example")]
    weights = describe(full, three_formats).weights
    assert weights.pytorch_state_dict.comment == (
        "Weights of epoch 32 of 40 of the run unet_nuclei, written by finetune 0.1.0."
    )
    assert weights.onnx.comment.startswith("Converted from the weights of the run unet_nuclei")
    assert [author.name for author in weights.onnx.authors] == ["Ada Example"]
    assert weights.keras_hdf5 is None
    assert "keras_hdf5" in weights.model_fields_set
