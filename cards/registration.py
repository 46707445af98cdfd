"""The target value that was stated before training, and whether the run met it, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cards import formatting as words
from cards.fingerprint import data_digest, recipe_digest
from cards.metrics import MetricDescription
from cards.record import RunRecord


@dataclass(frozen=True)
class Outcome:
    """A pre-registered target and what became of it.

    Attributes:
        target: e.g. "mean Dice ≥ 0.92 on the test images".
        registered: date and time, UTC.
        result: e.g. "0.9263, target met".
        objections: reasons why the target does not count, one sentence each.
    """

    target: str
    registered: str
    result: str
    objections: tuple[str, ...]


def outcome(record: RunRecord) -> Outcome | None:
    """Compare the target value with the accuracy of the trained model.

    Args:
        record: the run.

    Returns:
        The outcome; None if no target was registered.
    """
    if (stated := record.registration) is None:
        return None
    metric = next((metric for metric in record.metrics if metric.name == stated.metric), None)
    label = metric.label if metric else stated.metric
    moment = _moment(stated.registered)
    bound = "≥" if metric is None or metric.higher_is_better else "≤"
    return Outcome(
        target=f"mean {label} {bound} {words.number(stated.value)} on the test images",
        registered=moment.strftime("%Y-%m-%d %H:%M UTC") if moment else words.NOT_STATED,
        result=_result(record, metric, stated.value),
        objections=tuple(_objections(record)),
    )


def _result(record: RunRecord, metric: MetricDescription | None, target: float) -> str:
    after = record.accuracy.after.summary if record.accuracy and record.accuracy.split == "test" else {}
    if metric is None or metric.name not in after:
        return words.NOT_MEASURED
    mean = after[metric.name].mean
    met = mean >= target if metric.higher_is_better else mean <= target
    # More digits where four would contradict the verdict.
    shown = f"{mean:.4f}" if round(mean, 4) != round(target, 4) or mean == target else f"{mean:.8f}"
    return f"{shown}, target {'met' if met else 'not met'}"


def _objections(record: RunRecord) -> list[str]:
    stated, found = record.registration, []
    assert stated is not None
    tests = [file for file in record.data.files if file.split == "test"]
    if stated.test_images != data_digest(tests):
        found.append("The test images are not those of the registration.")
    if stated.recipe_sha256 != recipe_digest(record.recipe):
        found.append("The recipe is not that of the registration.")
    registered, ended = _moment(stated.registered), _moment(record.created)
    # The run lasted at least as long as its training; both times are rounded down to a second.
    lasted = timedelta(seconds=record.training.seconds - 1)
    if not (registered and ended and registered <= ended - lasted):
        found.append("The registration is not older than the training.")
    return found


def _moment(timestamp: str) -> datetime | None:
    """A point in time in UTC; None for text that is no date."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
