"""Metadata of the Hugging Face card: what the Hub reads, and what it would refuse."""

from __future__ import annotations

import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from huggingface_hub.utils import validate_repo_id

from cards import huggingface
from cards.references import HUB_LICENSES, hub_license


def front(text):
    return yaml.safe_load(text.split("---\n", 2)[1])


def test_the_hub_reads_the_metadata_as_it_was_meant(full):
    text = huggingface.render(full)
    card = ModelCard(text)
    assert card.data.to_dict() == huggingface.metadata(full).to_dict() == front(text)
    assert ModelCardData(**front(text)).to_yaml() == card.data.to_yaml()
    assert card.data.base_model == "example/unet2d-nuclei-broad"
    assert card.data.base_model_relation == "finetune"
    assert card.data.datasets == ["example/dsb2018"]
    assert card.data.license == "mit"
    results = {result.metric_type: result for result in card.data.eval_results if not result.dataset_config}
    assert list(results) == ["dice", "dice_std", "ap50", "ap50_std", "pq", "pq_std"]
    dice = results["dice"]
    assert isinstance(dice, EvalResult)
    assert dice.metric_value == pytest.approx(full.accuracy.after.summary["dice"].mean, abs=5e-5)
    assert results["dice_std"].metric_value == pytest.approx(
        full.accuracy.after.summary["dice"].std, abs=5e-5
    )
    assert (dice.dataset_type, dice.dataset_split, dice.verified) == ("example/dsb2018", "test", False)


def test_nothing_is_claimed_that_was_not_stated(sparse):
    data = front(huggingface.render(sparse))
    assert set(data) == {"library_name", "pipeline_tag", "tags"}


def test_only_ids_on_the_hub_are_named_as_such(full):
    full.model.base.hub_id = None
    full.model.base.id = "/home/me/models/unet.pt"
    full.data.hub_id = None
    data = front(huggingface.render(full))
    assert "base_model" not in data
    assert "base_model_relation" not in data
    assert "datasets" not in data


@pytest.mark.parametrize("hub_id", ["a/b/c", "../up", "a b/c", "https://example.com/model", "name--x/y", ""])
def test_an_id_that_the_hub_would_refuse_is_left_out(full, hub_id):
    full.model.base.hub_id = full.data.hub_id = hub_id
    data = front(huggingface.render(full))
    assert "base_model" not in data
    assert "datasets" not in data


def test_ids_on_the_card_pass_the_validation_of_the_hub(full):
    data = huggingface.metadata(full)
    for hub_id in (data.base_model, *data.datasets):
        validate_repo_id(hub_id)


def test_the_model_index_survives_the_round_trip_through_the_library_of_the_hub(full):
    results = huggingface.evaluation(full)
    name, again = model_index_to_eval_results(eval_results_to_model_index("a model", results))
    assert name == "a model"
    assert again == results


def test_emissions_are_in_the_vocabulary_of_the_hub(full, sparse):
    assert front(huggingface.render(full))["co2_eq_emissions"] == {
        "emissions": 4.91,
        "source": "codecarbon 2.8.4",
        "training_type": "fine-tuning",
        "geographical_location": "Example Region",
        "hardware_used": "Example CPU 2.0 GHz, 2 threads",
    }
    assert "co2_eq_emissions" not in front(huggingface.render(sparse))


@pytest.mark.parametrize(
    ("spdx", "hub"),
    [
        ("MIT", "mit"),
        ("CC0-1.0", "cc0-1.0"),
        ("BSD-3-Clause", "bsd-3-clause"),
        ("CC-BY-NC-4.0", "cc-by-nc-4.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("ODbL-1.0", "odbl"),
        ("Custom-1", None),
    ],
)
def test_licenses_in_the_words_of_the_hub(full, spdx, hub):
    assert hub_license(spdx) == hub
    full.card.license = spdx
    data = front(huggingface.render(full))
    assert data["license"] == (hub or "other")
    assert data.get("license_name") == (None if hub else spdx)
    assert hub is None or hub in HUB_LICENSES
