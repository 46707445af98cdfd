"""Artifacts of a run: exports and their verification, figures, cards and the record."""

from __future__ import annotations

import hashlib
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from cards import figures
from cards.base import Split
from cards.evidence import RuntimeCheck
from cards.integrity import HUB
from cards.paper_figure import CSV, SVG, draw_figure, figure_csv, panels
from cards.previews import FILE as PREVIEWS
from cards.record import ExportCheck, File, RunRecord
from cards.rendering import render_files
from finetune.export.base import ExportInput
from finetune.export.package_test import passed_here
from finetune.export.registry import EXPORTERS
from finetune.export.verification import check_exports, describe_differences
from finetune.pipeline.plan import Plan
from finetune.pipeline.record_builder import written_files
from finetune.pipeline.related_pictures import related_pictures
from finetune.pipeline.task import Task
from finetune.utils.atomic import write_file
from finetune.utils.progress import Stage

CARDS = ("README.md", "report.html")


def step_count() -> int:
    """Steps of `write_artifacts`.

    Returns:
        Two for each exporter, which writes and is verified; one for the figures and one for the cards.
    """
    return 2 * len(EXPORTERS) + 2


def write_artifacts(task: Task, plan: Plan[Any], record: RunRecord, folder: Path, shown: Stage) -> RunRecord:
    """Export the model, verify each exported file, draw the figures, and write cards and record.

    Args:
        task: the task of the run.
        plan: the resolved recipe with the trained model.
        record: the record without exports and files.
        folder: the run folder.
        shown: progress, in as many steps as `step_count` states.

    Returns:
        The record as written, with checks and files.

    Raises:
        InputError: if an exported file cannot be loaded.
    """
    split: Split = "test" if plan.data.of("test") else "train"
    export = ExportInput(plan.model, record, partial(plan.data.samples, split))
    warnings = list(record.warnings)
    for name, exporter in shown.track(EXPORTERS.items()):
        reason = exporter.supports(plan.model)
        warnings += [reason] if reason else exporter.write(export, folder / name)
    images = islice(plan.data.samples("test"), plan.recipe.evaluation.check_images)
    checks = check_exports(folder, plan.model, images, task.export_score, shown.advance)
    warnings += describe_differences(checks)
    tests = _passed_tests(folder, checks)
    record = record.model_copy(update={"exports": checks, "runtimes": tests, "warnings": warnings})
    pictures = folder / "huggingface" / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    if record.training.history:
        figures.training_curve(record.training.history, pictures / "training.png", record.training.best_epoch)
    task.draw(plan, record, pictures)
    if panels(record):
        draw_figure(record, folder / SVG)
        write_file(folder / CSV, figure_csv(record))
    related = related_pictures(plan.inputs.leakage, plan.inputs.pairs)
    previews = plan.previews.result().model_copy(update={"related": related})
    if previews.images or related:
        write_file(folder / PREVIEWS, previews.dumps())
    shown.advance()
    record = write_cards(record, folder)
    shown.finish()  # without test images, nothing was verified
    return record


def write_cards(record: RunRecord, folder: Path) -> RunRecord:
    """Write cards and record of a run folder that is otherwise complete.

    Args:
        record: the record without files.
        folder: the run folder.

    Returns:
        The record as written, with the hashes of all files.
    """
    # The cards list packages and weights; afterwards the cards are files of the record, too.
    return rewrite_cards(record.model_copy(update={"files": written_files(folder)}), folder)


def rewrite_cards(record: RunRecord, folder: Path) -> RunRecord:
    """Write the cards of a run from its record, and the record with the hashes of the cards.

    Everything is rendered before the first file is written; each file is replaced atomically.

    Args:
        record: the record, with all files except the cards; it is believed, nothing is hashed again.
        folder: the run folder.

    Returns:
        The record as written.
    """
    cards = {
        f"{HUB}/README.md" if name == "README.md" else name: content
        for name, content in render_files(record, folder / HUB / "pictures", folder).items()
        if name in CARDS
    }
    hashed = {
        path: File(path=path, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        for path, content in cards.items()
    }
    files = {file.path: file for file in record.files} | hashed
    record = record.model_copy(update={"files": [files[path] for path in sorted(files, key=_order)]})
    for path, content in {**cards, "record.json": record.dumps().encode()}.items():
        write_file(folder / path, content)
    write_file(folder / HUB / "record.json", record.dumps())
    return record


def _order(path: str) -> tuple[str, ...]:
    """Sort as paths, folder by folder, as `written_files` does."""
    return Path(path).parts


def _passed_tests(folder: Path, checks: list[ExportCheck]) -> list[RuntimeCheck]:
    """Tests of packages that the exporter has just run in this process: it writes only those that pass."""
    formats: dict[str, list[str]] = {}
    for check in checks:
        formats.setdefault(check.artifact, []).append(check.format)
    packages = sorted(path.relative_to(folder).as_posix() for path in folder.glob("bioimageio/*.zip"))
    return [passed_here(package, formats.get(package, [])) for package in packages]
