"""Load a model: a run folder, a Hugging Face folder or repository, or a BioImage.IO package.

No code of the model is executed: weights are read as safetensors, and `config.json` names a network, a target
and a normalization that finetune builds. BioImage.IO packages are run from TorchScript or ONNX weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from cards.base import NetworkSpec, Spec, TaskName
from cards.errors import InputError, ModelError
from finetune.repositories.base import STRUCTURE
from finetune.targets.tasks import task_of
from finetune.weights.checkpoint import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from finetune.inference.model import Model
    from finetune.inference.protocol import Predictor
    from finetune.prompts.model import PromptedModel

# "user/name" or "user/name@revision"; the revision may be a branch, a tag, a commit or "refs/pr/1".
HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")


class _Config(BaseModel):
    """`config.json`, as `Model.config` returns it. Other keys, such as those the Hub adds, are ignored."""

    library_name: Literal["finetune"]
    architecture: NetworkSpec
    target: Spec
    normalize: dict[str, Any]
    select_channels: Literal["auto", "gray"] | list[Annotated[int, Field(ge=0)]]
    channels: Annotated[int, Field(ge=1)]


def load(source: str | Path) -> Predictor:
    """Load a model that a run exported, or a BioImage.IO package.

    Args:
        source: a run folder, its `huggingface` folder, or an id on the Hugging Face Hub, such as
            "user/name" or "user/name@revision"; or a BioImage.IO package: a zip, a folder or an rdf.yaml.

    Returns:
        The model, ready to `predict`. A run of the interactive task returns a
        `finetune.prompts.model.PromptedModel`, which also predicts masks from points and boxes.

    Raises:
        ModelError: if there is no model, or finetune cannot load it.
    """
    from finetune.inference.bioimageio_model import PackageModel, is_package

    if is_package(source):
        return PackageModel(source)
    return load_model(source)


def load_model(source: str | Path) -> Model | PromptedModel:
    """Load a model that `finetune.export.huggingface.save_model` wrote.

    Args:
        source: a run folder, a `huggingface` folder, or, as a string, "user/name" or "user/name@revision"
            on the Hugging Face Hub (`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and `HF_HUB_OFFLINE` are honored).

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        ModelError: if there is no model, finetune did not write it, or its weights are damaged.
    """
    folder = _locate(source)
    config = _read_config(folder, source)
    try:
        return BUILD[task_of(config.target.name)](config, folder / WEIGHTS)
    except InputError as error:  # names the path, which for the Hub is in a cache
        raise ModelError(f"{source}: {str(error).replace(f'{folder / WEIGHTS}', WEIGHTS)}") from error


def _locate(source: str | Path) -> Path:
    """Folder of configuration and weights, downloaded if necessary."""
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
    from finetune.inference.model import Model
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


# How a model of each task is built from its configuration and weights.
BUILD: dict[TaskName, Callable[[_Config, Path], Model | PromptedModel]] = {
    "automatic": _build,
    "interactive": _build_prompted,
}
