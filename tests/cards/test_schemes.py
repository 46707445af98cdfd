"""Our card has a place for every item of the Hub's annotated template, and for the fields of all schemes."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from cards import huggingface
from cards.schemes import CORE_FIELDS, HUB_TEMPLATE

TEMPLATE = (
    resources.files("huggingface_hub").joinpath("templates", "modelcard_template.md").read_text("utf-8")
)


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


def test_a_place_that_does_not_exist_is_not_found(full):
    assert not is_on(huggingface.render_body(full), "## Horoscope")
    assert not is_on(huggingface.render_body(full), "Horoscope")


@pytest.mark.parametrize("field", CORE_FIELDS, ids=lambda field: field.name)
def test_the_fields_common_to_all_schemes_are_on_every_card(either, field):
    assert is_on(huggingface.render_body(either), field.place)
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
