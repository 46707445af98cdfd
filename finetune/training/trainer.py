"""The Lightning trainer: loggers, checkpoints, early stopping, weight averaging, and resuming."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, WeightAveraging
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from rich.console import Console

from finetune.data.datamodule import SegmentationData
from finetune.recipe.schema import ComputeSection, Recipe
from finetune.training.checkpoints import BEST, LAST, AtomicCheckpointIO, callback_state
from finetune.training.distributed import is_helper_process
from finetune.training.energy import EnergyMeter
from finetune.training.hardware import quiet_lightning, trainer_options
from finetune.training.history import History, HistoryCallback
from finetune.training.precompute import PrecomputeFeatures
from finetune.training.progress import TrainingProgress
from finetune.training.protocol import TrainableModule
from finetune.training.run_files import FINISHED, STOP
from finetune.training.stopping import StopOnRequest
from finetune.utils.atomic import write_file
from finetune.utils.malloc import TRAINING, keep_freed_memory, return_freed_memory


def fit(
    module: TrainableModule,
    data: SegmentationData,
    recipe: Recipe,
    folder: Path,
    console: Console,
) -> History:
    """Train a module in place and load the best weights into it.

    Training resumes from the last completed epoch if the run folder contains checkpoints. If training was
    completed, only the weights are loaded.

    Args:
        module: a `pl.LightningModule` with its initial weights.
        data: the data module.
        recipe: the resolved recipe, of which the sections `training` and `compute` are used.
        folder: the run folder. `checkpoints/` and `logs/` are written there; `maps/` (encoded label images)
            and the module's feature store are deleted after training.
        console: where progress is shown.

    Returns:
        The training history.

    Raises:
        InputError: if the loss is not finite, or the disk has no room for features.
    """
    checkpoints = folder / "checkpoints"
    data.keep_maps(folder / "maps")
    history = read_finished(folder)
    if history is None:
        history = _train(module, data, recipe, folder, console)
        _release(module, data)
        if not is_helper_process(recipe.compute):
            _write_finished(history, folder)
            (folder / STOP).unlink(missing_ok=True)
    if not is_helper_process(recipe.compute):
        data.forget_maps()
        if module.features:
            module.features.forget()
    best = checkpoints / BEST
    _load_weights(module, best if best.exists() else checkpoints / LAST)
    return history


def read_finished(folder: Path) -> History | None:
    """Read the history of a completed training, after which `fit` only loads the weights.

    Args:
        folder: the run folder.

    Returns:
        The history; None if training is not completed, or the file is damaged or does not fit the last
        checkpoint. Training then continues from that checkpoint.
    """
    checkpoints = folder / "checkpoints"
    try:
        content = json.loads((checkpoints / FINISHED).read_text(encoding="utf-8"))
        history = History(**content["history"])
        if content["sha256"] != _digest(content["history"]):
            return None
        trained = len(callback_state(checkpoints / LAST, HistoryCallback.__name__)["epochs"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return history if trained == len(history.epochs) else None


def _write_finished(history: History, folder: Path) -> None:
    content = {"history": asdict(history), "sha256": _digest(asdict(history))}
    write_file(folder / "checkpoints" / FINISHED, json.dumps(content, indent=2))


def _digest(history: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(history, sort_keys=True).encode()).hexdigest()


def _train(
    module: TrainableModule,
    data: SegmentationData,
    recipe: Recipe,
    folder: Path,
    console: Console,
) -> History:
    quiet_lightning()
    keep_freed_memory(TRAINING)
    assert isinstance(module, pl.LightningModule)
    training, checkpoints, monitor = recipe.training, folder / "checkpoints", module.monitor
    last = checkpoints / LAST
    resume = last.exists()
    validates = bool(data.of("validation"))
    stopping = EarlyStopping(monitor, mode="max", patience=training.patience) if training.patience else None
    meter = _energy_meter(recipe.compute)
    recorder = HistoryCallback(console, meter)
    callbacks: list[pl.Callback] = [recorder, StopOnRequest(folder, recorder)]
    if module.features:
        callbacks.append(PrecomputeFeatures(data, module.features, console))
    if training.average:
        # Buffers are not averaged: running statistics of batch normalization are a moving average already.
        # Averaging them again would retain their initial values for longer than a short training lasts.
        average = exponential_moving_average(training.average)
        callbacks.append(WeightAveraging(use_buffers=False, multi_avg_fn=average))
    if stopping and validates:
        callbacks.append(stopping)
    if console.is_terminal:
        callbacks.append(TrainingProgress(console))
    # 'best' precedes 'last', so that the state of 'best' is saved in 'last'.
    if validates:
        callbacks.append(_checkpoint(checkpoints, "best", monitor=monitor, mode="max"))
    callbacks.append(_checkpoint(checkpoints, "last", save_on_train_epoch_end=True))
    if resume and (stopped := _stopped(last, training.patience, training.epochs)):
        return stopped
    trainer = pl.Trainer(
        max_epochs=training.epochs,
        gradient_clip_val=training.gradient_clip,
        check_val_every_n_epoch=training.validate_every,
        limit_val_batches=1.0 if validates else 0,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=_loggers(folder),
        log_every_n_steps=1,
        use_distributed_sampler=False,  # SegmentationData distributes each batch itself
        enable_progress_bar=False,
        enable_model_summary=False,
        **trainer_options(recipe.compute),
    )
    module.train()
    try:
        trainer.fit(module, datamodule=data, ckpt_path=str(last) if resume else None, weights_only=True)
    except SystemExit as stop:  # Lightning turns Ctrl-C into exit code 1; the runner cleans up first
        raise KeyboardInterrupt from stop
    finally:
        if meter:
            meter.stop()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    history = recorder.history
    # Patience may also run out in the last epoch.
    early = bool(stopping and stopping.stopped_epoch) and len(history.epochs) < training.epochs
    history.stopped_early = early and not history.stopped_by_user
    if history.stopped_by_user:
        epochs = f"{len(history.epochs)} of {training.epochs} epochs"
        console.print(f"training was stopped by request after {epochs}", highlight=False, soft_wrap=True)
    return history


def _release(module: TrainableModule, data: SegmentationData) -> None:
    """Free optimizer, gradients and averaged weights, which take several times the memory of the network."""
    assert isinstance(module, pl.LightningModule)
    module.trainer = data.trainer = None
    module.zero_grad(set_to_none=True)
    gc.collect()  # trainer, loops and callbacks refer to each other
    return_freed_memory()


def _energy_meter(compute: ComputeSection) -> EnergyMeter | None:
    """A meter in the process that writes the record; one computer alone would not be the whole training."""
    if not compute.energy or compute.nodes > 1 or is_helper_process(compute):
        return None
    return EnergyMeter(str(compute.country))


def _checkpoint(folder: Path, name: str, **options: Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder, name, save_top_k=1, enable_version_counter=False, **options)


def exponential_moving_average(decay: float) -> Callable[..., None]:
    """Exponential moving average of the weights that keeps frozen weights bit for bit.

    `torch.optim.swa_utils.get_ema_avg_fn` computes decay · average + (1 - decay) · current, which rounds even
    if both are equal: frozen weights would drift. `get_ema_multi_avg_fn` interpolates as this function does,
    but with a fused multiply-add, which rounds about one weight in a hundred differently: the averaged
    weights would depend on the vector instructions of the CPU.

    Args:
        decay: weight of the previous average, between 0 and 1.

    Returns:
        `multi_avg_fn` of `torch.optim.swa_utils.AveragedModel`: it is called with averages, current weights
        and the number of averaged updates, and changes the averages in place. All weights are averaged at
        once, because a GPU would spend more time on starting the computation of each than on computing it.
    """

    def average(averages: list[torch.Tensor], current: list[torch.Tensor], _: object) -> None:
        change = torch._foreach_sub(current, averages)
        torch._foreach_mul_(change, 1 - decay)
        torch._foreach_add_(averages, change)

    return average


def _loggers(folder: Path) -> list[Any]:
    # A resumed run writes another CSV file: Lightning would truncate the first one.
    attempt = len(list((folder / "logs").glob("csv_*"))) + 1
    loggers: list[Any] = [CSVLogger(folder, name="logs", version=f"csv_{attempt}")]
    if find_spec("tensorboard"):  # optional: finetune[tensorboard]
        loggers.append(TensorBoardLogger(folder, name="logs", version="tensorboard"))
    return loggers


def _stopped(checkpoint: Path, patience: int | None, epochs: int) -> History | None:
    """History of a training that was stopped, early or by the user, and wrote this checkpoint last."""
    history = History(**callback_state(checkpoint, HistoryCallback.__name__))
    if history.stopped_by_user:
        return history
    if not patience or callback_state(checkpoint, "EarlyStopping").get("wait_count", 0) < patience:
        return None
    history.stopped_early = len(history.epochs) < epochs
    return history


def _load_weights(module: TrainableModule, checkpoint: Path) -> None:
    assert isinstance(module, pl.LightningModule)
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(state)
