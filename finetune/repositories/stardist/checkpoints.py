"""Weights that a StarDist U-Net starts from: Keras files, and checkpoints of runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.fingerprint import sha256_file
from finetune.repositories.options import complete
from finetune.repositories.stardist.config import StarDistOptions, options_in
from finetune.weights.checkpoint import Checkpoint, options_of, read_checkpoint
from finetune.weights.keras_h5 import read_weights

if TYPE_CHECKING:
    from torch import nn

    from finetune.repositories.base import LoadOptions

REPOSITORY = "stardist"
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


def read_start(path: Path, name: str, options: dict[str, Any]) -> tuple[Checkpoint, dict[str, Any]]:
    """Read weights to start from.

    Args:
        path: a folder saved by StarDist or its .h5 file; or a run, its `huggingface` folder, or a
            .safetensors file.
        name: of the model.
        options: options of the network in the recipe.

    Returns:
        The weights, and all known options: those of the checkpoint; `foreground` also if the recipe sets it.

    Raises:
        ModelError: if the weights cannot be read, or belong to a network with other options.
    """
    given = {option: value for option, value in options.items() if option != "foreground"}
    file = keras_file(path)
    found = _read_keras(file, name, given) if file else read_checkpoint(path)
    merged = options_of(found, REPOSITORY, name, given)
    return found, merged | {"foreground": options.get("foreground") or has_foreground(found)}


def has_foreground(found: Checkpoint) -> bool:
    """Whether weights include the head for the foreground.

    Args:
        found: the weights.

    Returns:
        True or False.
    """
    return "foreground.weight" in found.state


def add_foreground(found: Checkpoint, network: nn.Module) -> Checkpoint:
    """Take the head for the foreground from a network, if only the network has one.

    Args:
        found: weights to start from.
        network: network with random weights.

    Returns:
        The weights of the network's parameters.
    """
    if has_foreground(found):
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
    first, last = first_weights(found.state), found.state.get("dist.weight")
    if first is not None and first.ndim == 4 and first.shape[1] != start.in_channels:
        raise ModelError(
            f"{found.path}: the checkpoint expects {first.shape[1]} channels, "
            f"but the images have {start.in_channels}; select channels with data.channels"
        )
    if last is None:
        return
    surplus = (
        start.out_channels - 1 - len(last)
    )  # maps of the target that are neither probability nor distance
    if foreground and surplus == 0:
        raise ModelError(
            f"{found.path}: the network predicts the foreground, but the target does not: "
            "set model.target_options.foreground=true"
        )
    if surplus == 1 and not foreground:
        raise ModelError(
            f"{found.path}: the target predicts the foreground, but the network does not: "
            "set model.options.foreground=true"
        )
    if surplus != foreground:
        raise ModelError(
            f"{found.path}: the checkpoint predicts {len(last)} rays, "
            f"the target has {start.out_channels} maps; "
            f"set model.target=rays with model.target_options.rays={len(last)}"
        )


def first_weights(state: dict[str, Any]) -> Any:
    """Weights of the first convolution.

    Args:
        state: state dict of a `StarDistUNet`.

    Returns:
        A tensor, (out, in, height, width); None if there is none.
    """
    return state.get("grid.0.0.weight", state.get("down.0.0.weight"))
