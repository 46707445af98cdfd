"""A model as a Hugging Face folder: `model.safetensors` and `config.json`; written, and read again.

Neither file can hold code, and none is run on loading: weights are safetensors, and the configuration
names a network, a target and a normalization that this package builds by itself. A network that it cannot
build, such as that of a BioImage.IO package, lies beside them as `network.pt`: TorchScript, which runs no
Python on loading; its weights are replaced by those of `model.safetensors`.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field, ValidationError

from cards.base import NetworkSpec
from cards.errors import InputError, ModelError
from finetune.inference.model import Model
from finetune.repositories.base import STRUCTURE
from finetune.targets.prompt_options import PROMPTS
from finetune.utils.atomic import write_safetensors

if TYPE_CHECKING:
    from finetune.prompts.model import PromptedModel

CONFIG = "config.json"
WEIGHTS = "model.safetensors"

# "user/name" or "user/name@revision"; the revision may be a branch, a tag, a commit or "refs/pr/1".
HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")


class _Target(BaseModel):
    name: str
    options: dict[str, Any] = {}


class _Config(BaseModel):
    """`config.json`, as `Model.config` gives it. Keys that others add, such as the Hub's own, are let be."""

    library_name: Literal["finetune"]
    architecture: NetworkSpec
    target: _Target
    normalize: dict[str, Any]
    select_channels: Literal["auto", "gray"] | list[Annotated[int, Field(ge=0)]]
    channels: Annotated[int, Field(ge=1)]


def save_model(model: Model | PromptedModel, folder: Path) -> None:
    """Write weights and configuration.

    Args:
        model: what was trained, on any device.
        folder: where to; made if it is not there.

    Raises:
        OSError: if the folder cannot be written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()
    }
    write_safetensors(folder / WEIGHTS, weights, {"format": "pt"})
    if isinstance(model, Model) and model.torchscript:
        _write_structure(model, folder / STRUCTURE)
    config = json.dumps(model.config(), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    (folder / CONFIG).write_text(config, encoding="utf-8")


def _write_structure(model: Model, path: Path) -> None:
    from finetune.weights.torchscript import write_torchscript

    with torch.no_grad():  # TorchScript would note a copy as a step of training
        network = copy.deepcopy(model.network).to("cpu", torch.float32).eval()
    write_torchscript(network, path, channels=model.channels, divisor=model.divisor)


def load_model(source: str | Path) -> Model | PromptedModel:
    """Load what `save_model` wrote.

    Args:
        source: a run folder, a `huggingface` folder, or, as a string, "user/name" or "user/name@revision"
            on the Hugging Face Hub (`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and `HF_HUB_OFFLINE` are honored).

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        ModelError: if there is nothing there, it is not a model of ours, or the weights are damaged.
    """
    folder = _locate(source)
    config = _read_config(folder, source)
    build = _build_prompted if config.target.name == PROMPTS else _build
    try:
        return build(config, folder / WEIGHTS)
    except InputError as error:  # says where the file lies, which for the Hub is deep in a cache
        raise ModelError(f"{source}: {str(error).replace(f'{folder / WEIGHTS}', WEIGHTS)}") from error


def _locate(source: str | Path) -> Path:
    """The folder that holds the two files, downloaded if need be."""
    path = Path(source).expanduser()
    if path.is_dir():
        inside = path / "huggingface"
        return inside if inside.is_dir() else path
    if path.exists():
        raise ModelError(f"{source}: is a file; give the run folder, or its huggingface folder")
    hub_id = HUB_ID.fullmatch(source) if isinstance(source, str) else None
    if hub_id is None:
        raise ModelError(f"{source}: no such folder")
    from finetune.downloads.hub import fetch

    optional, hint = [WEIGHTS, STRUCTURE], f"and there is no folder {source} here"
    return fetch(hub_id["repo"], [CONFIG], revision=hub_id["revision"], optional=optional, hint=hint).folder


def _read_config(folder: Path, source: str | Path) -> _Config:
    try:
        return _Config.model_validate_json((folder / CONFIG).read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{source}: not a model that finetune wrote: there is no {CONFIG}") from error
    except OSError as error:
        raise ModelError(f"{source}: cannot read {CONFIG}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ModelError(
            f"{source}: not a model that finetune wrote: {CONFIG}: {where}: {first['msg'].lower()}"
        ) from error


def _build(config: _Config, weights: Path) -> Model:
    from finetune.data.normalization import build_normalize
    from finetune.repositories.registry import LoadOptions, load
    from finetune.targets.registry import build_target

    target = build_target(config.target.name, config.target.options)
    network = config.architecture
    start = LoadOptions(config.channels, target.channels, options=network.options, checkpoint=weights)
    loaded = load(network.repository, network.name, start)
    return Model(
        network=loaded.network.eval(),
        target=target,
        normalize=build_normalize(config.normalize),
        select=config.select_channels,
        channels=config.channels,
        divisor=loaded.divisor,
        architecture=loaded.architecture,
        halo=loaded.halo,
        torchscript=loaded.torchscript,
    )


def _build_prompted(config: _Config, weights: Path) -> PromptedModel:
    from finetune.data.normalization import build_normalize
    from finetune.prompts.model import PromptedModel
    from finetune.repositories.registry import LoadOptions, promptable
    from finetune.targets.prompt_options import build_prompts

    network, prompts = config.architecture, build_prompts(config.target.options)
    start = LoadOptions(config.channels, prompts.channels, options=network.options, checkpoint=weights)
    loaded = promptable(network.repository).load(network.name, start)
    return PromptedModel(
        network=loaded.network.eval(),  # type: ignore[arg-type]
        target=prompts,
        normalize=build_normalize(config.normalize),
        select=config.select_channels,
        channels=config.channels,
        divisor=loaded.divisor,
        architecture=loaded.architecture,
    )
