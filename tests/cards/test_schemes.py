"""Cards have a place for every item of the Hub's and the zoo's template, and the fields of all schemes."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

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


@pytest.mark.parametrize("item", items())
def test_every_item_of_the_template_of_the_hub_is_on_every_card(either, item):
    card = huggingface.render_body(either)
    assert is_on(card, HUB_TEMPLATE[item]), f"{item}: no {HUB_TEMPLATE[item]!r} on the card of {either.name}"


def test_the_map_names_nothing_that_the_template_does_not_have():
    assert set(HUB_TEMPLATE) == set(items())


@pytest.mark.parametrize("item", ZOO_ITEMS)
def test_every_item_of_the_template_of_bioimageio_is_in_every_package(either, item):
    text = render_documentation(either)
    assert is_on(text, ZOO_TEMPLATE[item]), f"{item}: no {ZOO_TEMPLATE[item]!r} for {either.name}"


def test_the_map_of_bioimageio_names_each_item_of_the_template_once():
    assert list(ZOO_TEMPLATE) == ZOO_ITEMS


def test_what_the_package_does_not_state_comes_with_its_recipe_key(sparse):
    text = render_documentation(sparse)
    for item, key in (
        ("Modality", "card.tags"),
        ("Description of the images", "card.images"),
        ("Funding", "card.funding"),
        ("Repository", "card.links.repository"),
        ("Further risks", "card.risks"),
    ):
        assert f"| {item} | not stated | `{key}` |" in text


def test_a_place_that_does_not_exist_is_not_found(full):
    assert not is_on(huggingface.render_body(full), "## Horoscope")
    assert not is_on(huggingface.render_body(full), "Horoscope")


@pytest.mark.parametrize("field", CORE_FIELDS, ids=lambda field: field.name)
def test_the_fields_common_to_all_schemes_are_on_every_card(either, field):
    assert is_on(huggingface.render_body(either), field.place)
    in_package = "## Validation" if field.place == "## Results" else field.place
    assert is_on(render_documentation(either), in_package)
    assert field.hub in HUB_TEMPLATE


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
