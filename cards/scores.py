"""The parts of the record that hold what was measured: accuracy, answers to prompts, and time."""

from __future__ import annotations

from pydantic import Field

from cards.base import LabelKind, RecordModel, Split


class ImageScore(RecordModel):
    """Metrics of one image."""

    image: str
    metrics: dict[str, float] = Field(description="value by name, for each metric of the record")
    seconds: float = Field(description="from pixels in memory to labels ready")


class Summary(RecordModel):
    """Over images."""

    mean: float
    std: float = Field(description="population standard deviation over images")
    median: float


class Stage(RecordModel):
    """One evaluation over the test images."""

    scores: list[ImageScore]
    summary: dict[str, Summary] = Field(description="by name, for each metric of the record")
    worst: list[str] = Field(description="names of up to five images with the lowest Dice, worst first")


class PromptImage(RecordModel):
    """How well the instances of one image were found by one kind of prompt."""

    image: str
    instances: int = Field(description="how many were asked for, one after the other")
    before: float | None = Field(None, description="mean IoU over them")
    after: float


class PromptScore(RecordModel):
    """What one kind of prompt gives on the test images: IoU, a mean over each image's instances."""

    kind: str = Field(description="'point', 'box' or 'point + N corrections'")
    images: list[PromptImage]
    before: Summary | None = Field(None, description="over images; None if there was nothing to measure")
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
    dice_of: LabelKind = Field(description="what Dice was taken on: foreground or boundary")
    before: Stage | None = None
    before_note: str | None = Field(None, description="why there is no 'before', e.g. 'untrained'")
    after: Stage
    change: Change | None = None
    labeled_by: str | None = Field(None, description="what made labels of a model that answers prompts")


class Timing(RecordModel):
    """Time per image: warm, batch 1, from pixels in memory to labels ready."""

    images: int
    median_seconds: float
    p95_seconds: float
    network_seconds: float | None = Field(None, description="median spent in the network")
    decoding_seconds: float | None = Field(None, description="median spent reading maps back to labels")
    device: str
    threads: int | None = None
    peak_memory_training_bytes: int | None = None
    peak_memory_inference_bytes: int | None = None
