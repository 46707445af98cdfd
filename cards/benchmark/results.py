"""Results of a benchmark, written as `benchmark.json`: the source of its tables, plot and recommendation."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from statistics import fmean, median, pstdev
from typing import Literal

from pydantic import Field

from cards import formatting as words
from cards.base import LabelKind, RecordModel, is_unset, read_model
from cards.metrics import PRIMARY
from cards.record import Environment
from cards.scores import ImageScore

FILE = "benchmark.json"

REPOSITORIES = {
    "bioimageio": "BioImage.IO",
    "cellpose": "Cellpose",
    "huggingface": "Hugging Face",
    "sam2": "SAM 2",
    "stardist": "StarDist",
    "torchvision": "PyTorch Hub",
    "wipp": "WIPP",
}
"""Names of the repositories in tables."""

Stage = Literal["untuned", "before", "fine-tuned", "trained"]
"""How the model was measured: as published, before fine-tuning with a recipe, fine-tuned, or trained from
random weights."""


class ModelResult(RecordModel):
    """Measurements of one model; one row of the table."""

    key: str = Field(description="identifies the model and the images, so that a benchmark can be continued")
    title: str = Field(description="name of the model in tables")
    repository: str
    stage: Stage
    license: str | None = None
    parameters: int | None = None
    exposure: str = Field("unknown", description="whether the model was trained or selected on these images")
    scores: list[ImageScore] = []
    hardware: str | None = Field(
        None, exclude_if=is_unset, description="where times were measured, if not on that of the benchmark"
    )
    interval: tuple[float, float] | None = Field(
        None, description="95 % bootstrap interval of the mean Dice; None with fewer than two images"
    )
    error: str | None = Field(None, description="why the model could not be measured")

    @property
    def reason(self) -> str:
        """Why the model could not be measured, without its title; empty if it was."""
        return (self.error or "").removeprefix(f"{self.title}: ")

    def values(self, metric: str, images: Collection[str] | None = None) -> list[float]:
        """Values of a metric.

        Args:
            metric: name of the metric.
            images: names of the images to include; all if None.

        Returns:
            One value for each image.
        """
        chosen = [score for score in self.scores if images is None or score.image in images]
        return [score.metrics[metric] for score in chosen if metric in score.metrics]

    def mean(self, metric: str = PRIMARY, images: Collection[str] | None = None) -> float | None:
        """Mean of a metric over images.

        Args:
            metric: name of the metric.
            images: names of the images to include; all if None.

        Returns:
            The mean; None if it was not measured.
        """
        values = self.values(metric, images)
        return fmean(values) if values else None

    def std(self, metric: str = PRIMARY, images: Collection[str] | None = None) -> float | None:
        """Population standard deviation of a metric over images.

        Args:
            metric: name of the metric.
            images: names of the images to include; all if None.

        Returns:
            The standard deviation; None with fewer than two images.
        """
        values = self.values(metric, images)
        return pstdev(values) if len(values) > 1 else None

    def point(self) -> tuple[float, float]:
        """Time and accuracy of a measured model, as they are plotted.

        Returns:
            Median seconds per image and mean Dice.

        Raises:
            ValueError: if the model was not measured.
        """
        seconds, dice = self.seconds(), self.mean()
        if seconds is None or dice is None:
            raise ValueError(f"{self.title} was not measured")
        return seconds, dice

    def seconds(self) -> float | None:
        """Median time per image: warm, batch size 1, from pixels in memory to the label image.

        Returns:
            Seconds; None if it was not measured.
        """
        return median(score.seconds for score in self.scores) if self.scores else None

    def time_per_image(self) -> str:
        """State the median time per image.

        Returns:
            The time, and the hardware if it is not that of the benchmark.
        """
        return words.duration(self.seconds()) + (f" on {self.hardware}" if self.hardware else "")


class FractionResult(RecordModel):
    """Measurements of a recipe that was run with a fraction of the training images."""

    recipe: str = Field(description="title of the recipe in the table")
    fraction: float = Field(gt=0, le=1, description="of the training images")
    train_images: int | None = Field(None, description="number of training images; None if the run failed")
    result: ModelResult


class QuotedResult(RecordModel):
    """Figures that someone else published, shown next to the measurements and marked as quoted."""

    title: str
    repository: str
    dice: float = Field(ge=0, le=1, description="mean over images, from 0 to 1")
    std: float | None = Field(None, ge=0, description="standard deviation over images")
    seconds: float | None = Field(None, ge=0, description="time per image")


class Benchmark(RecordModel):
    """A benchmark: models, images and measurements."""

    title: str
    created: str = Field(description="ISO 8601, UTC")
    finetune_version: str
    data: str = Field(description="name of the data set")
    data_digest: str = Field(description="`cards.fingerprint.data_digest` of the images and label images")
    dice_of: LabelKind = Field(description="pixels that Dice compares: foreground or boundary")
    images: list[str] = Field(description="names of the images on which the models were measured")
    unrelated: list[str] | None = Field(
        None,
        description="those that are unrelated to the training images of the data set; None if not compared",
    )
    results: list[ModelResult]
    fractions: list[FractionResult] = Field(
        [], description="recipes run with a fraction of the training images, and with all of them"
    )
    quoted: list[QuotedResult] = []
    quoted_from: str | None = None
    device: str
    threads: int | None = None
    environment: Environment

    @property
    def hardware(self) -> str:
        """Device and number of threads."""
        return words.hardware(self.device, self.threads)

    def measured(self) -> list[ModelResult]:
        """Models with measurements, the most accurate first.

        Returns:
            The results without failed models.
        """
        found = [result for result in self.results if result.scores]
        return sorted(found, key=lambda result: -result.point()[1])

    def timed(self) -> list[ModelResult]:
        """Measured models whose times can be compared, the most accurate first.

        Returns:
            The measured models without those that were timed on other hardware.
        """
        return [result for result in self.measured() if result.hardware is None]

    def failed(self) -> list[ModelResult]:
        """Models that could not be measured.

        Returns:
            The results without scores.
        """
        return [result for result in self.results if not result.scores]

    def dumps(self) -> str:
        """Serialize as JSON.

        Returns:
            Indented by two spaces, with a newline at the end.
        """
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Benchmark:
        """Read `benchmark.json`.

        Args:
            path: the file.

        Returns:
            The benchmark.

        Raises:
            InputError: if the file cannot be read or holds no benchmark.
        """
        return read_model(cls, path, "benchmark")
