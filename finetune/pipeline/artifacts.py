"""Artifacts of a run: exports and their verification, figures, cards and the record."""

from __future__ import annotations

import shutil
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from cards import figures
from cards.base import Split
from cards.huggingface import PICTURES, render, render_body
from cards.record import RunRecord
from cards.report import render_html
from finetune.export.base import ExportInput
from finetune.export.registry import EXPORTERS
from finetune.export.verification import check_exports, describe_differences
from finetune.pipeline.plan import Plan
from finetune.pipeline.record_builder import written_files
from finetune.pipeline.task import Task


def write_artifacts(task: Task, plan: Plan[Any], record: RunRecord, folder: Path) -> RunRecord:
    """Export the model, verify each exported file, draw the figures, and write cards and record.

    Args:
        task: the task of the run.
        plan: the resolved recipe with the trained model.
        record: the record without exports and files.
        folder: the run folder.

    Returns:
        The record as written, with checks and files.

    Raises:
        InputError: if an exported file cannot be loaded.
    """
    split: Split = "test" if plan.data.of("test") else "train"
    export = ExportInput(plan.model, record, partial(plan.data.samples, split))
    warnings = list(record.warnings)
    for name, exporter in EXPORTERS.items():
        reason = exporter.supports(plan.model)
        warnings += [reason] if reason else exporter.write(export, folder / name)
    images = islice(plan.data.samples("test"), plan.recipe.evaluation.check_images)
    checks = check_exports(folder, plan.model, images, task.export_score)
    warnings += describe_differences(checks)
    record = record.model_copy(update={"exports": checks, "warnings": warnings})
    pictures = folder / "huggingface" / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    if record.training.history:
        figures.training_curve(record.training.history, pictures / "training.png", record.training.best_epoch)
    task.draw(plan, record, pictures)
    return write_cards(record, folder)


def write_cards(record: RunRecord, folder: Path) -> RunRecord:
    """Write cards and record of a run folder that is otherwise complete.

    Args:
        record: the record without files.
        folder: the run folder.

    Returns:
        The record as written, with the hashes of all files.
    """
    hub = folder / "huggingface"
    # The cards list packages and weights; afterwards the cards are files of the record, too.
    record = record.model_copy(update={"files": written_files(folder)})
    shown = [name for name in PICTURES if (hub / "pictures" / name).exists()]
    (hub / "README.md").write_text(render(record, shown), encoding="utf-8")
    page = render_html(render_body(record, shown), hub / "pictures")
    (folder / "report.html").write_text(page, encoding="utf-8")
    record = record.model_copy(update={"files": written_files(folder, record.files)})
    (folder / "record.json").write_text(record.dumps(), encoding="utf-8")
    shutil.copyfile(folder / "record.json", hub / "record.json")
    return record
