"""Descriptions of the plugins: golden files, and what every platform requires.

After a wanted change, write the golden files anew with `UPDATE_GOLDEN=1 pytest tests/finetune/plugins` and
read the difference.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal

import pytest
from forked_command import run_command
from plugin_inputs import ABOUT, plugins
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic import Field as Field_
from ruamel.yaml import YAML
from typer.testing import CliRunner

from cards.errors import InputError
from finetune.cli.main import app
from finetune.cli.plugin_commands import COMMANDS
from finetune.plugins import workflows
from finetune.plugins.registry import FORMATS, describe

GOLDEN = Path(__file__).parent / "golden"
NAMES = list(plugins())
FLOWS = list(workflows.names(plugins()))
ENDINGS = {"wipp": "plugin.json", "cwl": "cwl", "ict": "ict.yaml", "bilayers": "bilayers.yaml"}


@pytest.fixture(scope="module")
def descriptions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All descriptions, from a process of its own: other tests register models, which are then listed."""
    pairs = [f"{name} {format}" for name in NAMES for format in FORMATS] + [f"{name} cwl" for name in FLOWS]
    result = run_command(*pairs, cwd=tmp_path_factory.mktemp("plugins"), program="plugin_descriptions")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("name", "format"),
    [*((name, format) for name in NAMES for format in FORMATS), *((name, "cwl") for name in FLOWS)],
)
def test_the_description_is_the_one_that_was_reviewed(
    name: str, format: str, descriptions: dict[str, str]
) -> None:
    path = GOLDEN / f"{name}.{ENDINGS[format]}"
    text = descriptions[f"{name} {format}"]
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_there_are_eight_plugins() -> None:
    assert len(NAMES) == 8
    assert {"fine-tune", "audit", "dice-segmentationaccuracy"} <= set(NAMES)
    assert sum(name.startswith("inference-") for name in NAMES) == 5


@pytest.mark.parametrize("name", NAMES)
def test_wipp_shows_each_input_once_with_a_label_and_a_help_text(name: str) -> None:
    manifest = json.loads(describe(name, "wipp", COMMANDS, ABOUT))
    inputs = [one["name"] for one in manifest["inputs"]]
    fieldsets, *fields = manifest["ui"]
    assert [field for section in fieldsets["fieldsets"] for field in section["fields"]] == inputs
    assert [field["key"] for field in fields] == [f"inputs.{one}" for one in inputs]
    assert all(field["title"] and field["description"].endswith((".", "…")) for field in fields)
    assert manifest["containerId"] == f"wipp/wipp-{name}-plugin:1.2.3"
    assert not any("_" in one["name"] for one in (*manifest["inputs"], *manifest["outputs"]))


@pytest.mark.parametrize("name", NAMES)
def test_conditions_name_an_input_and_one_of_its_values(name: str) -> None:
    manifest = json.loads(describe(name, "wipp", COMMANDS, ABOUT))
    values = {one["name"]: one.get("options", {}).get("values", []) for one in manifest["inputs"]}
    for condition in (field["condition"] for field in manifest["ui"] if "condition" in field):
        found = re.fullmatch(r"model\.inputs\.([\w-]+)=='(\w+)'", condition)
        assert found and found[2] in values[found[1]]


def test_the_rank_is_shown_for_lora_only() -> None:
    manifest = json.loads(describe("fine-tune", "wipp", COMMANDS, ABOUT))
    (rank,) = (field for field in manifest["ui"] if field["key"] == "inputs.rank")
    assert rank["condition"] == "model.inputs.adapt=='lora'"


def test_fine_tune_offers_the_models_of_the_catalog_that_can_be_fine_tuned() -> None:
    from finetune import list_models

    manifest = json.loads(describe("fine-tune", "wipp", COMMANDS, ABOUT))
    (model,) = (one for one in manifest["inputs"] if one["name"] == "model")
    expected = [f"{one.repository}:{one.info.name}" for one in list_models(fine_tunable=True)]
    assert model["options"]["values"] == [name for name in expected if not name.endswith(":*")]


@pytest.mark.parametrize("name", NAMES)
def test_cwl_runs_without_a_container_too(name: str) -> None:
    tool = YAML(typ="safe").load(describe(name, "cwl", COMMANDS, ABOUT))
    assert "requirements" not in tool
    assert tool["hints"]["DockerRequirement"]["dockerPull"] == f"wipp/wipp-{name}-plugin:1.2.3"
    assert tool["baseCommand"] == ["finetune", "plugin", "run", name]


class Field(BaseModel):
    """Entry of `ui` in the specification of ICT, which allows no other keys."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field_(pattern=r"^(inputs|outputs)\.[^.]+$")
    title: str
    description: str
    condition: str | None = Field_(None, pattern=r"^(inputs|outputs)\.\w+(==|!=|<|>|<=|>=|&&)'?\w+'?$")


class Text(Field):
    """A text."""

    type: Literal["text"]
    default: str | None = None


class Number(Field):
    """A number."""

    type: Literal["number"]
    default: float | None = None
    integer: bool | None = None


class Select(Field):
    """One of several texts."""

    type: Literal["select"]
    fields: list[str]


class PathField(Field):
    """A folder."""

    type: Literal["path"]


class Parameter(BaseModel):
    """An input or output in the specification of ICT."""

    model_config = ConfigDict(extra="forbid")
    name: str
    required: bool
    description: str
    type: Literal["path", "string", "number", "array", "boolean"]
    format: list[str] = Field_(min_length=1)
    defaultValue: str | float | None = None


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_polus_follow_its_specification(name: str) -> None:
    tool = YAML(typ="safe").load(describe(name, "ict", COMMANDS, ABOUT))
    field = TypeAdapter(Annotated[Text | Number | Select | PathField, Field_(discriminator="type")])
    keys = [field.validate_python(one).key for one in tool["ui"]]
    places = ("inputs", "outputs")
    parameters = [(place, Parameter.model_validate(one)) for place in places for one in tool[place]]
    assert keys == [f"{place}.{one.name}" for place, one in parameters]
    assert re.fullmatch(r"[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+:[a-zA-Z0-9_.-]+", tool["container"])


def test_polus_gets_specification_1_0_0_and_an_address() -> None:
    tool = YAML(typ="safe").load(describe("fine-tune", "ict", COMMANDS, ABOUT))
    assert (tool["specVersion"], tool["repository"]) == ("1.0.0", "https://example.org/source")
    assert all(len(author.split(" ")) == 2 for author in tool["author"])


def test_output_folders_of_a_workflow_have_different_names() -> None:
    graph = YAML(typ="safe").load(describe("fine-tune-inference-dice", "cwl", COMMANDS, ABOUT))["$graph"]
    folders = [one["valueFrom"] for tool in graph for one in tool.get("arguments", [])]
    assert len(folders) == len(set(folders)) == 5


def test_the_command_prints_the_description() -> None:
    result = CliRunner().invoke(app, ["plugin", "describe", "audit", "--format", "cwl"])
    assert result.exit_code == 0 and result.stdout.startswith("cwlVersion: v1.2\n")
    listed = CliRunner().invoke(app, ["plugin", "list"])
    assert all(name in listed.stdout for name in (*NAMES, *FLOWS))


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("finetune", "wipp", "unknown plugin or workflow 'finetune'; did you mean fine-tune"),
        ("fine-tune-inference-dice", "wipp", "unknown format of workflow fine-tune-inference-dice 'wipp'"),
    ],
)
def test_an_unknown_name_is_one_error(name: str, format: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        describe(name, format, COMMANDS, ABOUT)
