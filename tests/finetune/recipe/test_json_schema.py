"""The JSON Schema accepts and rejects the same recipes as the reader; the committed file is up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finetune.adapters import ADAPTERS
from finetune.recipe.json_schema import recipe_schema
from finetune.recipe.library import SCHEMA_FILE, copy_recipe, recipe_folder
from finetune.targets.registry import TARGETS

RECIPES = sorted(recipe_folder().glob("*.yaml"))


def conditions(key: str) -> dict[str, dict]:
    """`then` of each condition on a key of the model section, by value."""
    return {
        condition["if"]["properties"][key]["const"]: condition["then"]
        for condition in recipe_schema()["$defs"]["ModelSection"]["allOf"]
        if key in condition["if"]["properties"]
    }


def test_the_committed_schema_is_up_to_date() -> None:
    # In a process of its own: other tests register components, which the schema then lists.
    command = [sys.executable, "-m", "finetune.cli", "schema"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    written = json.loads((recipe_folder() / SCHEMA_FILE).read_text())
    assert written == json.loads(printed), "run: finetune schema > recipes/recipe.schema.json"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_names_the_schema_and_follows_it(path: Path) -> None:
    assert path.read_text().startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft7Validator(recipe_schema()).validate(YAML(typ="safe").load(path))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target", "nothing"),
        ("adapt_options", {"rnk": 3}),
        ("options", {"wdith": 16}),
        ("options", {"depth": 9}),
        ("options", {"width": "wide"}),
    ],
)
def test_a_mistake_in_the_model_section_is_found(key: str, value: object) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    recipe = YAML(typ="safe").load(recipe_folder() / "quickstart.yaml")
    recipe["model"] |= {"adapt": "lora", key: value}
    assert not jsonschema.Draft7Validator(recipe_schema()).is_valid(recipe)


def test_every_target_and_adapter_describes_its_options() -> None:
    assert {"prompts", *TARGETS} == set(conditions("target"))
    assert set(conditions("adapt")) == set(ADAPTERS)
    lora = conditions("adapt")["lora"]["properties"]["adapt_options"]
    assert set(lora["properties"]) == {"rank", "alpha", "layers"}
    assert not lora["additionalProperties"]


@pytest.mark.parametrize(
    ("model", "valid"),
    [
        ({"repository": "sam2", "name": "sam2.1-hiera-tiny", "target": "flows"}, False),
        ({"repository": "sam2", "name": "sam2.1-hiera-tiny", "target": "prompts"}, True),
        ({"repository": "huggingface", "name": "any/model", "target": "prompts"}, True),
        ({"repository": "cellpose", "name": "cyto3", "target": "flows"}, False),
    ],
)
def test_options_of_networks_depend_on_model_and_task(model: dict, valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    recipe = YAML(typ="safe").load(recipe_folder() / "quickstart.yaml")
    recipe["model"] = model | {"options": {"image_size": 128}}
    assert jsonschema.Draft7Validator(recipe_schema()).is_valid(recipe) is valid


def test_a_copied_recipe_finds_the_schema_beside_it(tmp_path: Path) -> None:
    assert copy_recipe("quickstart", tmp_path / "my.yaml") == [tmp_path / "my.yaml", tmp_path / SCHEMA_FILE]
    assert json.loads((tmp_path / SCHEMA_FILE).read_text()) == recipe_schema()
    (tmp_path / SCHEMA_FILE).write_text("mine")
    assert copy_recipe("unet_nuclei", tmp_path) == [tmp_path / "unet_nuclei.yaml"]
    assert (tmp_path / SCHEMA_FILE).read_text() == "mine"


@pytest.mark.parametrize(
    ("authors", "valid"),
    [
        (["Jane Doe", {"name": "John Roe", "orcid": "0000-0002-1825-0097", "github_user": "johnroe"}], True),
        (["Jane Doe", {"orcid": "0000-0002-1825-0097"}], False),
        ([{"name": "John Roe", "github": "johnroe"}], False),
        ([{"name": "John Roe", "orcid": "0000"}], False),
        ("Jane Doe", False),
    ],
)
def test_authors_are_names_or_people(authors: object, valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    recipe = YAML(typ="safe").load(recipe_folder() / "quickstart.yaml")
    recipe["card"]["authors"] = authors
    assert jsonschema.Draft7Validator(recipe_schema()).is_valid(recipe) is valid
