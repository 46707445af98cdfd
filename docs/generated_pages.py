"""Generated pages: recipe keys, command line, models and data sets from the code, accuracy from CSV files.

Sphinx calls `write_pages` before it reads the sources; pages next to this file include the results.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from evaluation_pages import evaluation_rows, read_rows, results_tables, tried_rows
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

OUTPUT = Path(__file__).parent / "_generated"
TYPE_NAMES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Path: "path",
    dict: "mapping",
}


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Format a Markdown table.

    Args:
        header: column titles.
        rows: cells of each row.

    Returns:
        The table, ending in a newline.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def recipe_page() -> str:
    """Describe every key of a recipe.

    Returns:
        One Markdown table per section, with type, default and meaning of each key.
    """
    from finetune.recipe.schema import Recipe

    page = table(["key", "type", "default", "meaning"], _top_level(Recipe))
    for name, field in Recipe.model_fields.items():
        if section := _section(field.annotation):
            page += f"\n## `{name}`\n\n{_summary(section)}\n\n" + table(
                ["key", "type", "default", "meaning"], _keys(section, f"{name}.")
            )
    return page


def _top_level(recipe: type[BaseModel]) -> list[list[str]]:
    return [
        _row(name, field) for name, field in recipe.model_fields.items() if not _section(field.annotation)
    ]


def _keys(section: type[BaseModel], prefix: str) -> list[list[str]]:
    rows = []
    for name, field in section.model_fields.items():
        if nested := _section(field.annotation):
            rows += _keys(nested, f"{prefix}{name}.")
        else:
            rows.append(_row(prefix + name, field))
    return rows


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a key that is itself a section of a recipe, else None."""
    is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_section else None


def _row(key: str, field: Any) -> list[str]:
    return [f"`{key}`", _type_name(field.annotation), _default(field), field.description or ""]


def _type_name(annotation: Any) -> str:
    """Describe a type for users: `Path | None` is a path, a Literal is the list of its values."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin in (Union, UnionType):
        return " or ".join(_type_name(part) for part in parts if part is not type(None))
    if origin in (list, tuple):
        return f"list of {_type_name(parts[0])}"
    return TYPE_NAMES.get(origin or annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None or default is PydanticUndefined:
        return "unset"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _summary(described: Any) -> str:
    return " ".join((described.__doc__ or "").strip().split("\n\n")[0].split())


def command_line_page() -> str:
    """Describe every command, from the command definitions.

    Returns:
        One section per command, with its arguments and options.
    """
    from finetune.cli.main import app

    page = ""
    for name, command in _commands(typer.main.get_command(app)):
        parameters = [parameter for parameter in command.params if parameter.name != "help"]
        pieces = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
        usage = " ".join(["finetune", name, "[OPTIONS]", *(_argument(piece) for piece in pieces)])
        page += f"## finetune {name}\n\n{(command.help or '').strip()}\n\n```\n{usage}\n```\n\n"
        rows = [[f"`{_parameter(each)}`", getattr(each, "help", None) or ""] for each in parameters]
        page += table(["argument or option", "meaning"], rows) + "\n" if rows else ""
    return page


def _commands(group: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Commands by their full name; those of a sub-command, such as `card show`, in its place."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield f"{prefix}{name}", command
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _parameter(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    return ", ".join(parameter.opts) if is_option else _argument(parameter)


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def models_page() -> str:
    """List every model that finetune knows by name.

    Returns:
        One Markdown table; no server is contacted.
    """
    from finetune.repositories.base import ANY
    from finetune.repositories.catalog import list_models

    rows = []
    for listed in list_models(stored=False):
        info = listed.info
        rows.append(
            [
                f"`{listed.repository}`",
                "any" if info.name == ANY else f"`{info.name}`",
                info.title,
                info.license or ("set by the model" if info.name == ANY else "not stated"),
                f"{info.parameters:,}" if info.parameters else "not measured",
                "yes" if info.fine_tunable else "no",
            ]
        )
    return table(["repository", "model", "description", "license", "parameters", "can be fine-tuned"], rows)


def data_sets_page() -> str:
    """List the data sets that a recipe can name.

    Returns:
        One Markdown table with license and source of each data set.
    """
    from finetune.data.datasets import DATASETS

    rows = [
        [f"`{name}`", data.title, data.labels, data.license, f"<{data.source}>"]
        for name, data in DATASETS.items()
    ]
    return table(["name", "data set", "label type", "license", "source"], rows)


def tried_page() -> str:
    """List the changes that were tried to make recipes more accurate.

    Returns:
        One Markdown table, from `benchmarks/tried.csv`.
    """
    header = ["change", "recipe", "Dice", "difference (95 % interval)", "measured on", "kept", "note"]
    return table(header, tried_rows(read_rows("tried.csv")))


def evaluations_page() -> str:
    """List the evaluations on test images of named data sets.

    Returns:
        One Markdown table, from `benchmarks/test_evaluations.csv`.
    """
    header = ["date", "recipe", "seed", "images", "Dice", "Dice, unrelated images", "hardware"]
    header += ["purpose", "commit and record"]
    return table(header, evaluation_rows(read_rows("test_evaluations.csv")))


PAGES = {
    "recipe.md": recipe_page,
    "command-line.md": command_line_page,
    "models.md": models_page,
    "data-sets.md": data_sets_page,
    "results.md": results_tables,
    "tried.md": tried_page,
    "test-evaluations.md": evaluations_page,
}


def write_pages(app: Any = None) -> None:
    """Write all generated pages.

    Args:
        app: the Sphinx application; unused.
    """
    OUTPUT.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (OUTPUT / name).write_text(page(), encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Register the generator with Sphinx.

    Args:
        app: the Sphinx application.

    Returns:
        Metadata of the extension.
    """
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
