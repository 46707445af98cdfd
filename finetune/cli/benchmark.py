"""`finetune benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.errors import InputError
from cards.paths import expand_user
from finetune.cli.console import print_line, print_table

if TYPE_CHECKING:
    from finetune.benchmark.schema import BenchmarkFile


def benchmark(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE [KEY=VALUE]... | --models MODEL...",
            help="A benchmark file, or the name of an included one, with overrides such as data.root=PATH; "
            "or with --models, models as `finetune predict` takes them.",
        ),
    ],
    models: Annotated[
        bool, typer.Option("--models", help="The arguments are models, measured on --data.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="With --models: folder of the images, or the name of a data set.")
    ] = None,
    tune: Annotated[
        list[str] | None,
        typer.Option(help="Also fine-tune with this recipe, and measure before and after. Repeatable."),
    ] = None,
    fractions: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT,...",
            help="With --tune: also run the recipe with these fractions of the training images, such as "
            "5,10,25,50, to see how many annotated images are enough.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; benchmarks/<name> by default.")
    ] = None,
) -> None:
    """Measure many models on the same images, in one table.

    Writes a table of accuracy, time and license as CSV, Markdown, LaTeX and HTML, the scores of each image,
    and a plot of accuracy against time. A second call continues an interrupted benchmark. A model that fails
    is listed with the reason. If all fail, the exit code is 1.
    """
    from rich.console import Console

    from cards.benchmark.fractions import enough_images
    from cards.benchmark.recommendation import recommend
    from cards.benchmark.tables import rows
    from finetune.benchmark.run import run_benchmark

    file = _models(arguments, data) if models else _file(arguments, data)
    if tune:
        from finetune.benchmark.schema import TunedEntry

        file.tune += [TunedEntry(recipe=recipe) for recipe in tune]
    if fractions:
        file.fractions = _percentages(fractions)
    folder = Path("benchmarks") / file.name if out is None else expand_user(out)
    results = run_benchmark(file, folder, Console(stderr=True))
    header, *body = rows(results)
    print_table(header, body)
    for result in results.failed():
        print_line(f"failed: {result.title}: {result.reason}")
    for one in results.fractions:
        if one.result.error:
            print_line(f"failed: {one.recipe}, {one.fraction:.0%} of the images: {one.result.error}")
    for sentence in (*recommend(results, file.within), *enough_images(results)):
        print_line(sentence)
    print_line(f"tables, plot and scores: {folder} (open {folder / 'report.html'})")
    if results.results and len(results.failed()) == len(results.results):
        raise typer.Exit(1)


def _percentages(text: str) -> list[float]:
    try:
        percentages = [float(part.strip().removesuffix("%")) for part in text.split(",")]
    except ValueError:
        percentages = []
    if not percentages or not all(0 < percent <= 100 for percent in percentages):
        raise InputError(f"--fractions {text}: not percentages from 0 to 100, such as 5,10,25,50")
    return percentages


def _file(arguments: list[str], data: str | None) -> BenchmarkFile:
    from finetune.benchmark.schema import read_benchmark
    from finetune.recipe.library import benchmark_path

    if data is not None:
        raise InputError("--data goes with --models; override data.root or data.name of a benchmark file")
    file, *overrides = arguments
    if stray := next((text for text in overrides if "=" not in text), None):
        raise InputError(f"{stray}: not an override KEY=VALUE; use --models to name models")
    return read_benchmark(benchmark_path(file), overrides)


def _models(arguments: list[str], data: str | None) -> BenchmarkFile:
    from finetune.benchmark.schema import BenchmarkFile, ModelEntry
    from finetune.data.datasets import DATASETS
    from finetune.recipe.schema import DataSection

    if data is None:
        raise InputError("--models: name the images with --data, a folder or a data set")
    section = DataSection(name=data) if data in DATASETS else DataSection(root=Path(data))
    name = data if data in DATASETS else expand_user(data).resolve().name
    return BenchmarkFile(
        name=name,
        title=f"Benchmark on {name}",
        data=section,
        models=[ModelEntry(model=model) for model in arguments],
    )
