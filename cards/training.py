"""Training in the run record: settings, duration and history."""

from __future__ import annotations

from pydantic import Field

from cards.base import RecordModel, is_unset
from cards.evidence import Energy, Selection


class Epoch(RecordModel):
    """Loss and validation metric of one epoch."""

    epoch: int
    loss: float
    validation_dice: float | None = None
    validation_iou: float | None = Field(None, description="mean IoU over point and box prompts")
    seconds: float | None = Field(
        None,
        exclude_if=is_unset,
        description="duration of training and validation up to the end of this epoch, over all attempts",
    )

    @property
    def validation(self) -> float | None:
        """Validation Dice, or IoU for prompts; None if the epoch was not validated."""
        return self.validation_iou if self.validation_dice is None else self.validation_dice


class StepTimes(RecordModel):
    """Median time of a training step in two precisions, in s, measured on a GPU before training."""

    float32: float = Field(gt=0)
    bf16: float = Field(gt=0)


class Training(RecordModel):
    """Training settings, duration and history."""

    epochs_planned: int
    epochs: int
    best_epoch: int | None = Field(None, description="epoch whose weights were selected; the first is 1")
    steps: int
    images_seen: int
    batch_size: int
    patch: int = Field(description="height and width of a training patch in pixels")
    optimizer: str
    learning_rate: float
    schedule: str
    weight_decay: float
    gradient_clip: float | None = Field(None, exclude_if=is_unset, description="maximum norm of the gradient")
    average: float | None = Field(
        None,
        exclude_if=is_unset,
        description="decay of the exponential moving average of the weights, which is exported",
    )
    loss: str
    augmentation: str
    precision: str
    step_times: StepTimes | None = Field(
        None,
        exclude_if=is_unset,
        description="what `compute.precision: auto` was selected by; None where nothing was measured",
    )
    seed: int
    seconds: float
    device: str | None = Field(None, description="hardware that trained the network")
    images_per_second: float | None = None
    resumed: int = Field(0, description="how often the run was resumed")
    stopped_early: bool = Field(False, description="early stopping ended training before its planned end")
    stopped_by_user: bool = Field(False, description="the user ended training before its planned end")
    history: list[Epoch] = []
    selections: list[Selection] = Field([], description="what was selected by its score on images")
    energy: Energy | None = None

    @property
    def stopped(self) -> str:
        """Why training ended before its planned end, in words; empty if it did not."""
        if self.stopped_by_user:
            return "stopped by the user"
        return "stopped early" if self.stopped_early else ""
