"""Metrics from outside, and how all metrics of an image are computed."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import examples
import numpy as np
import pytest

from cards import bioimageio_config, huggingface, result_tables
from cards.errors import InputError
from cards.record import RunRecord
from cards.scores import ImageScore
from finetune.evaluation.evaluate import write_scores
from finetune.metrics.registry import METRICS, compute_metrics, describe_metrics, register_metric
from finetune.metrics.summary import summarize

REFERENCE = np.array([[1, 1, 0, 2], [1, 1, 0, 2]])
PREDICTION = np.array([[1, 1, 0, 0], [1, 1, 0, 0]])


def count_error(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Difference of the numbers of instances."""
    return abs(len(np.unique(prediction)) - len(np.unique(reference)))


@pytest.fixture
def registered() -> Iterator[None]:
    register_metric(
        "count_error",
        count_error,
        label="Count error",
        meaning="difference of the numbers of instances",
        higher_is_better=False,
        maximum=None,
    )
    yield
    del METRICS["count_error"]


def scored(image: str) -> ImageScore:
    return ImageScore(image=image, metrics=compute_metrics(PREDICTION, REFERENCE), seconds=0.5)


def test_all_metrics_of_an_image() -> None:
    values = compute_metrics(PREDICTION, REFERENCE)
    assert list(values) == ["dice", "ap50", "ap75", "ap90", "pq"]
    assert values["dice"] == pytest.approx(8 / 10)
    assert values["ap50"] == 1 / 2
    assert compute_metrics(PREDICTION, REFERENCE, names=["pq"]) == {"pq": values["pq"]}


def test_pixels_and_instances_may_be_different_label_images() -> None:
    values = compute_metrics(PREDICTION, REFERENCE, instances=(REFERENCE, REFERENCE))
    assert values["dice"] == pytest.approx(8 / 10)
    assert values["ap90"] == values["pq"] == 1


def test_a_registered_metric_is_in_scores_record_summary_and_both_cards(
    registered: None, tmp_path: Path
) -> None:
    record = examples.full()
    record.metrics = describe_metrics()
    record.accuracy.before = None
    record.accuracy.after = summarize([scored("a"), scored("b")])
    write_scores(tmp_path / "scores.csv", {"after": record.accuracy.after})
    with (tmp_path / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[-3:] == ["pq", "count_error", "seconds"]
    assert rows[0]["count_error"] == "1.0"
    (tmp_path / "record.json").write_text(record.dumps())
    record = RunRecord.read(tmp_path)
    del METRICS["count_error"]  # a card needs the record alone
    try:
        assert record.accuracy.after.summary["count_error"].mean == 1
        assert [row[0] for row in result_tables.headline(record)[1:]] == ["Dice", "AP50", "PQ", "Count error"]
        results = {result.metric_type: result.metric_value for result in huggingface.evaluation(record)}
        assert results["count_error"] == 1
        card = huggingface.render(record)
        assert "| Count error | not measured | not measured | 1.0000 ± 0.0000 | 1.0000 |" in card
        assert "- **Count error:** difference of the numbers of instances; lower is better" in card
        evaluation = bioimageio_config.bioimageio_config(record).evaluations[0]
        assert "Count error mean" in evaluation.metrics
    finally:
        METRICS["count_error"] = METRICS["dice"]  # for the fixture to remove


@pytest.mark.parametrize("name", ["dice", "seconds", "image", "Count error", "2d", ""])
def test_names_that_are_taken_or_no_column_are_refused(name: str) -> None:
    before = dict(METRICS)
    with pytest.raises(InputError, match="the name is taken|a name must start with a letter"):
        register_metric(name, count_error, label="x", meaning="x")
    assert dict(METRICS) == before


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.5])
def test_a_value_outside_the_range_is_an_error_that_names_the_metric(value: float) -> None:
    register_metric("broken", lambda prediction, reference: value, label="Broken", meaning="none")
    try:
        with pytest.raises(InputError, match="metric 'broken' returned .*: expected .* from 0 to 1"):
            compute_metrics(PREDICTION, REFERENCE)
    finally:
        del METRICS["broken"]


def test_an_invalid_field_of_a_metric_is_named() -> None:
    fields = {"label": "A", "meaning": "b", "higher_is_better": True, "maximum": 1.0}
    with pytest.raises(InputError, match="metric 'abc': compares: input should be"):
        register_metric("abc", count_error, **fields, compares="instance")  # type: ignore[arg-type]
