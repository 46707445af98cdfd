"""Write the artifacts of a run: exports and their verification, pictures, cards and the record."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from cards import figures as pictures
from cards.base import Split
from cards.huggingface import PICTURES, render, render_body
from cards.metrics import PRIMARY
from cards.record import RunRecord
from cards.report import render_html
from cards.scores import ImageScore
from finetune.data.datamodule import SegmentationData
from finetune.data.patches import Sample
from finetune.export.bioimageio import can_test, save_package
from finetune.export.huggingface import save_model
from finetune.export.verification import check_exports
from finetune.inference.model import Model
from finetune.pipeline.record_builder import written_files
from finetune.repositories.registry import save

NOTHING_TO_TEST = (
    "the model predicts no instance in any image, and BioImage.IO requires a test output that is not empty"
)


def write_artifacts(
    model: Model, data: SegmentationData, record: RunRecord, folder: Path, check_images: int
) -> RunRecord:
    """Export the model, verify each export, and write pictures, cards and the record.

    Args:
        model: the trained model.
        data: source of test images; without test images, examples are training images.
        record: the record without exports and files.
        folder: the run folder.
        check_images: number of test images on which each export is re-scored.

    Returns:
        The record as written, with verified exports and files.
    """
    hub = folder / "huggingface"
    split: Split = "test" if data.of("test") else "train"
    save_model(model, hub)
    save(model.network, model.architecture, folder / "native", model.config()["target"])
    left_out: list[str] = []
    if example := _example_for_test(model, data.samples(split)):
        save_package(model, record, example.pixels, folder / "bioimageio", record.name, left_out)
    else:
        left_out.append(f"No BioImage.IO package was written: {NOTHING_TO_TEST}")
    record = record.model_copy(update={"warnings": [*record.warnings, *left_out]})
    checked = islice(data.samples("test"), check_images)
    checks = check_exports(folder, model, checked) if data.of("test") else []
    differ = [
        f"{check.artifact} ({check.format}) does not reproduce the trained model's Dice: {check.dice:.4f} "
        f"instead of {check.trained_dice:.4f}"
        for check in checks
        if not check.equal
    ]
    record = record.model_copy(update={"exports": checks, "warnings": [*record.warnings, *differ]})
    _draw(model, data, record, hub / "pictures")
    return write_cards(record, folder)


def write_cards(record: RunRecord, folder: Path) -> RunRecord:
    """Write the cards and the record into a run folder that is complete otherwise.

    Args:
        record: the record without files.
        folder: the run folder.

    Returns:
        The record as written, with files.
    """
    hub = folder / "huggingface"
    # The cards list packages and weights; the record also lists the cards.
    record = record.model_copy(update={"files": written_files(folder)})
    shown = [name for name in PICTURES if (hub / "pictures" / name).exists()]
    (hub / "README.md").write_text(render(record, shown), encoding="utf-8")
    page = render_html(render_body(record, shown), hub / "pictures")
    (folder / "report.html").write_text(page, encoding="utf-8")
    record = record.model_copy(update={"files": written_files(folder, record.files)})
    (folder / "record.json").write_text(record.dumps(), encoding="utf-8")
    shutil.copyfile(folder / "record.json", hub / "record.json")
    return record


def _example_for_test(model: Model, samples: Iterable[Sample]) -> Sample | None:
    """Image for the test tensors, in which the model finds instances; with reference labels if possible."""
    found = None
    for sample in samples:
        if can_test(model, sample.pixels):
            if sample.labels.any():
                return sample
            found = found or sample
    return found


def _draw(model: Model, data: SegmentationData, record: RunRecord, folder: Path) -> None:
    """Draw the pictures of the cards."""
    folder.mkdir(parents=True, exist_ok=True)
    training, accuracy = record.training, record.accuracy
    if training.history:
        pictures.training_curve(training.history, folder / "training.png", training.best_epoch)
    if accuracy is None:
        return
    pictures.histogram(accuracy.after, accuracy.before, folder / "histogram.png")
    by_name = {pair.name: pair for pair in data.of("test")}
    for which, scored in _examples(accuracy.after.scores).items():
        sample: Sample = data.reader(by_name[scored.image])
        pictures.overlay(
            sample.pixels,
            sample.labels,
            model.target.decode(model.predict_maps(model.prepare(sample.pixels))),
            folder / f"example_{which}.png",
            title=f"{which}: {_short(scored.image)}, Dice {scored.metrics[PRIMARY]:.4f}",
            filled=model.target.labels == "boundary",
        )


def _short(name: str) -> str:
    """A name short enough for the title of a picture."""
    return name if len(name) <= 24 else f"{name[:12]}…{name[-11:]}"


def _examples(scores: list[ImageScore]) -> dict[str, ImageScore]:
    """The images with the best, median and worst Dice; fewer for fewer than three images."""
    ranked = sorted(scores, key=lambda score: (-score.metrics[PRIMARY], score.image))
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    chosen = {which: ranked[place] for which, place in places.items()}
    return {which: score for which, score in chosen.items() if which == "best" or score is not chosen["best"]}
