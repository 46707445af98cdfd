"""Training history: metrics of each epoch, and the callback that records them."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from cards.formatting import duration
from cards.training import Epoch
from finetune.training.energy import EnergyMeter, add_energy
from finetune.training.protocol import TrainableModule

# Validation metrics: fields of `cards.training.Epoch` and their labels. `TrainableModule.monitor` is one.
METRICS = {"validation_dice": "validation Dice", "validation_iou": "validation IoU"}


@dataclass
class History:
    """Metrics and duration of a training.

    Attributes:
        epochs: fields of `cards.training.Epoch`, per epoch.
        seconds: duration of training and validation, over all attempts.
        validation_seconds: duration of validation alone.
        steps: number of optimizer steps.
        resumed: how often training was resumed.
        stopped_early: whether early stopping ended training before the last planned epoch.
        stopped_by_user: whether the user ended training before the last planned epoch.
        empty_validation: whether the best weights predict background in every validation image.
        energy: fields of `cards.evidence.Energy` for all completed epochs; None if one was not measured. An
            epoch that was interrupted counts when it is repeated, as in `seconds`.
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    validation_seconds: float = 0.0
    steps: int = 0
    resumed: int = 0
    stopped_early: bool = False
    stopped_by_user: bool = False
    empty_validation: bool = False
    energy: dict[str, Any] | None = None

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the highest validation Dice or IoU, counted from 1; the first of equals."""
        measured = [
            (value, epoch["epoch"])
            for epoch in self.epochs
            for metric in METRICS
            if (value := epoch.get(metric)) is not None
        ]
        return max(measured, key=lambda entry: entry[0])[1] if measured else None


class HistoryCallback(pl.Callback):
    """Records per-epoch metrics and saves them in each checkpoint, so that a resumed run keeps them."""

    def __init__(self, console: Console, meter: EnergyMeter | None = None) -> None:
        """Start an empty history.

        Args:
            console: where a line per epoch is printed, unless it is a terminal, which shows progress instead.
            meter: measures the energy; None to leave that out.
        """
        self.console, self.meter = console, meter
        self.history = History()

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint.

        Returns:
            The fields of the history.
        """
        return asdict(self.history)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint.

        Args:
            state_dict: what `state_dict` returned.
        """
        self.history = History(**state_dict)

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock; precomputation of features counts as training time.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
        """
        self._energy_before = self.history.energy if self.history.epochs else {}
        if self.meter:
            self.meter.start()
        self._since = time.perf_counter()
        self.history.resumed += bool(self.history.epochs)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock of validation.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
        """
        self._validation_since = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop the clock of validation.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
        """
        self.history.validation_seconds += time.perf_counter() - self._validation_since

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Record the epoch and print its loss and validation metric.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
        """
        assert isinstance(module, TrainableModule)
        history, now, metric = self.history, time.perf_counter(), module.monitor
        history.seconds += now - self._since
        self._since = now
        history.steps = trainer.global_step
        history.energy = add_energy(self._energy_before, self.meter.read() if self.meter else None)
        validated = metric in trainer.callback_metrics and _validates(trainer)
        value = float(trainer.callback_metrics[metric]) if validated else None
        loss = float(trainer.callback_metrics["loss"])
        number, seconds = trainer.current_epoch + 1, history.seconds
        epoch = Epoch.model_validate({"epoch": number, "loss": loss, metric: value, "seconds": seconds})
        history.epochs.append(epoch.model_dump())
        if validated and history.best_epoch == epoch.epoch:
            history.empty_validation = module.found_nothing
        if trainer.is_global_zero and not self.console.is_terminal:
            score = f", {METRICS[metric]} {value:.4f}" if validated else ""
            progress = f"epoch {epoch.epoch}/{trainer.max_epochs}"
            # The mean of all epochs, since validation may take place in some of them only.
            left = history.seconds / len(history.epochs) * ((trainer.max_epochs or 0) - epoch.epoch)
            times = f"{history.seconds:.0f} s" + (
                f", about {duration(max(1, round(left)))} left" if left else ""
            )
            self.console.print(
                f"{progress}: loss {epoch.loss:.4f}{score} ({times})", highlight=False, soft_wrap=True
            )


def _validates(trainer: pl.Trainer) -> bool:
    every = trainer.check_val_every_n_epoch or 1
    return bool(trainer.limit_val_batches) and (trainer.current_epoch + 1) % every == 0
