"""The Lightning trainer: loggers, checkpoints, early stopping, and taking a stopped run up again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar, WeightAveraging
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from rich.console import Console

from finetune.data.datamodule import SegmentationData
from finetune.recipe.schema import Recipe
from finetune.training.distributed import is_helper_process
from finetune.training.hardware import quiet_lightning, trainer_options
from finetune.training.history import History, HistoryCallback
from finetune.training.malloc import keep_freed_memory
from finetune.training.precompute import Encoding
from finetune.training.protocol import TrainableModule
from finetune.utils.atomic import write_file

FINISHED = "finished.json"  # in `checkpoints/`: the history of a training that came to its end


def fit(
    module: TrainableModule,
    data: SegmentationData,
    recipe: Recipe,
    folder: Path,
    console: Console,
) -> History:
    """Train, and leave the best weights in the module's network.

    A folder that holds checkpoints is gone on with: from the last finished epoch, or, if training was
    finished, straight to its end.

    Args:
        module: what to train, from the weights it holds.
        data: its batches.
        recipe: the sections training and compute.
        folder: the run folder; `checkpoints/` and `logs/` are written there, and, until the end, `maps/`;
            `features/` lies where the module's say.
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
        history = _train(module, data, recipe, folder, console)
        if not is_helper_process():
            write_file(finished, json.dumps(asdict(history), indent=2))
    if not is_helper_process():
        data.forget_maps()
        if module.features:
            module.features.forget()
    best = checkpoints / "best.ckpt"
    _load_weights(module, best if best.exists() else checkpoints / "last.ckpt")
    return history


def is_finished(folder: Path) -> bool:
    """Whether training in a run folder has come to its end, so that `fit` has nothing left to do."""
    return (folder / "checkpoints" / FINISHED).exists()


def _train(
    module: TrainableModule,
    data: SegmentationData,
    recipe: Recipe,
    folder: Path,
    console: Console,
) -> History:
    quiet_lightning()
    keep_freed_memory()
    training, checkpoints, measure = recipe.training, folder / "checkpoints", module.monitor
    last = checkpoints / "last.ckpt"
    resume = last.exists()
    validates = bool(data.of("validation"))
    stopping = EarlyStopping(measure, mode="max", patience=training.patience) if training.patience else None
    historian = HistoryCallback(console)
    callbacks: list[pl.Callback] = [historian]
    if module.features:
        callbacks.append(Encoding(data, module.features, console))
    if training.average:
        # Statistics of batch normalization are a moving average already: those of the weights as they are.
        # Averaged once more they would hold on to what they began with, longer than a short training lasts.
        average = _moving_average(training.average)
        callbacks.append(WeightAveraging(use_buffers=False, avg_fn=average))
    if stopping and validates:
        callbacks.append(stopping)
    if console.is_terminal:
        callbacks.append(RichProgressBar())
    # 'best' stands before 'last', so that 'last' holds what 'best' already knows.
    if validates:
        callbacks.append(_checkpoint(checkpoints, "best", monitor=measure, mode="max"))
    callbacks.append(_checkpoint(checkpoints, "last", save_on_train_epoch_end=True))
    if resume and _had_stopped(last, training.patience):
        return History(**_callback_state(last, HistoryCallback.__name__))
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
    assert isinstance(module, pl.LightningModule)
    module.train()
    try:
        trainer.fit(module, datamodule=data, ckpt_path=str(last) if resume else None, weights_only=True)
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
    loggers: list[Any] = [CSVLogger(folder, name="logs", version=f"csv_{attempt}")]
    if find_spec("tensorboard"):  # optional: finetune[tensorboard]
        loggers.append(TensorBoardLogger(folder, name="logs", version="tensorboard"))
    return loggers


def _callback_state(checkpoint: Path, name: str) -> dict[str, Any]:
    callbacks = torch.load(checkpoint, map_location="cpu", weights_only=True)["callbacks"]
    return next((state for key, state in callbacks.items() if key.startswith(name)), {})


def _had_stopped(checkpoint: Path, patience: int | None) -> bool:
    """Whether early stopping had already ended the training of which this is the last checkpoint."""
    return bool(patience) and _callback_state(checkpoint, "EarlyStopping").get("wait_count", 0) >= patience


def _load_weights(module: TrainableModule, checkpoint: Path) -> None:
    assert isinstance(module, pl.LightningModule)
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(state)
