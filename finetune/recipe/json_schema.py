"""JSON Schema of a recipe, with the options of each target, adapter, normalization and network.

Editors complete and check recipes with it. It says the same as `finetune.recipe.validation` as far as JSON
Schema can: an option model of pydantic becomes a condition "if model.target is rays, then
model.target_options has these properties".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from finetune.recipe.schema import Recipe

DRAFT = "http://json-schema.org/draft-07/schema#"  # the draft that yaml-language-server implements in full


def recipe_schema() -> dict[str, Any]:
    """Build the JSON Schema of a recipe.

    Returns:
        A JSON Schema (draft 7), including the components of installed extensions.
    """
    from finetune.adapters import ADAPTERS
    from finetune.data.datasets import DATASETS
    from finetune.data.normalization import NORMALIZATIONS
    from finetune.repositories.registry import REPOSITORIES
    from finetune.targets.registry import TARGETS
    from finetune.targets.tasks import OPTIONS_OF_TASK

    schema = Recipe.model_json_schema()
    schema["required"] = [key for key in schema["required"] if key != "name"]  # the file's name if unset
    definitions = schema["$defs"]
    model, data = definitions["ModelSection"], definitions["DataSection"]
    targets = {name: _of_target(target) for name, target in TARGETS.items()}
    targets |= {name: options_schema(options) for name, options in OPTIONS_OF_TASK.items()}
    adapters = {name: options_schema(adapter) for name, adapter in ADAPTERS.items()}
    model["properties"]["repository"]["enum"] = list(REPOSITORIES)
    model["properties"]["target"]["enum"] = list(targets)
    model["properties"]["adapt"]["enum"] = list(adapters)
    model["allOf"] = [
        *_conditions("target", "target_options", targets),
        *_conditions("adapt", "adapt_options", adapters, default="full"),
        *(_network_condition(name) for name in REPOSITORIES),
    ]
    data["properties"]["name"]["anyOf"] = [{"enum": list(DATASETS)}, {"type": "null"}]
    data["properties"]["normalize"]["anyOf"] = [
        *(_named(name, options_schema(kind)) for name, kind in NORMALIZATIONS.items()),
        {"type": "null"},
    ]
    return {"$schema": DRAFT, "title": "finetune recipe", **{k: v for k, v in schema.items() if k != "title"}}


def options_schema(options: Any) -> dict[str, Any]:
    """Build the JSON Schema of a component's options.

    Args:
        options: pydantic model of the options; anything else stands for options that are not described.

    Returns:
        A JSON Schema without references to definitions.
    """
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        return {"type": "object"}
    schema = options.model_json_schema()
    schema.pop("title")
    schema.pop("description", None)
    for option in schema.get("properties", {}).values():
        option.pop("title", None)
    return schema


def _of_target(target: Any) -> dict[str, Any]:
    """Options of a target; those that can be selected on validation images may be `auto`."""
    schema = options_schema(getattr(target, "Options", None))
    for option in set(target.choices) & set(schema.get("properties", {})):
        value = schema["properties"][option]
        annotations = {key: value.pop(key) for key in ("description", "default") if key in value}
        schema["properties"][option] = {"anyOf": [value, {"const": "auto"}], **annotations}
    return schema


def _conditions(
    key: str, options_key: str, schemas: Mapping[str, dict[str, Any]], default: str | None = None
) -> list[dict[str, Any]]:
    """One condition per component: if `key` is its name, `options_key` has its options."""
    return [
        {
            "if": {"properties": {key: {"const": name}}, **({} if name == default else {"required": [key]})},
            "then": {"properties": {options_key: schema}},
        }
        for name, schema in schemas.items()
    ]


def _network_condition(repository: str) -> dict[str, Any]:
    """Names of a repository's models, if it lists all of them, and their options by task."""
    from finetune.repositories.base import ANY
    from finetune.repositories.registry import REPOSITORIES
    from finetune.targets.tasks import TASK_OF_TARGET

    names = [info.name for info in REPOSITORIES[repository].models()]
    then: dict[str, Any] = {} if ANY in names else {"properties": {"name": {"enum": names}}}
    interactive = {"properties": {"target": {"enum": list(TASK_OF_TARGET)}}, "required": ["target"]}
    conditions = [
        {"if": condition, "then": options}
        for condition, by_prompts in ((interactive, True), ({"not": interactive}, False))
        if (options := _network_options(repository, names, by_prompts))
    ]
    if conditions:
        then["allOf"] = conditions
    return {
        "if": {"properties": {"repository": {"const": repository}}, "required": ["repository"]},
        "then": then,
    }


def _network_options(repository: str, names: list[str], interactive: bool) -> dict[str, Any]:
    """Options of a repository's models: one schema if it is the same for all, else by model."""
    from finetune.repositories.base import ANY
    from finetune.repositories.registry import options_model

    models = {name: options_model(repository, name, interactive=interactive) for name in names}
    described = {name: options_schema(options) for name, options in models.items() if options}
    if not described:
        return {}
    first, *others = described.values()
    if len(described) == len(models) and all(schema == first for schema in others):
        return {"properties": {"options": first}}
    return {
        "allOf": [
            {
                "if": {"properties": {"name": {"enum": names}}, "required": ["name"]},
                "then": {"properties": {"options": schema}},
            }
            for names, schema in _grouped({k: v for k, v in described.items() if k != ANY})
        ]
    }


def _grouped(schemas: Mapping[str, dict[str, Any]]) -> list[tuple[list[str], dict[str, Any]]]:
    """Names with the same schema, and the schema."""
    groups: list[tuple[list[str], dict[str, Any]]] = []
    for name, schema in schemas.items():
        same = next((names for names, other in groups if other == schema), None)
        if same is None:
            groups.append(([name], schema))
        else:
            same.append(name)
    return groups


def _named(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A normalization: its name is one of its properties."""
    return schema | {
        "properties": {"name": {"const": name}, **schema.get("properties", {})},
        "required": ["name"],
    }
