"""Checkpoints of finetune: a folder with `config.json` and `model.safetensors`, as exported by a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.evidence import Parent
from cards.fingerprint import sha256_file
from cards.integrity import check_files, read_record, record_path
from cards.record import Origin, RunRecord

if TYPE_CHECKING:
    import torch
    from torch import nn

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
SHOWN = 3  # keys named in an error


@dataclass(frozen=True)
class Checkpoint:
    """Weights with their description.

    Attributes:
        path: the weights file.
        sha256: hash of the weights file.
        state: state dict on the CPU.
        architecture: specification of the network, if a config states it.
        record: record of the run that trained the weights, if available.
        target: name of the target that the weights were trained for, if a config states it.
        record_sha256: hash of the file with the record.
    """

    path: Path
    sha256: str
    state: dict[str, torch.Tensor]
    architecture: NetworkSpec | None
    record: RunRecord | None
    target: str | None = None
    record_sha256: str | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; only safetensors, which cannot hold code.

    Args:
        path: a run folder, its `huggingface` folder, or a .safetensors file.

    Returns:
        The checkpoint.

    Raises:
        ModelError: if there is none, its weights or its config cannot be read or differ from the record
            beside them, or a weight is not finite.
    """
    path = Path(path)
    if path.is_dir():
        folder = path / "huggingface" if (path / "huggingface").is_dir() else path
        weights = folder / WEIGHTS
        if not (folder / CONFIG).is_file():
            raise ModelError(
                f"{folder}: no config.json; a checkpoint is a run folder, its huggingface "
                "folder or a .safetensors file"
            )
    else:
        folder, weights = path.parent, path
        if path.suffix != ".safetensors":
            raise ModelError(
                f"{path}: only .safetensors files are accepted, because other formats can execute code "
                "when loaded"
            )
    record = read_record(folder)
    sha256 = _sha256(weights)
    check_files(folder, [CONFIG, weights.name], record, known={weights.name: sha256})
    architecture, target = _read_config(folder / CONFIG)
    return Checkpoint(
        path=weights,
        sha256=sha256,
        state=_read_weights(weights),
        architecture=architecture,
        record=record,
        target=target,
        record_sha256=sha256_file(found) if (found := record_path(folder)) else None,
    )


def origin(checkpoint: Checkpoint, repository: str, name: str) -> Origin:
    """Describe a checkpoint as the base model of a run.

    Args:
        checkpoint: the checkpoint; a bare weights file has only a hash.
        repository: repository of the model.
        name: name of the model.

    Returns:
        The origin for the record.
    """
    record = checkpoint.record
    return Origin(
        repository=repository,
        id=record.name if record else name,
        weights="pretrained",
        sha256=checkpoint.sha256,
        license=(record.card.license or record.model.base.license) if record else None,
        terms=record.model.base.terms if record else None,
        citation=record.model.base.citation if record else [],
        parents=ancestors(record) if record else [],
        record_sha256=checkpoint.record_sha256,
    )


def ancestors(record: RunRecord) -> list[Parent]:
    """List the models from which the model of a run descends.

    Args:
        record: the run.

    Returns:
        Its base model and the ancestors of that, nearest first; none if its weights were random.
    """
    base = record.model.base
    if base.weights == "random":
        return []
    parent = Parent(
        name=base.id,
        repository=base.repository,
        revision=base.revision,
        record_sha256=base.record_sha256,
        weights_sha256=base.sha256,
    )
    return [parent, *base.parents]


def options_of(checkpoint: Checkpoint, repository: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Complete the options of a recipe with those of a checkpoint.

    Args:
        checkpoint: the checkpoint.
        repository: repository in the recipe.
        name: name of the model in the recipe.
        options: options of the network in the recipe.

    Returns:
        All known options.

    Raises:
        ModelError: if the checkpoint belongs to another model, or has other values for these options.
    """
    if checkpoint.architecture is None:
        return options
    recorded = checkpoint.architecture
    if (recorded.repository, recorded.name) != (repository, name):
        raise ModelError(
            f"{checkpoint.path}: the checkpoint is of {recorded.repository}/{recorded.name}, "
            f"the recipe selects {repository}/{name}"
        )
    for option, value in options.items():
        if option in recorded.options and recorded.options[option] != value:
            raise ModelError(
                f"{checkpoint.path}: the checkpoint has {option} {recorded.options[option]}, "
                f"the recipe {value}; remove the option to use the checkpoint's value"
            )
    return recorded.options | options


def refuse_prompts(checkpoint: Checkpoint) -> None:
    """Raise an error if a checkpoint for automatic segmentation comes from an interactive run.

    Such a checkpoint has no decoder for maps, and its image encoder has a fixed image size.

    Args:
        checkpoint: the checkpoint.

    Raises:
        ModelError: if the checkpoint was trained with prompts.
    """
    from finetune.targets.tasks import task_of

    if checkpoint.target is not None and task_of(checkpoint.target) == "interactive":
        raise ModelError(
            f"{checkpoint.path}: the checkpoint is from an interactive run, which has no decoder for maps; "
            "start from its weights in native/ instead"
        )


def load_strictly(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Load a state dict; all keys and shapes must match.

    Args:
        network: the network; modified in place.
        checkpoint: the checkpoint.

    Raises:
        ModelError: with the number of missing, unexpected and mismatched keys, and the first of each.
    """
    expected, found = network.state_dict(), checkpoint.state
    shapes = [
        f"{key} {tuple(found[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in found and found[key].shape != expected[key].shape
    ]
    problems = [
        _problem("missing", [key for key in expected if key not in found]),
        _problem("unexpected", [key for key in found if key not in expected]),
        _problem("of another shape", shapes),
    ]
    if any(problems):
        raise ModelError(
            f"{checkpoint.path}: the weights do not fit this network: {'; '.join(filter(None, problems))} "
            f"(of {len(expected)} keys)"
        )
    network.load_state_dict(found)


def _problem(what: str, keys: list[str]) -> str:
    return f"{len(keys)} {what} ({_first(keys)})" if keys else ""


def _first(keys: Iterable[str]) -> str:
    keys = list(keys)
    return ", ".join(keys[:SHOWN]) + (", …" if len(keys) > SHOWN else "")


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the weights: {error.strerror}") from error


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file, or truncated: {error}") from error
    check_finite(state, f"{path}")
    return state


def check_finite(state: Mapping[str, torch.Tensor], where: str) -> None:
    """Check that weights are numbers.

    Args:
        state: tensors by name.
        where: name of the file for error messages.

    Raises:
        ModelError: naming the first tensor with a NaN or an infinite value.
    """
    for name, tensor in state.items():
        # The sum of a tensor is finite unless a value is not, or values are absurdly large.
        if tensor.is_floating_point() and not tensor.sum().isfinite() and not tensor.isfinite().all():
            raise ModelError(f"{where}: {name} has values that are not finite; the weights are damaged")


def _read_config(path: Path) -> tuple[NetworkSpec | None, str | None]:
    """Network and target in the config beside the weights; None if it states none."""
    if not path.is_file():
        return None, None
    try:
        config = json.loads(path.read_bytes())
        architecture, target = config.get("architecture"), config.get("target")
    except (ValueError, AttributeError, OSError) as error:
        raise ModelError(f"{path}: not a readable config: {error}") from error
    if architecture is None:
        return None, None
    try:
        network = NetworkSpec.model_validate(architecture)
    except ValidationError as error:
        raise ModelError(f"{path}: architecture: needs repository, name and options") from error
    return network, target.get("name") if isinstance(target, dict) else None
