"""PyTorch state dicts (`.pth`, `.pt`, no suffix), read without executing pickled code."""

from __future__ import annotations

import dataclasses
import pickle
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cards.errors import ModelError
from cards.fingerprint import sha256_file
from finetune.weights.checkpoint import Checkpoint, check_finite, load_strictly

if TYPE_CHECKING:
    import torch
    from torch import nn

# How torch reports a function that a pickle calls: "GLOBAL posix.system".
CALLED = re.compile(r"GLOBAL ([\w.]+)")


def read_state_dict(path: Path) -> Checkpoint:
    """Read a file that holds a state dict and nothing else.

    Args:
        path: the file.

    Returns:
        The checkpoint, without config and record.

    Raises:
        ModelError: if the file is missing or damaged, or holds code or anything but tensors.
    """
    try:
        sha256 = sha256_file(path)
        state = read_tensors(path, path)
        check_finite(state, f"{path}")
    except OSError as error:
        raise ModelError(f"{path}: cannot read the weights: {error.strerror}") from error
    return Checkpoint(path=path, sha256=sha256, state=state, architecture=None, record=None)


def read_tensors(source: Path | BinaryIO, path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict.

    Args:
        source: path of a file, or an open file.
        path: name of the file in error messages.

    Returns:
        Tensors by parameter name, on the CPU.

    Raises:
        ModelError: if the file is damaged, or holds code or anything but tensors.
        OSError: if the file cannot be read.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats, which are read correctly
            content: Any = torch.load(source, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a dozen types, of torch and of pickle
        called = CALLED.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if called:
            raise ModelError(
                f"{path}: holds pickled code ({called[1]}), which is not executed; "
                "save the state_dict() only, or use .safetensors"
            ) from error
        raise ModelError(f"{path}: not a PyTorch state dict, or truncated") from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):  # SAM2's files
        content = content["model"]
    named = isinstance(content, dict) and content and all(torch.is_tensor(item) for item in content.values())
    if not named:
        raise ModelError(
            f"{path}: expected a state dict (parameter name → tensor), found a {type(content).__name__}"
        )
    return dict(content)


def load_part(network: nn.Module, found: Checkpoint) -> str | None:
    """Load the weights of a whole network, or of some of its top-level submodules, each completely.

    Keys of a submodule may have its prefix ("downsample.down…") or not ("down…"). Parameters and
    buffers of the network itself, such as scale factors, may be missing.

    Args:
        network: the network, changed in place.
        found: the weights.

    Returns:
        Names and number of parameters of the submodules that were loaded, in words; None if all were.

    Raises:
        ModelError: if keys are missing, unexpected or of another shape; with their number and the first ones.
    """
    wanted = network.state_dict()
    names = [name for name, part in network.named_children() if part.state_dict()]
    parts = {name: {key for key in wanted if key.startswith(f"{name}.")} for name in names}
    alone = set(wanted).difference(*parts.values())
    for prefix in ("", *(f"{name}." for name in parts)):
        state = {f"{prefix}{key}": value for key, value in found.state.items()}
        held = [name for name, keys in parts.items() if keys <= state.keys()]
        if held and state.keys() - alone == set().union(*(parts[name] for name in held)):
            load_strictly(network, dataclasses.replace(found, state=wanted | state))
            return None if len(held) == len(parts) else _in_words(network, held)
    load_strictly(network, found)  # raises an error with the details
    return None


def _in_words(network: nn.Module, held: list[str]) -> str:
    total = sum(parameter.numel() for parameter in network.parameters())
    loaded = sum(parameter.numel() for name in held for parameter in getattr(network, name).parameters())
    return f"{' and '.join(held)} ({loaded:,} of {total:,} parameters)"
