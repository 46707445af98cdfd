"""Cards have a place for every item of the Hub's and the zoo's template, and the fields of all schemes."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path

import examples
import pytest

from cards import huggingface
from cards.bioimageio import render_documentation
from cards.schemes import CORE_FIELDS, HUB_TEMPLATE
from cards.zoo_template import ZOO_TEMPLATE

TEMPLATE = (
    resources.files("huggingface_hub").joinpath("templates", "modelcard_template.md").read_text("utf-8")
)

ZOO_ITEMS = [
    line
    for line in (Path(__file__).parents[1] / "fixtures" / "bioimageio-model-card-items.txt")
    .read_text()
    .splitlines()
    if not line.startswith("#")
]


RECORDS = pytest.mark.parametrize("record", ["full", "sparse"])


@cache
def card(record):
    """Body of the model card of an example."""
    return huggingface.render_body(getattr(examples, record)())


@cache
def documentation(record):
    """Documentation in the package of an example."""
    return render_documentation(getattr(examples, record)())


def items():
    """Headings and labels of the Hub's template, without the title."""
    found = re.findall(r"^#{2,} (.+)$|^- \*\*(.+?):\*\*|^\*\*(.+?):\*\*", TEMPLATE, re.MULTILINE)
    return [re.sub(r" \[optional\]$", "", "".join(groups)) for groups in found]


def is_on(card, place):
    """Whether a card has a heading, a row, a column, a bullet, or a folded section of this name."""
    if place.startswith("#"):
        return place in card.splitlines()
    cell = rf"\| {re.escape(place)} \|"
    label = rf"\*\*{re.escape(place)}:\*\*"
    return re.search(rf"{cell}|{label}|<summary>{re.escape(place)}</summary>", card) is not None


def test_the_template_is_read():
    assert {"Model Details", "Developed by", "Training regime", "BibTeX", "Model Card Contact"} <= set(
        items()
    )
    assert len(items()) > 45


@RECORDS
def test_every_item_of_the_template_of_the_hub_is_on_every_card(record):
    missing = {item: HUB_TEMPLATE[item] for item in items() if not is_on(card(record), HUB_TEMPLATE[item])}
    assert not missing


def test_the_map_names_nothing_that_the_template_does_not_have():
    assert set(HUB_TEMPLATE) == set(items())


@RECORDS
def test_every_item_of_the_template_of_bioimageio_is_in_every_package(record):
    places = {item: ZOO_TEMPLATE[item] for item in ZOO_ITEMS}
    assert not {item: place for item, place in places.items() if not is_on(documentation(record), place)}


def test_the_map_of_bioimageio_names_each_item_of_the_template_once():
    assert list(ZOO_TEMPLATE) == ZOO_ITEMS


def test_what_the_package_does_not_state_comes_with_its_recipe_key():
    text = documentation("sparse")
    for item, key in (
        ("Modality", "card.tags"),
        ("Description of the images", "card.images"),
        ("Funding", "card.funding"),
        ("Repository", "card.links.repository"),
        ("Further risks", "card.risks"),
    ):
        assert f"| {item} | not stated | `{key}` |" in text


def test_a_place_that_does_not_exist_is_not_found():
    assert not is_on(card("full"), "## Horoscope")
    assert not is_on(card("full"), "Horoscope")


@RECORDS
def test_the_fields_common_to_all_schemes_are_on_every_card(record):
    for field in CORE_FIELDS:
        assert is_on(card(record), field.place), field
        in_package = "## Validation" if field.place == "## Results" else field.place
        assert is_on(documentation(record), in_package), field
        assert field.hub in HUB_TEMPLATE, field


def test_the_common_fields_exist_in_the_description_of_bioimageio():
    from bioimageio.spec.model.v0_5 import ModelDescr

    assert {field.bioimageio for field in CORE_FIELDS} <= set(ModelDescr.model_fields)


def test_each_missing_item_comes_with_a_recipe_key_that_exists(sparse):
    from cards.missing import missing
    from finetune.recipe.schema import Recipe

    keys = [item.remedy.strip("`") for item in missing(sparse) if item.remedy.startswith("`card.")]
    assert len(keys) >= 9
    for key in keys:
        model = Recipe
        for part in key.split("."):
            field = model.model_fields[part]
            model = field.annotation
