"""Read and write recipe files: YAML, `KEY=VALUE` overrides, and errors with file, line and key."""

from __future__ import annotations

import difflib
import inspect
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from cards.base import LOCAL_PATHS
from cards.errors import RecipeError
from cards.yaml_limits import check_yaml, read_limited
from finetune.recipe.schema import Recipe
from finetune.recipe.validation import problems
from finetune.utils.atomic import write_file
from finetune.utils.options import requirement, shown

Settings = TypeVar("Settings", bound=BaseModel)


def read_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file and apply overrides.

    Relative paths in a recipe are relative to the working directory, as on a command line.

    Args:
        path: the recipe file.
        overrides: `KEY=VALUE`, such as `data.root=images` or `training.epochs=10`; values are YAML.

    Returns:
        The validated recipe.

    Raises:
        RecipeError: if the file cannot be read or the recipe is invalid; one line per problem, with file,
            line and key.
    """
    return read_settings(Path(path), Recipe, overrides, problems)


def read_settings(
    path: Path,
    schema: type[Settings],
    overrides: Sequence[str] = (),
    check: Callable[[Settings], Iterable[tuple[str, str]]] = lambda _: (),
) -> Settings:
    """Read a YAML file of settings; a missing name is that of the file.

    Args:
        path: the file.
        schema: pydantic model of its content.
        overrides: `KEY=VALUE`; values are YAML.
        check: finds further problems of valid settings; returns keys and messages.

    Returns:
        The validated settings.

    Raises:
        RecipeError: if the file cannot be read or is invalid; one line per problem, with file, line and key.
    """
    content = _read_yaml(path, schema)
    content.setdefault("name", path.stem)
    overridden = [_override(content, override) for override in overrides]
    messages: dict[str, str] = {}  # one message per key, although a union has one problem per member
    try:
        settings = schema.model_validate(content)
    except ValidationError as error:
        for problem in error.errors():
            keys = _keys(problem["loc"], content, missing=problem["type"] == "missing")
            place = _place(keys, path, content, overridden)
            messages.setdefault(place, f"{place}: {_message(problem, keys, schema)}")
        raise RecipeError("\n".join(messages.values())) from error
    for key, message in check(settings):
        place = _place([*key.split(".")], path, content, overridden)
        messages.setdefault(place, f"{place}: {message}")
    if messages:
        raise RecipeError("\n".join(messages.values()))
    return settings


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe atomically; `read_recipe` of the file returns an equal recipe.

    Args:
        recipe: the recipe.
        path: the file to write.
    """
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(recipe.model_dump(mode="json"), text)
    write_file(path, text.getvalue())


def _read_yaml(path: Path, schema: type[BaseModel]) -> CommentedMap:
    try:
        text = read_limited(path, "a recipe", RecipeError).decode("utf-8")
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: no such recipe; `finetune ls` lists the included recipes") from error
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a NUL byte in the path
        raise RecipeError(f"{path}: cannot be read: {error}") from error
    check_yaml(text, f"{path}", RecipeError)
    try:
        content = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise RecipeError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except ValueError as error:  # a date or number that is none, such as 2024-30-10
        raise RecipeError(f"{path}: not valid YAML: {error}; put text in quotation marks") from error
    if not isinstance(content, CommentedMap):
        kind = "recipe" if schema is Recipe else "benchmark file"
        raise RecipeError(f"{path}: not a {kind}; a {kind} has the keys {', '.join(schema.model_fields)}")
    return content


def _override(content: CommentedMap, override: str) -> str:
    """Apply one override to the content in place; returns its key."""
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"'{override}': an override has the form KEY=VALUE, such as training.epochs=10")
    *parents, last = key.strip().split(".")
    section: Any = content
    for parent in parents:
        if not isinstance(section.get(parent), dict):
            section[parent] = CommentedMap()
        section = section[parent]
    check_yaml(value, f"override {key.strip()}", RecipeError, numbered=False)
    is_path = tuple(key.strip().split(".")) in LOCAL_PATHS
    try:
        parsed = YAML(typ="safe", pure=True).load(value)
    except (MarkedYAMLError, ValueError) as error:
        if not is_path or isinstance(error, MarkedYAMLError):
            problem = getattr(error, "problem", error)
            raise RecipeError(f"'{override}': the value is not valid YAML: {problem}") from error
        parsed = value
    if is_path and parsed is not None and not isinstance(parsed, str):  # a folder named 2024-10-30
        parsed = value.strip()
    section[last] = parsed
    return key.strip()


def _place(keys: list[str | int], path: Path, content: CommentedMap, overridden: list[str]) -> str:
    dotted = _dotted(keys)
    if any(dotted == key or dotted.startswith((f"{key}.", f"{key}[")) for key in overridden):
        return f"override {dotted}"
    created = next((key for key in overridden if key.startswith(f"{dotted}.")), None)
    if created and not _in_file(content, keys):  # a section whose name is misspelled in an override
        return f"override {created}: {dotted}"
    return f"{path}:{_line(content, keys)}: {dotted or 'recipe'}"


def _in_file(content: Any, keys: list[str | int]) -> bool:
    """Whether the file itself has a key, of which the parser then knows the line."""
    for key in keys[:-1]:
        content = content[key]
    lines = getattr(content, "lc", None)  # a value from an override has none
    return lines is not None and keys[-1] in (lines.data or {})


def _dotted(keys: list[str | int]) -> str:
    """The notation of a key for people, such as `card.authors[1].orcid`."""
    parts = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return "".join(parts).removeprefix(".")


def _message(problem: Any, keys: list[str | int], schema: type[BaseModel]) -> str:
    section, last = _section(keys[:-1], schema), keys[-1] if keys else None
    fields = section.model_fields if section else {}
    if problem["type"] == "extra_forbidden":
        if keys == ["out"]:
            return "unknown key; name the run folder with --out"
        similar = difflib.get_close_matches(str(last), fields, n=1) or _elsewhere(str(last), schema)
        hint = f"did you mean {similar[0]}?" if similar else f"known: {', '.join(fields)}"
        return f"unknown key; {hint}"
    if problem["type"] == "missing":
        return "missing; this key is required"
    field = fields.get(last) if isinstance(last, str) else None
    allowed = requirement(field) if field is not None and problem["type"] != "value_error" else None
    if allowed:
        return f"must be {allowed}, got {shown(problem['input'])}"
    message = problem["msg"].removeprefix("Value error, ")
    got = "" if isinstance(problem["input"], dict) else f", got {shown(problem['input'])}"
    return f"{message[0].lower()}{message[1:]}{got}"


def _elsewhere(key: str, schema: type[BaseModel]) -> list[str]:
    """Keys of this name in the sections of a recipe, such as `training.epochs`."""
    sections = ((name, _model_in(field.annotation)) for name, field in schema.model_fields.items())
    return [f"{name}.{key}" for name, section in sections if section and key in section.model_fields]


def _keys(location: tuple[Any, ...], content: Any, missing: bool) -> list[str | int]:
    """The part of a problem's location that exists in the recipe; unions append names of types."""
    keys: list[str | int] = []
    for part in location:
        if isinstance(content, dict) and part in content:
            keys.append(str(part))
        elif isinstance(content, list) and isinstance(part, int) and part < len(content):
            keys.append(part)
        else:
            return [*keys, str(part)] if missing and part == location[-1] else keys
        content = content[part]
    return keys


def _line(content: Any, keys: list[str | int]) -> int:
    line = 1
    for key in keys:
        if isinstance(content, CommentedMap) and key in content:
            if content.lc.data and key in content.lc.data:
                line = content.lc.key(key)[0] + 1
        elif isinstance(content, CommentedSeq) and isinstance(key, int):
            if content.lc.data and key in content.lc.data:
                line = content.lc.item(key)[0] + 1
        else:
            break
        content = content[key]
    return line


def _section(keys: list[str | int], schema: type[BaseModel]) -> type[BaseModel] | None:
    """The pydantic model of a section by its keys; the whole schema for none; None for a list of values."""
    section: type[BaseModel] | None = schema
    for key in keys:
        if section is not None and isinstance(key, str):  # the entries of a list have the model of the list
            section = _model_in(section.model_fields[key].annotation)
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model in an annotation such as `list[Author]` or `Author | None`."""
    if inspect.isclass(annotation) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    return next(filter(None, map(_model_in, get_args(annotation))), None)
