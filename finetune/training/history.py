"""What happened while training, epoch by epoch, and the callback that writes it down."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from cards.record import Epoch
from finetune.training.protocol import TrainableModule

# What validation may measure: fields of `cards.record.Epoch`, in words. A module says which by `monitor`.
MEASURES = {"validation_dice": "validation Dice", "validation_iou": "validation IoU"}


@dataclass
class History:
    """What happened, epoch by epoch.

    Attributes:
        epochs: each as `cards.record.Epoch`.
        seconds: training and validation together, over all attempts.
        validation_seconds: of these, validation.
        steps: of the optimizer.
        resumed: how often training was taken up again.
        stopped_early: whether it ended before the last epoch for want of progress.
        empty_validation: whether the kept weights find nothing in any validation image.
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    validation_seconds: float = 0.0
    steps: int = 0
    resumed: int = 0
    stopped_early: bool = False
    empty_validation: bool = False

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the highest validation Dice or IoU, counted from 1; the earliest of equals."""
        measured = [
            (value, epoch["epoch"])
            for epoch in self.epochs
            for measure in MEASURES
            if (value := epoch.get(measure)) is not None
        ]
        return max(measured, key=lambda found: found[0])[1] if measured else None


class HistoryCallback(pl.Callback):
    """Writes the history; it goes into every checkpoint, so that a resumed run tells the whole of it."""

    def __init__(self, console: Console) -> None:
        """Start an empty history; a line an epoch goes to `console` where there is no progress bar."""
        self.console = console
        self.history = History()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return asdict(self.history)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.history = History(**state_dict)

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Training begins, or goes on; what a frozen encoder does before the first epoch is a part of it."""
        self._since = time.perf_counter()
        self.history.resumed += bool(self.history.epochs)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Validation is no training time."""
        self._validation_since = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Validation is no training time."""
        self.history.validation_seconds += time.perf_counter() - self._validation_since

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Write the epoch down."""
        assert isinstance(module, TrainableModule)
        history, now, measure = self.history, time.perf_counter(), module.monitor
        history.seconds += now - self._since
        self._since = now
        history.steps = trainer.global_step
        validated = measure in trainer.callback_metrics and _validates(trainer)
        value = float(trainer.callback_metrics[measure]) if validated else None
        loss = float(trainer.callback_metrics["loss"])
        epoch = Epoch.model_validate({"epoch": trainer.current_epoch + 1, "loss": loss, measure: value})
        history.epochs.append(epoch.model_dump())
        if validated and history.best_epoch == epoch.epoch:
            history.empty_validation = module.found_nothing
        if trainer.is_global_zero and trainer.progress_bar_callback is None:
            reached = f", {MEASURES[measure]} {value:.4f}" if validated else ""
            of = f"epoch {epoch.epoch}/{trainer.max_epochs}"
            self.console.print(
                f"{of}: loss {epoch.loss:.4f}{reached} ({history.seconds:.0f} s)", highlight=False
            )


def _validates(trainer: pl.Trainer) -> bool:
    every = trainer.check_val_every_n_epoch or 1
    return bool(trainer.limit_val_batches) and (trainer.current_epoch + 1) % every == 0
