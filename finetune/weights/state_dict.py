"""Weights as PyTorch writes them (`.pth`, `.pt`, no suffix), read without running what is in them."""

from __future__ import annotations

import dataclasses
import pickle
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cards.errors import ModelError
from cards.fingerprint import sha256_file
from finetune.weights.checkpoint import Checkpoint, load_strictly

if TYPE_CHECKING:
    import torch
    from torch import nn

# How torch names what a pickle wants to call: "GLOBAL posix.system".
CALLED = re.compile(r"GLOBAL ([\w.]+)")


def read_state_dict(path: Path) -> Checkpoint:
    """Read a file that holds weights by their names, and nothing else.

    Raises:
        RecipeError: if there is no such file, it is damaged, or holds code or anything else than tensors.
    """
    try:
        sha256 = sha256_file(path)
        state = read_tensors(path, path)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the weights: {error.strerror}") from error
    return Checkpoint(path=path, sha256=sha256, state=state, architecture=None, record=None)


def read_tensors(source: Path | BinaryIO, path: Path) -> dict[str, torch.Tensor]:
    """Weights by their names, and nothing else.

    Args:
        source: a file, by its path or open.
        path: what to call it in errors.

    Raises:
        ModelError: if it is damaged, or holds code or anything else than tensors.
        OSError: if it cannot be read.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, which read all the same
            content: Any = torch.load(source, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch lets its own and pickle's errors through: a dozen kinds
        called = CALLED.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if called:
            raise ModelError(
                f"{path}: holds pickled code ({called[1]}), which is not run: "
                "save its state_dict() alone, or use .safetensors"
            ) from error
        raise ModelError(f"{path}: not a PyTorch file of weights, or cut short") from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):  # SAM2's files
        content = content["model"]
    named = isinstance(content, dict) and content and all(torch.is_tensor(item) for item in content.values())
    if not named:
        raise ModelError(f"{path}: holds a {type(content).__name__}, but not of weights by their names")
    return dict(content)


def load_part(network: nn.Module, found: Checkpoint) -> str | None:
    """Put weights into a network: all of them, or those of some of its outermost parts, each part whole.

    A part may be named as in the whole network ("downsample.down…") or as by itself ("down…"). Parameters and
    buffers that belong to no part, numbers rather than weights, may be missing.

    Returns:
        Which parts came with weights, with their number of parameters, in words; None if all did.

    Raises:
        ModelError: how many keys are missing, unexpected or of another shape, and the first of each.
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
    load_strictly(network, found)  # says what is wrong
    return None


def _in_words(network: nn.Module, held: list[str]) -> str:
    total = sum(parameter.numel() for parameter in network.parameters())
    loaded = sum(parameter.numel() for name in held for parameter in getattr(network, name).parameters())
    return f"{' and '.join(held)} ({loaded:,} of {total:,} parameters)"
