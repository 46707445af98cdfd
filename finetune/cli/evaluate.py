"""`finetune evaluate`."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.formatting import counted
from finetune.cli.arguments import Content
from finetune.cli.console import print_line, print_note, print_table

if TYPE_CHECKING:
    from finetune.evaluation.labels import Difference, Evaluation


ONLY_IN_FILES = ("ap55", "ap60", "ap65", "ap70", "ap80", "ap85", "ap90", "ap95", "matched_instances")
"""Metrics in CSV and JSON, but not in the table on the terminal."""


RATES = {"ap50": "AP50", "precision": "precision", "recall": "recall", "f1": "F1"}


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of predicted label images, or one file.")],
    reference: Annotated[Path, typer.Argument(help="Folder of reference label images, or one file.")],
    compare: Annotated[
        Path | None, typer.Option(help="A second folder of predictions, compared image by image.")
    ] = None,
    labels: Annotated[
        Content,
        typer.Option(
            help="Content of the label images: instances (one integer each), foreground or boundary (not 0)."
        ),
    ] = Content.instances,
    pixel_size: Annotated[
        float | None, typer.Option(help="Edge length of a pixel in µm; boundary distances are then in µm.")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write the metrics of each image to this new file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all results as one JSON object.")] = False,
) -> None:
    """Compare label images of any tool with a reference.

    Prints Dice, AP, PQ and boundary distance: mean and standard deviation over images, median, and the 95 %
    bootstrap interval of the mean; and how many instances of all images together were found. CSV and JSON
    also hold AP at all IoU thresholds from 0.5 to 0.95. Files are matched by name, without the extension.
    References without a prediction and images that cannot be compared are listed, and the exit code is then
    1. Label images that look like something else, such as gray levels, are compared with a warning.
    """
    from cards.errors import InputError
    from cards.paths import expand_user
    from finetune.utils.startup import uncollected

    with uncollected():
        from finetune.evaluation import labels as evaluation
        from finetune.evaluation.detailed import metric_labels

    csv_file = csv_file and expand_user(csv_file)
    if csv_file and csv_file.exists():
        raise InputError(f"{csv_file}: exists; choose another file with --csv")
    unit = "px" if pixel_size is None else "µm"
    folders = [predictions] if compare is None else [predictions, compare]
    results = [
        evaluation.evaluate(
            folder,
            reference,
            labels=labels.value,
            pixel_size=1.0 if pixel_size is None else pixel_size,
            strict=False,
        )
        for folder in folders
    ]
    differences = evaluation.compare(*results) if compare else None
    titles = {name: title for name, title in metric_labels(unit).items() if name not in ONLY_IN_FILES}
    if csv_file:
        _write_csv(csv_file, folders, results)
    if as_json:
        print(json.dumps(_as_json(folders, results, differences, unit), indent=2, ensure_ascii=False))
    else:
        _print(folders, results, differences, titles)
    warnings = [(folder, result.warnings) for folder, result in zip(folders, results, strict=True)]
    _warn([*warnings, (reference, results[0].reference_warnings)])
    if _report_missing(folders, results):
        raise typer.Exit(1)


def _print(
    folders: list[Path],
    results: list[Evaluation],
    differences: dict[str, Difference] | None,
    titles: dict[str, str],
) -> None:
    from cards.result_tables import spread

    for folder, result in zip(folders, results, strict=True):
        print_line(f"{folder}: {counted(len(result.images), 'image')}")
        rows = []
        for name, title in titles.items():
            if (summary := result.summary.get(name)) is None:
                rows.append((title, "not measured", "", ""))
                continue
            measured = sum(values[name] is not None for values in result.images.values())
            of = "" if measured == len(result.images) else f", {counted(measured, 'image')}"
            median, interval = f"{summary.median:.4f}", _interval(result.intervals.get(name))
            rows.append((f"{title}{of}", spread(summary), median, interval))
        print_table(("metric", "mean ± std", "median", "95 % interval of the mean"), rows)
        print_line(_pooled(result))
    if differences is not None:
        print_line(f"{folders[1]} minus {folders[0]}, image by image")
        rows = [
            (titles[name], f"{difference.mean:+.4f}", _interval(difference.interval), str(difference.images))
            for name in titles
            if (difference := differences.get(name))
        ]
        print_table(("metric", "mean difference", "95 % interval", "images"), rows)


def _pooled(result: Evaluation) -> str:
    """Instances of all images together, on one line."""
    counts, rates = result.instances, result.instances.rates()
    references = counted(counts.true_positives + counts.false_negatives, "reference instance")
    extra = counted(counts.false_positives, "false positive")
    others = ", ".join(f"{name} {rates[key]:.4f}" for key, name in RATES.items())
    found = f"{counts.true_positives:,} of {references} found, {extra}"
    return f"all images together, at an IoU of 0.5: {found}; {others}"


def _interval(interval: tuple[float, float] | None) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "not measured"


def _write_csv(path: Path, folders: list[Path], results: list[Evaluation]) -> None:
    """One row for each image and prediction; a value that is not defined is an empty cell."""
    from cards.scores import csv_text
    from finetune.utils.atomic import atomic_file, disk_errors

    metrics = list(next(iter(results[0].images.values())))
    with (
        disk_errors(path, "choose another file with --csv"),
        atomic_file(path) as partial,
        partial.open("x", newline="", encoding="utf-8") as stream,
    ):
        rows = csv.writer(stream)
        rows.writerow(["prediction", "image", *metrics])
        for name, result in zip(_short_names(folders), results, strict=True):
            for image, values in result.images.items():
                rows.writerow([csv_text(name), csv_text(image), *(values[metric] for metric in metrics)])


def _short_names(folders: list[Path]) -> list[str]:
    """The last part of each path, or the paths if these are equal."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [folder.as_posix() for folder in folders]


def _as_json(
    folders: list[Path], results: list[Evaluation], differences: dict[str, Difference] | None, unit: str
) -> dict[str, object]:
    content: dict[str, object] = {
        "boundary_distance_unit": unit,
        "predictions": [
            {
                "folder": str(folder),
                "images": result.images,
                "summary": {name: summary.model_dump() for name, summary in result.summary.items()},
                "intervals": result.intervals,
                "instances": asdict(result.instances) | result.instances.rates(),
                "failed": result.failed,
                "without_prediction": result.without_prediction,
                "without_reference": result.without_reference,
                "warnings": result.warnings,
                "reference_warnings": result.reference_warnings,
            }
            for folder, result in zip(folders, results, strict=True)
        ],
    }
    if differences is not None:
        content["difference"] = {name: asdict(difference) for name, difference in differences.items()}
    return content


def _warn(warnings: list[tuple[Path, list[str]]]) -> None:
    for folder, lines in warnings:
        for line in lines:
            print_note(f"{folder}: {line}", "warning")


def _report_missing(folders: list[Path], results: list[Evaluation]) -> bool:
    """Name images that were not compared, all of them with --json; True if a reference lacks a result."""
    from finetune.data.layouts import first_few

    incomplete = False
    for folder, result in zip(folders, results, strict=True):
        for error in result.failed.values():
            print_note(error, "finetune")
        if missing := [*result.without_prediction, *result.failed]:
            count = counted(len(missing), "reference")
            print_note(f"{folder}: {count} not compared: {first_few(missing)}", "finetune")
            incomplete = True
        if extra := result.without_reference:
            count = counted(len(extra), "prediction")
            print_note(f"{folder}: {count} without a reference: {first_few(extra)}")
    return incomplete
