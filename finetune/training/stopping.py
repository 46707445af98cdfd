"""Training that the user ends: the epoch is completed and validated, and the run goes on as usual."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from finetune.training.history import History, HistoryCallback
from finetune.training.run_files import STOP


class StopOnRequest(pl.Callback):
    """Ends training after an epoch in which the file `STOP` was written to the run folder."""

    def __init__(self, folder: Path, recorder: HistoryCallback) -> None:
        """Watch a run folder.

        Args:
            folder: the run folder.
            recorder: keeps the history of the training, which states the stop.
        """
        self.path, self.recorder = folder / STOP, recorder

    @property
    def history(self) -> History:
        """The history of the training."""
        return self.recorder.history

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look for the file after the last batch of an epoch; the epoch is then validated in any case.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
            outputs: of the training step.
            batch: the batch.
            batch_idx: its index.
        """
        if not trainer.is_last_batch or trainer.current_epoch + 1 == trainer.max_epochs:
            return
        # All processes must decide alike; a file may appear between two looks.
        if trainer.strategy.broadcast(self.path.exists()):
            self.history.stopped_by_user = True  # before the checkpoint of the epoch, which contains it
            trainer.check_val_every_n_epoch = 1

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Tell the trainer to end.

        Args:
            trainer: Lightning's trainer.
            module: the training module.
        """
        trainer.should_stop = trainer.should_stop or self.history.stopped_by_user
