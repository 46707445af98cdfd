"""`finetune models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from finetune.cli.console import print_line, print_table

if TYPE_CHECKING:
    from finetune.repositories.catalog import Listed


def models(
    repository: Annotated[str | None, typer.Option(help="Show the models of this repository only.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Show the models for this task only, such as segmentation.")
    ] = None,
    fine_tunable: Annotated[
        bool, typer.Option("--fine-tunable", help="Show models that can be fine-tuned only.")
    ] = False,
    count: Annotated[
        bool, typer.Option("--count", help="Also ask the repositories' servers for their numbers of models.")
    ] = False,
) -> None:
    """List the models that can be fine-tuned or used."""
    from finetune.repositories.catalog import list_models

    columns = ("repository", "model", "title", "task", "license", "parameters", "as float32", "fine-tunable")
    print_table(columns, map(_row, list_models(repository, task, fine_tunable)))
    if count:
        _print_counts(repository)


def _row(listed: Listed) -> tuple[str, ...]:
    from finetune.repositories.base import ANY

    info = listed.info
    return (
        listed.repository,
        "(any)" if info.name == ANY else info.name,
        info.title,
        info.task,
        info.license or ("the model's own" if info.name == ANY else "not stated"),
        f"{info.parameters:,}" if info.parameters else "unknown",
        f"{4 * info.parameters / 1e6:,.0f} MB" if info.parameters else "unknown",
        "yes" if info.fine_tunable else f"no: {info.why_not}",
    )


def _print_counts(repository: str | None) -> None:
    from finetune.repositories.catalog import KINDS, count_models

    counts = count_models(repository)
    print_line()
    rows = ((name, *(str(row[kind]) for kind in KINDS)) for name, row in counts.rows.items())
    print_table(("number of models", *KINDS), rows)
    for name, reason in counts.unavailable.items():
        print_line(f"{name}: {reason}")
    answered = " and ".join(counts.answered)
    print_line(f"{answered}: current answer of the server" if answered else "no server has answered")
    print_line("other repositories: models listed above")
