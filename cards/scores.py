"""The parts of the record that hold measurements: accuracy, accuracy with prompts, and timing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median, pstdev
from typing import Self

from pydantic import Field

from cards.base import LabelKind, RecordModel, Split, is_unset

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Characters with which spreadsheets begin a formula (OWASP, "CSV injection")."""

WORST = 5
"""Images with the lowest Dice that a stage names."""


def csv_text(text: str) -> str:
    """Neutralize text for a cell of a CSV file, so that no spreadsheet computes it.

    Args:
        text: such as the name of an image.

    Returns:
        The text, with an apostrophe in front if a spreadsheet would take it for a formula.
    """
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text


class ImageScore(RecordModel):
    """Metrics of one image."""

    image: str
    metrics: dict[str, float] = Field(description="value by name, for each metric of the record")
    seconds: float = Field(description="from pixels in memory to the label image")


class Summary(RecordModel):
    """Distribution of a metric over images."""

    mean: float
    std: float | None = Field(
        None, exclude_if=is_unset, description="population standard deviation over two or more images"
    )
    median: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Compute mean, population standard deviation and median.

        Args:
            values: at least one.

        Returns:
            The summary; a single value has no standard deviation.
        """
        std = pstdev(values) if len(values) > 1 else None
        return cls(mean=fmean(values), std=std, median=median(values))

    def mean_and_std(self) -> list[tuple[str, str, float]]:
        """Mean and, of several images, standard deviation.

        Returns:
            Name, description and value of each.
        """
        values = [("mean", "mean", self.mean), ("std", "standard deviation", self.std)]
        return [(name, text, value) for name, text, value in values if value is not None]


class Stage(RecordModel):
    """One evaluation over the test images."""

    scores: list[ImageScore]
    summary: dict[str, Summary] = Field(description="by name, for each metric of the record")
    worst: list[str] = Field(description="names of up to five images with the lowest Dice, lowest first")


class PromptImage(RecordModel):
    """Accuracy on one image with one kind of prompt."""

    image: str
    instances: int = Field(description="number of instances, prompted one by one")
    before: float | None = Field(None, description="mean IoU over the instances")
    after: float


class PromptScore(RecordModel):
    """Accuracy on the test images with one kind of prompt: IoU, averaged over the instances of an image."""

    kind: str = Field(description="'point', 'box' or 'point + N corrections'")
    images: list[PromptImage]
    before: Summary | None = Field(None, description="over images; None if not measured")
    after: Summary


class Change(RecordModel):
    """Paired change of the per-image Dice, after minus before, with a bootstrap interval."""

    mean: float
    low: float
    high: float
    confidence: float = 0.95
    resamples: int


class Accuracy(RecordModel):
    """Accuracy on the test images before and after the run."""

    split: Split = "test"
    images: int
    dice_of: LabelKind = Field(description="pixels that Dice compares: foreground or boundary")
    before: Stage | None = None
    before_note: str | None = Field(None, description="why 'before' is missing, e.g. 'untrained'")
    after: Stage
    change: Change | None = None
    labeled_by: str | None = Field(None, description="method that segments without prompts, if interactive")


class Timing(RecordModel):
    """Time per image: warm, batch size 1, from pixels in memory to the label image."""

    images: int
    median_seconds: float
    p95_seconds: float
    network_seconds: float | None = Field(None, description="median time from pixels to maps")
    decoding_seconds: float | None = Field(None, description="median time from maps to the label image")
    device: str
    threads: int | None = None
    peak_memory_training_bytes: int | None = None
    peak_memory_inference_bytes: int | None = None
