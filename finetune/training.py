"""The Lightning trainer: loggers, checkpoints, early stopping, and taking a stopped run up again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar, WeightAveraging
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from rich.console import Console

from cards.record import Epoch
from finetune.compute import quiet_lightning, trainer_options
from finetune.data.module import SegmentationData
from finetune.encoding import Encoding
from finetune.prompts import Prompter
from finetune.recipe import Recipe
from finetune.segmenter import Segmenter
from finetune.speed import keep_freed_memory

# What validation may measure: fields of `cards.record.Epoch`, in words. A module says which by `monitor`.
MEASURES = {"validation_dice": "validation Dice", "validation_iou": "validation IoU"}
FINISHED = "finished.json"  # in `checkpoints/`: the history of a training that came to its end


@dataclass
class History:
    """What happened, epoch by epoch.

    Attributes:
        epochs: each as `cards.record.Epoch`.
        seconds: training and validation together, over all attempts.
        validation_seconds: of these, validation.
        steps: of the optimiser.
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


class Historian(pl.Callback):
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
        assert isinstance(module, Segmenter | Prompter)
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
            history.empty_validation = module.missed_all
        if trainer.is_global_zero and trainer.progress_bar_callback is None:
            reached = f", {MEASURES[measure]} {value:.4f}" if validated else ""
            of = f"epoch {epoch.epoch}/{trainer.max_epochs}"
            self.console.print(
                f"{of}: loss {epoch.loss:.4f}{reached} ({history.seconds:.0f} s)", highlight=False
            )


def fit(
    segmenter: Segmenter | Prompter,
    data: SegmentationData,
    recipe: Recipe,
    folder: Path,
    console: Console,
) -> History:
    """Train, and leave the best weights in the segmenter's network.

    A folder that holds checkpoints is gone on with: from the last finished epoch, or, if training was
    finished, straight to its end.

    Args:
        segmenter: what to train, from the weights it holds.
        data: its batches.
        recipe: the sections training and compute.
        folder: the run folder; `checkpoints/` and `logs/` are written there, and, until the end, `maps/`;
            `features/` lies where the segmenter's say.
        console: where progress goes.

    Returns:
        What happened.
    """
    checkpoints = folder / "checkpoints"
    finished = checkpoints / FINISHED
    data.keep_maps(folder / "maps")
    if is_finished(folder):
        history = History(**json.loads(finished.read_text(encoding="utf-8")))
    else:
        history = _train(segmenter, data, recipe, folder, console)
        if not is_helper_process():
            _write_whole(finished, json.dumps(asdict(history), indent=2))
    if not is_helper_process():
        data.forget_maps()
        if segmenter.features:
            segmenter.features.forget()
    best = checkpoints / "best.ckpt"
    _load_weights(segmenter, best if best.exists() else checkpoints / "last.ckpt")
    return history


def is_finished(folder: Path) -> bool:
    """Whether training in a run folder has come to its end, so that `fit` has nothing left to do."""
    return (folder / "checkpoints" / FINISHED).exists()


def is_helper_process() -> bool:
    """Whether Lightning started this process to train along with another, which does all the rest."""
    ranks = ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
    return any(int(os.environ.get(name) or 0) > 0 for name in ranks)


def _train(
    segmenter: Segmenter | Prompter,
    data: SegmentationData,
    recipe: Recipe,
    folder: Path,
    console: Console,
) -> History:
    quiet_lightning()
    keep_freed_memory()
    training, checkpoints, measure = recipe.training, folder / "checkpoints", segmenter.monitor
    last = checkpoints / "last.ckpt"
    resume = last.exists()
    validates = bool(data.of("validation"))
    stopping = EarlyStopping(measure, mode="max", patience=training.patience) if training.patience else None
    historian = Historian(console)
    callbacks: list[pl.Callback] = [historian]
    if segmenter.features:
        callbacks.append(Encoding(data, segmenter.features, console))
    if training.average:
        callbacks.append(WeightAveraging(avg_fn=_moving_average(training.average)))
    if stopping and validates:
        callbacks.append(stopping)
    if console.is_terminal:
        callbacks.append(RichProgressBar())
    # 'best' stands before 'last', so that 'last' holds what 'best' already knows.
    if validates:
        callbacks.append(_checkpoint(checkpoints, "best", monitor=measure, mode="max"))
    callbacks.append(_checkpoint(checkpoints, "last", save_on_train_epoch_end=True))
    if resume and _had_stopped(last, training.patience):
        return History(**_callback_state(last, "Historian"))
    trainer = pl.Trainer(
        max_epochs=training.epochs,
        gradient_clip_val=training.gradient_clip,
        check_val_every_n_epoch=training.validate_every,
        limit_val_batches=1.0 if validates else 0,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=_loggers(folder),
        log_every_n_steps=1,
        use_distributed_sampler=False,  # SegmentationData shares every batch out by itself
        enable_progress_bar=console.is_terminal,
        enable_model_summary=False,
        **trainer_options(recipe.compute),
    )
    segmenter.train()
    try:
        trainer.fit(segmenter, datamodule=data, ckpt_path=str(last) if resume else None, weights_only=True)
    except SystemExit as stop:  # Lightning turns Ctrl-C into exit code 1; it is for us to leave in order
        raise KeyboardInterrupt from stop
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    historian.history.stopped_early = bool(stopping and stopping.stopped_epoch)
    return historian.history


def _checkpoint(folder: Path, name: str, **options: Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder, name, save_top_k=1, enable_version_counter=False, **options)


def _moving_average(decay: float) -> Callable[..., torch.Tensor]:
    """The exponential moving average, in a form that leaves what does not change as it is, to the last digit.

    Lightning's own, decay * average + (1 - decay) * current, rounds: weights that are frozen would drift.
    """
    return lambda average, current, _: average + (1 - decay) * (current - average)


def _loggers(folder: Path) -> list[Any]:
    # A resumed run writes a CSV of its own: Lightning would empty the first one.
    attempt = len(list((folder / "logs").glob("csv_*"))) + 1
    return [
        CSVLogger(folder, name="logs", version=f"csv_{attempt}"),
        TensorBoardLogger(folder, name="logs", version="tensorboard"),
    ]


def _validates(trainer: pl.Trainer) -> bool:
    every = trainer.check_val_every_n_epoch or 1
    return bool(trainer.limit_val_batches) and (trainer.current_epoch + 1) % every == 0


def _callback_state(checkpoint: Path, name: str) -> dict[str, Any]:
    callbacks = torch.load(checkpoint, map_location="cpu", weights_only=True)["callbacks"]
    return next((state for key, state in callbacks.items() if key.startswith(name)), {})


def _had_stopped(checkpoint: Path, patience: int | None) -> bool:
    """Whether early stopping had already ended the training of which this is the last checkpoint."""
    return bool(patience) and _callback_state(checkpoint, "EarlyStopping").get("wait_count", 0) >= patience


def _load_weights(segmenter: Segmenter | Prompter, checkpoint: Path) -> None:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    segmenter.load_state_dict(state)


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
