"""Checkpoints that survive a kill and a damaged file: written atomically, verified, the previous one kept.

Every checkpoint is complete: weights, optimizer, history. Training is deterministic, so that a run resumed
from any intact checkpoint ends with the same weights; an earlier checkpoint costs only time.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from cards.errors import ModelError
from finetune.training.history import History, HistoryCallback
from finetune.utils.atomic import atomic_file

LAST, BEST = "last.ckpt", "best.ckpt"
PREVIOUS = ".previous.ckpt"


class AtomicCheckpointIO(CheckpointIO):
    """Writes checkpoints under a temporary name in their own folder, and keeps the previous one.

    The zip format of `torch.save` contains a CRC-32 of each tensor, which `torch.load` does not compare;
    `restore` does.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write a checkpoint; the file of that name becomes the previous one.

        Args:
            checkpoint: the state.
            path: the file.
            storage_options: not used.
        """
        final, content = Path(path), io.BytesIO()
        torch.save(checkpoint, content)  # to memory: torch reports a full disk as errors of many kinds
        with atomic_file(final) as partial:
            partial.write_bytes(content.getbuffer())
            keep_previous(final)

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint without executing pickled code.

        Args:
            path: the file.
            map_location: see `torch.load`; the CPU if unset.
            weights_only: not used, always true.

        Returns:
            The state, with the paths of checkpoints in the folder of this file, which may have been moved.
        """
        state: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        folder = os.path.realpath(Path(path).parent)  # as Lightning does
        for callback in state["callbacks"].values():
            if "dirpath" in callback:
                _move_paths(callback, folder)
        return state

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Delete a checkpoint.

        Args:
            path: the file.
        """
        Path(path).unlink(missing_ok=True)


def keep_previous(path: Path) -> None:
    """Give a checkpoint a second name, before another one takes its place.

    Args:
        path: `NAME.ckpt`, which also becomes `NAME.previous.ckpt`.
    """
    if path.exists():
        _put(path, path.with_name(path.stem + PREVIOUS))


def forget_previous(folder: Path) -> None:
    """Delete the previous checkpoints, once the run is complete.

    Args:
        folder: the run folder.
    """
    for path in (folder / "checkpoints").glob(f"*{PREVIOUS}"):
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Checkpoint:
    path: Path
    epoch: int  # of the weights, from 1
    best: int | None  # the best epoch so far
    resumable: bool  # written at the end of the epoch, not after its validation


def restore(folder: Path, report: Callable[[str], None]) -> None:
    """Verify the checkpoints of an unfinished run; replace damaged ones by the latest that are intact.

    Args:
        folder: the run folder. Afterwards `last.ckpt` and `best.ckpt` are intact, if they exist, and fit
            together.
        report: called with one line if a checkpoint is damaged.

    Raises:
        ModelError: if no checkpoint is intact.
    """
    checkpoints = folder / "checkpoints"
    paths = sorted(checkpoints.glob("*.ckpt"))
    if not paths:
        return
    last, best = _read(checkpoints / LAST), _read(checkpoints / BEST)
    if last and (best or (last.best is None and not (checkpoints / BEST).exists())):
        return
    intact = [checkpoint for path in paths if (checkpoint := _read(path))]
    damaged = [path.name for path in paths if path not in {checkpoint.path for checkpoint in intact}]
    epochs = {checkpoint.epoch: checkpoint.path for checkpoint in intact}
    usable = [
        checkpoint
        for checkpoint in intact
        if checkpoint.resumable and (checkpoint.best is None or checkpoint.best in epochs)
    ]
    expected = [LAST] if not any(checkpoint.best for checkpoint in intact) else [LAST, BEST]
    missing = [name for name in expected if not (checkpoints / name).exists()]
    names = ", ".join([*damaged, *missing])
    state = "damaged" if damaged else "missing"
    if not usable:
        raise ModelError(
            f"{checkpoints}: {names}: {state}, and no earlier checkpoint is left; start over with --overwrite"
        )
    chosen = max(usable, key=lambda checkpoint: checkpoint.epoch)
    restored = {LAST: chosen.path} | ({BEST: epochs[chosen.best]} if chosen.best is not None else {})
    with contextlib.ExitStack() as stack:
        # Each source gets a name of its own first: it may be the target of another.
        partials = {name: stack.enter_context(atomic_file(checkpoints / name)) for name in reversed(restored)}
        for name, source in restored.items():
            shutil.copyfile(source, partials[name])
    lost = f"epochs after {chosen.epoch} are trained again" if not last or chosen.epoch < last.epoch else None
    report(
        f"warning: {checkpoints}: {names}: {state}; "
        + (f"{lost}, with the same result" if lost else "restored from another checkpoint, nothing is lost")
    )


def _read(path: Path) -> _Checkpoint | None:
    """Verify a checkpoint and read its history; None if it is missing or damaged."""
    try:
        with zipfile.ZipFile(path) as file:
            if file.testzip() is not None:
                return None
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        history = History(**_callback(state, HistoryCallback.__name__))
        epoch = state["epoch"] + 1
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return None
    except (zipfile.BadZipFile, NotImplementedError, pickle.UnpicklingError):
        return None
    return _Checkpoint(path, epoch, history.best_epoch, resumable=len(history.epochs) == epoch)


def callback_state(checkpoint: Path, name: str) -> dict[str, Any]:
    """Read the state of a callback.

    Args:
        checkpoint: the file.
        name: name of the callback's class.

    Returns:
        The state; empty if there is none.
    """
    return _callback(torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True), name)


def _callback(checkpoint: dict[str, Any], name: str) -> dict[str, Any]:
    return next((state for key, state in checkpoint["callbacks"].items() if key.startswith(name)), {})


def _put(source: Path, target: Path) -> None:
    """Give a file a second name, in one step; by a copy where the file system has no hard links."""
    with atomic_file(target) as partial:
        try:
            os.link(source, partial)
        except OSError:
            shutil.copyfile(source, partial)


def _move_paths(state: dict[str, Any], folder: str) -> None:
    def moved(path: str) -> str:
        return str(Path(folder) / Path(path).name) if path else path

    state["dirpath"] = folder
    state["best_k_models"] = {moved(path): score for path, score in state["best_k_models"].items()}
    for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
        state[key] = moved(state[key])
