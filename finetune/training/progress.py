"""One progress line for the whole training, in a terminal: epochs, last metrics, time left and memory."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from finetune.training.history import METRICS
from finetune.training.protocol import TrainableModule
from finetune.utils.progress import stage


class TrainingProgress(pl.Callback):
    """Counts the batches of all epochs, so that the time left is that of the training."""

    def __init__(self, console: Console) -> None:
        """Show nothing yet.

        Args:
            console: where the line is shown.
        """
        self._console, self._open = console, ExitStack()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the line; a resumed training starts where it stopped.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
        """
        batches, epochs = int(trainer.num_training_batches), trainer.max_epochs or 0
        shown = stage(
            self._console,
            "training",
            batches * epochs,
            batches * trainer.current_epoch,
        )
        self._stage = self._open.enter_context(shown)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Count the batch.

        Args:
            trainer: Lightning's trainer.
        """
        self._stage.advance()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the metrics of the epoch.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
        """
        assert isinstance(module, TrainableModule)
        measured = trainer.callback_metrics
        text = (
            f"training, epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: loss {measured['loss']:.3f}"
        )
        if (name := module.monitor) in measured:
            text += f", {METRICS[name].removeprefix('validation ')} {measured[name]:.3f}"
        self._stage.describe(text)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Leave the line on the screen; early stopping ended training before the last planned epoch.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
        """
        self._stage.finish()
        self._open.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Release the terminal.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
            exception: what ended the training.
        """
        self._open.close()
