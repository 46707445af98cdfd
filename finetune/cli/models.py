"""`finetune models`: the model catalog."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cards.errors import InputError
from finetune.cli.console import print_line, print_table
from finetune.cli.models_show import (
    describe_exposure,
    describe_license,
    describe_targets,
    describe_tuning,
    show,
)
from finetune.cli.usage import Subcommands

if TYPE_CHECKING:
    from finetune.repositories.catalog import Listed

COLUMNS = (
    "repository",
    "model",
    "title",
    "task",
    "objects",
    "license",
    "parameters",
    "as float32",
    "targets",
    "fine-tunable",
    "known exposure",
)

NARROW = ("repository", "model", "objects", "license", "parameters", "fine-tunable")
WIDE = 200  # columns of a terminal from which on the whole table is readable

models = typer.Typer(cls=Subcommands, rich_markup_mode=None, add_completion=False)
models.command()(show)


@models.callback(invoke_without_command=True)
def list_catalog(
    context: typer.Context,
    repository: Annotated[str | None, typer.Option(help="Show only models of this repository.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Show only models for this task or object, such as segmentation or nuclei."),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(
            help="Show only models with this license, or: commercial, for any license that allows "
            "commercial use."
        ),
    ] = None,
    fits_in: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Show only models whose weights, gradients and optimizer fit into this memory, such as 8GB.",
        ),
    ] = None,
    fine_tunable: Annotated[
        bool, typer.Option("--fine-tunable", help="Show only models that can be fine-tuned.")
    ] = False,
    count: Annotated[
        bool,
        typer.Option("--count", help="Also ask the servers of the repositories how many models they have."),
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh",
            help="First ask the servers of the repositories for their models, and store the answers.",
        ),
    ] = False,
) -> None:
    """List the models that can be fine-tuned or used as they are.

    Servers are contacted only with --count and --refresh. If one does not answer --refresh, the exit code is
    1.
    """
    if context.invoked_subcommand is not None:
        given = (repository, task, license, fits_in, fine_tunable or None, count or None, refresh or None)
        if any(value is not None for value in given):
            raise InputError(
                f"models {context.invoked_subcommand}: takes no options of `finetune models`; see "
                f"`finetune models {context.invoked_subcommand} --help`"
            )
        return
    from finetune.repositories import catalog
    from finetune.repositories.filters import fits_in as fits
    from finetune.repositories.filters import has_license, parse_size

    memory = parse_size(fits_in) if fits_in else None
    unavailable = catalog.refresh(repository) if refresh else {}
    listed = catalog.list_models(repository, task, fine_tunable)
    notes = []
    if memory is not None:
        verdicts = [fits(model.info, memory) for model in listed]
        listed = [model for model, verdict in zip(listed, verdicts, strict=True) if verdict is not False]
        notes.append(
            "fits in: weights, gradients and optimizer of full fine-tuning in float32, without activations; "
            "models whose number of parameters was not measured are listed"
        )
    if license is not None:
        verdicts = [has_license(model.info, license) for model in listed]
        listed = [model for model, verdict in zip(listed, verdicts, strict=True) if verdict]
        if open_ := sum(verdict is None for verdict in verdicts):
            notes.append(f"not listed: {open_} models whose license is unknown or leaves the use open")
    if listed:
        notes += _print_models(listed)
    else:
        print_line("no model fits")
    dates = {model.repository: model.asked for model in listed if model.asked}
    notes += [f"{name}: models as listed by the server on {asked}" for name, asked in dates.items()]
    notes += [f"{name}: {reason}" for name, reason in unavailable.items()]
    for note in notes:
        print_line(note)
    if count:
        _print_counts(repository)
    if unavailable:
        raise typer.Exit(1)


def _print_models(listed: list[Listed]) -> list[str]:
    """Print the table, in a narrow terminal without the columns that would not fit; return a note on it."""
    import shutil

    rows = [_row(model) for model in listed]
    if not sys.stdout.isatty() or shutil.get_terminal_size().columns >= WIDE:
        print_table(COLUMNS, rows)
        return []
    kept = [COLUMNS.index(name) for name in NARROW]
    print_table(NARROW, ([row[index] for index in kept] for row in rows))
    return ["finetune models show ID prints more; a wider terminal, or a file, shows all columns"]


def _row(listed: Listed) -> tuple[str, ...]:
    from finetune.repositories.base import ANY

    info = listed.info
    return (
        listed.repository,
        "(any)" if info.name == ANY else info.name,
        info.title,
        info.task,
        ", ".join(info.objects) or "-",
        describe_license(info),
        f"{info.parameters:,}" if info.parameters else "not measured",
        f"{4 * info.parameters / 1e6:,.0f} MB" if info.parameters else "not measured",
        describe_targets(info),
        describe_tuning(info),
        describe_exposure(listed),
    )


def _print_counts(repository: str | None) -> None:
    from finetune.repositories.catalog import KINDS, count_models
    from finetune.repositories.counts import TALK

    counts = count_models(repository)
    print_line()
    rows = (
        (name, *(str(row[kind]) for kind in KINDS), TALK.get(name, "not quoted"))
        for name, row in counts.rows.items()
    )
    print_table(("number of models", *KINDS, "in the talk"), rows)
    for name, reason in counts.unavailable.items():
        print_line(f"{name}: {reason}")
    for name, day in counts.stored.items():
        print_line(f"{name}: answer of the server on {day}")
    answered = " and ".join(counts.answered)
    print_line(f"{answered}: current answer of the server" if answered else "no server has answered")
    print_line("other repositories: models listed above")
    print_line('in the talk: as stated in "Reusing existing trained AI models in WIPP" (NIST)')
