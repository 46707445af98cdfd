"""Claims on the record itself: it is unambiguous, and its figures agree with each other."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np

from cards.audit.card_text import FAMILY
from cards.audit.claims import Claim, Subject, joined
from cards.audit.values import equal, repeated, shown
from cards.evidence import EXPORT_TOLERANCE
from cards.formatting import counted
from cards.metrics import PRIMARY
from cards.record import RunRecord
from cards.scores import WORST, Stage, Summary


def record_claims(subject: Subject, record: RunRecord) -> list[Claim]:
    """Check that a record is unambiguous, and that its figures follow from its scores.

    Args:
        subject: the model under audit.
        record: its record.

    Returns:
        The claims.
    """
    return [_keys(subject), _consistent(record)]


def _keys(subject: Subject) -> Claim:
    """JSON may repeat a key, and readers differ in which one they take."""
    statement = "record.json states each value once."
    found: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.extend(repeated(name for name, _ in pairs))
        return dict(pairs)

    json.loads((subject.folder / "record.json").read_bytes(), object_pairs_hook=collect)
    if found:
        evidence = f"{', '.join(sorted(found))}: more than once in one object."
        return Claim(FAMILY, statement, "broken", evidence, "Restore the record.json that finetune wrote.")
    return Claim(FAMILY, statement, "holds", "No key is repeated.")


def _consistent(record: RunRecord) -> Claim:
    """Figures of the record that follow from other figures of the record."""
    statement = "The means, deviations and counts in the record follow from its scores per image."
    problems = [
        *_accuracy_problems(record),
        *_training_problems(record),
        *_export_problems(record),
        *_range_problems(record),
    ]
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), "Restore the record.json of the run.")
    images = record.accuracy.images if record.accuracy else 0
    return Claim(
        FAMILY, statement, "holds", f"Computed again from the scores of {counted(images, 'test image')}."
    )


def _accuracy_problems(record: RunRecord) -> list[str]:
    problems = []
    for score in record.prompts:
        where = f"prompts, {score.kind}"
        problems += _spread(score.after, [image.after for image in score.images], f"{where}, after")
        if score.before:
            before = [image.before for image in score.images if image.before is not None]
            problems += _spread(score.before, before, f"{where}, before")
    if (accuracy := record.accuracy) is None:
        return problems
    tested = {file.name for file in record.data.files if file.split == accuracy.split}
    for name, stage in (("before", accuracy.before), ("after", accuracy.after)):
        if stage is None:
            continue
        problems += _stage(stage, f"accuracy.{name}")
        unlike = stage.summary.keys() ^ {metric.name for metric in record.metrics}
        problems += [
            f"accuracy.{name}.summary: {metric} is not a metric of the record" for metric in sorted(unlike)
        ]
        if len(stage.scores) != accuracy.images:
            problems.append(f"accuracy.{name}: {len(stage.scores)} scores for {accuracy.images} images")
        if odd := sorted({score.image for score in stage.scores} - tested):
            problems.append(f"accuracy.{name}: {odd[0]} is not a {accuracy.split} image of the record")
    if accuracy.before and accuracy.change:
        means = [stage.summary[PRIMARY].mean for stage in (accuracy.after, accuracy.before)]
        if not equal(round(accuracy.change.mean, 9), round(means[0] - means[1], 9)):
            problems.append(f"accuracy.change.mean: {accuracy.change.mean:.6f}, not after minus before")
    return problems


def _stage(stage: Stage, where: str) -> list[str]:
    problems = []
    for metric, summary in stage.summary.items():
        values = [score.metrics[metric] for score in stage.scores if metric in score.metrics]
        problems += _spread(summary, values, f"{where}.{metric}")
        problems += [
            f"{where}: {score.image} has no {metric}" for score in stage.scores if metric not in score.metrics
        ]
    dice = {score.image: score.metrics[PRIMARY] for score in stage.scores if PRIMARY in score.metrics}
    lowest = sorted(dice.values())[:WORST]
    worst = [dice.get(image) for image in stage.worst]
    return problems if worst == lowest else [*problems, f"{where}.worst: not the images with the lowest Dice"]


def _spread(summary: Summary, values: list[float], where: str) -> list[str]:
    if not values:
        return [f"{where}: no scores"]
    expected = {"mean": np.mean(values), "std": np.std(values), "median": np.median(values)}
    if len(values) == 1 and summary.std is None:  # older records state 0
        del expected["std"]
    return [
        f"{where}.{name}: {'missing' if found is None else f'{found:.6f}'}, "
        f"the scores give {float(value):.6f}"
        for name, value in expected.items()
        if (found := getattr(summary, name)) is None or abs(found - float(value)) > 1e-6
    ]


def _training_problems(record: RunRecord) -> list[str]:
    how, model = record.training, record.model
    last = max((epoch.epoch for epoch in how.history), default=how.epochs)
    checks = {
        f"training.epochs: {how.epochs}, the history ends with {last}": last == how.epochs,
        f"training.best_epoch: {how.best_epoch}, after {how.epochs} epochs": (how.best_epoch or 1)
        <= how.epochs,
        f"training.epochs: {how.epochs}, planned {how.epochs_planned}": how.epochs <= how.epochs_planned,
        f"training.images_seen: {how.images_seen:,}, not steps × batch size": (
            how.images_seen <= how.steps * how.batch_size
        ),
        f"model.trainable: {model.trainable:,} of {model.parameters:,}": model.trainable <= model.parameters,
    }
    return [problem for problem, consistent in checks.items() if not consistent]


def _export_problems(record: RunRecord) -> list[str]:
    """An exported file was scored on some of the test images, as the trained model was."""
    problems = []
    tested = record.data.count(record.accuracy.split if record.accuracy else "test")
    for check in record.exports:
        where = f"exports, {check.artifact} ({check.format})"
        if check.equal and abs(check.dice - check.trained_dice) > check.tolerance:
            problems.append(f"{where}: Dice {check.dice:.4f} is not {check.trained_dice:.4f}")
        if check.tolerance > EXPORT_TOLERANCE:
            problems.append(f"{where}: tolerance {check.tolerance:g}, finetune allows {EXPORT_TOLERANCE:g}")
        if check.images > tested:
            problems.append(f"{where}: {check.images:,} images, the record names {tested:,}")
    return problems


def _range_problems(record: RunRecord) -> list[str]:
    """Scores within the range of their metric, times that passed, and a date."""
    problems = []
    ranges = {metric.name: (metric.minimum, metric.maximum) for metric in record.metrics}
    stages = (record.accuracy.before, record.accuracy.after) if record.accuracy else ()
    for score in (score for stage in stages if stage for score in stage.scores):
        for name, value in score.metrics.items():
            low, high = ranges.get(name, (None, None))
            if (low is not None and value < low) or (high is not None and value > high):
                problems.append(f"{score.image}: {name} {value:g} is not between {low:g} and {high:g}")
        if score.seconds is not None and score.seconds < 0:
            problems.append(f"{score.image}: {score.seconds:g} seconds")
    times = {"training.seconds": record.training.seconds}
    if record.timing:
        times["timing.median_seconds"] = record.timing.median_seconds
    problems += [f"{key}: {value:g} is negative" for key, value in times.items() if value < 0]
    try:
        datetime.fromisoformat(record.created)
    except ValueError:
        problems.append(f"created: {shown(record.created)} is not a date")
    return problems
