"""Weights that a StarDist U-Net starts from: Keras files, and checkpoints of runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.fingerprint import sha256_file
from finetune.repositories.options import complete
from finetune.repositories.stardist.config import REPOSITORY, StarDistOptions, options_in
from finetune.weights.checkpoint import Checkpoint, options_of, read_checkpoint
from finetune.weights.keras_h5 import read_weights

if TYPE_CHECKING:
    from torch import nn

    from finetune.repositories.base import LoadOptions

FOREGROUND = ("features_class.", "foreground.")  # parameters of the head for the foreground


def keras_file(path: Path) -> Path | None:
    """Find the Keras weights at a path, the best ones first, as StarDist does.

    Args:
        path: a file, or a folder saved by StarDist.

    Returns:
        The .h5 file; None if there is none.
    """
    if path.suffix in {".h5", ".hdf5"}:
        return path
    files = sorted(path.glob("*.h5")) if path.is_dir() else []
    return min(files, key=lambda file: ("best" not in file.name, "last" not in file.name), default=None)


def read_start(path: Path, name: str, start: LoadOptions) -> tuple[Checkpoint, dict[str, Any]]:
    """Read weights to start from.

    Args:
        path: a folder saved by StarDist or its .h5 file; or a run, its `huggingface` folder, or a
            .safetensors file.
        name: of the model.
        start: options of the network in the recipe, and number of maps of the target.

    Returns:
        The weights, and all known options: those of the checkpoint. `foreground` is what the recipe says, or
        else whether the target predicts it; a head for the foreground that is not needed is left out.

    Raises:
        ModelError: if the weights cannot be read, or belong to a network with other options.
    """
    given = {option: value for option, value in start.options.items() if option != "foreground"}
    file = keras_file(path)
    found = _read_keras(file, name, given) if file else read_checkpoint(path)
    options = options_of(found, REPOSITORY, name, given)
    foreground = start.options.get("foreground", _surplus(found, start) == 1)
    if not foreground:
        state = {key: value for key, value in found.state.items() if not key.startswith(FOREGROUND)}
        found = dataclasses.replace(found, state=state)
    return found, options | {"foreground": foreground}


def add_foreground(found: Checkpoint, network: nn.Module) -> Checkpoint:
    """Take the head for the foreground from a network, if only the network has one.

    Args:
        found: weights to start from.
        network: network with random weights.

    Returns:
        The weights of all parameters of the network.
    """
    if any(key.startswith(FOREGROUND) for key in found.state):
        return found
    head = {key: value for key, value in network.state_dict().items() if key.startswith(FOREGROUND)}
    return dataclasses.replace(found, state=head | found.state)


def _read_keras(file: Path, name: str, options: dict[str, Any]) -> Checkpoint:
    """Read weights from a .h5 file, with the options of the `config.json` beside it, if any."""
    theirs = options_in(file.parent / "config.json")
    architecture = NetworkSpec(repository=REPOSITORY, name=name, options=theirs) if theirs else None
    found = Checkpoint(file, "", {}, architecture, None)
    options = complete(name, options_of(found, REPOSITORY, name, options), StarDistOptions)
    state = read_weights(file, options)
    return dataclasses.replace(found, state=state, sha256=sha256_file(file))


def check_channels(found: Checkpoint, start: LoadOptions, foreground: bool) -> None:
    """Check channels and maps; the errors are clearer than one about tensor shapes.

    Args:
        found: weights to start from.
        start: channels of the images, and number of maps of the target.
        foreground: whether the network has the head for the foreground.

    Raises:
        ModelError: if channels, rays or foreground of weights, network, images and target differ.
    """
    first, surplus = first_weights(found.state), _surplus(found, start)
    if first is not None and first.ndim == 4 and first.shape[1] != start.in_channels:
        raise ModelError(
            f"{found.path}: the checkpoint expects {first.shape[1]} channels, "
            f"but the images have {start.in_channels}; select channels with data.channels"
        )
    if surplus is None or surplus == foreground:
        return
    if surplus in (0, 1):
        raise ModelError(
            f"{found.path}: model.options.foreground is {str(foreground).lower()}, but not "
            "model.target_options.foreground: set both to the same value"
        )
    rays = len(found.state["dist.weight"])
    raise ModelError(
        f"{found.path}: the checkpoint predicts {rays} rays, the target has {start.out_channels} maps; "
        f"set model.target=rays with model.target_options.rays={rays}"
    )


def _surplus(found: Checkpoint, start: LoadOptions) -> int | None:
    """Maps of the target that are neither the probability nor a distance that the weights predict."""
    last = found.state.get("dist.weight")
    return None if last is None else start.out_channels - 1 - len(last)


def first_weights(state: dict[str, Any]) -> Any:
    """Weights of the first convolution.

    Args:
        state: state dict of a `StarDistUNet`.

    Returns:
        A tensor, (out, in, height, width); None if there is none.
    """
    return state.get("grid.0.0.weight", state.get("down.0.0.weight"))
