"""Load a model: a run folder, a Hugging Face folder or repository, or a BioImage.IO package.

No Python code of the model is executed: weights are read as safetensors, and `config.json` names a network,
a target and a normalization that finetune builds. Packages are run from TorchScript or ONNX weights, or, if
finetune wrote them, as the network that it builds with the weights of the TorchScript.
TorchScript is checked operator by operator before it is used, see `finetune.weights.torchscript_check`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from cards.base import TaskName
from cards.errors import InputError, ModelError
from cards.paths import expand_user
from finetune.downloads.hub import HUB_ID
from finetune.errors import unknown
from finetune.loading.builders import automatic_model, prompted_model
from finetune.loading.config import ModelConfig
from finetune.loading.packages import package_model
from finetune.loading.precision import AskedPrecision, use_precision
from finetune.loading.published import load_published, published_name
from finetune.repositories.base import STRUCTURE
from finetune.repositories.missing_weights import advise
from finetune.targets.tasks import task_of
from finetune.utils.malloc import PREDICTION, keep_freed_memory
from finetune.utils.unfinished import refuse_unfinished
from finetune.weights.checkpoint import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from finetune.inference.model import Model
    from finetune.inference.protocol import Predictor
    from finetune.prompts.model import PromptedModel

RECORD = "record.json"


def load(
    source: str | Path | Sequence[str | Path],
    *,
    trust: bool = False,
    target: str | None = None,
    precision: AskedPrecision = "auto",
) -> Predictor:
    """Load a model that a run exported, or a BioImage.IO package; or several as an ensemble.

    Args:
        source: a run folder, its `huggingface` folder, or an id on the Hugging Face Hub, such as
            "user/name" or "user/name@revision"; or a BioImage.IO package: a zip, a folder or an rdf.yaml;
            or a published model that was not fine-tuned, as "repository:name" or "repository:name@revision",
            such as "cellpose:cyto3" or "bioimageio:affable-shark". Several models of the same target form an
            ensemble, whose maps are averaged.
        trust: allow TorchScript that uses operators which could read or write files; only for models whose
            author you trust.
        target: name of the target that converts the maps of a package to labels, such as
            "foreground_boundary"; for packages that finetune did not write.
        precision: in which the network runs: "auto" for bf16 (bfloat16) if the run verified that the labels
            are those of float32 and this processor is fast in it, otherwise float32; or "float32" or "bf16".

    Returns:
        The model, ready to `predict`. A run of the interactive task returns a
        `finetune.prompts.model.PromptedModel`, which also predicts masks from points and boxes.

    Raises:
        ModelError: if there is no model, or finetune cannot load it.
    """
    keep_freed_memory(PREDICTION)
    if not isinstance(source, str | Path):
        from finetune.inference.ensemble import EnsembleModel

        members = load_members(source, trust=trust, target=target, precision=precision)
        return members[0] if len(members) == 1 else EnsembleModel(members, [str(one) for one in source])
    return use_precision(_load(source, trust, target), precision, source)


def _load(source: str | Path, trust: bool, target: str | None) -> Predictor:
    from finetune.inference.package_path import is_package

    if name := published_name(source):
        with advise(f"download it where there is a network, with `finetune download {name} --to FOLDER`"):
            return load_published(name, trust=trust, target=target)
    if is_package(source):
        from finetune.repositories.bioimageio.collection import open_package

        return package_model(open_package(source), trust=trust, target=target)
    if target is not None:
        raise ModelError(f"{source}: states its target itself; leave target out")
    return load_model(source, trust=trust)


def load_members(
    sources: Sequence[str | Path],
    *,
    trust: bool = False,
    target: str | None = None,
    precision: AskedPrecision = "auto",
) -> list[Predictor]:
    """Load the members of an ensemble.

    Args:
        sources: what `load` takes, at least one.
        trust: see `load`.
        target: see `load`; of several models, it applies to packages only, and others state their target.
        precision: see `load`.

    Returns:
        The models.

    Raises:
        ModelError: if one cannot be loaded, or is named twice.
    """
    from finetune.inference.package_path import is_package

    _check_distinct(sources)

    def needs_target(source: str | Path) -> bool:
        published = published_name(source)
        return len(sources) == 1 or (
            published.repository == "bioimageio" if published else is_package(source)
        )

    if target is not None and not any(map(needs_target, sources)):
        raise ModelError(
            f"{sources[0]}: no model of this ensemble is a BioImage.IO package, and others state their "
            "target; leave target out"
        )
    return [
        load(one, trust=trust, target=target if needs_target(one) else None, precision=precision)
        for one in sources
    ]


def _check_distinct(sources: Sequence[str | Path]) -> None:
    seen: set[str] = set()
    for source in sources:
        place = expand_user(source)
        name = str(place.resolve() if place.exists() else source)
        if name in seen:
            raise ModelError(f"{source}: is named twice; an ensemble averages different models")
        seen.add(name)


def load_model(source: str | Path, *, trust: bool = False) -> Model | PromptedModel:
    """Load a model that `finetune.export.huggingface.save_model` wrote.

    Args:
        source: a run folder, a `huggingface` folder, or, as a string, "user/name" or "user/name@revision"
            on the Hugging Face Hub (`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and `HF_HUB_OFFLINE` are honored).
        trust: see `load`.

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        ModelError: if there is no model, finetune did not write it, its weights are damaged, or a file
            differs from the record beside it.
    """
    folder = _locate(source)
    config = _read_config(folder, source)
    try:
        return BUILD[task_of(config.target.name)](config, folder / WEIGHTS, trust)
    except InputError as error:  # names the path, which for the Hub is in a cache
        message = str(error).replace(f"{folder}{os.sep}", "").removeprefix(f"{source}: ")
        raise ModelError(f"{source}: {message}") from error
    except (RuntimeError, MemoryError, ValueError, TypeError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f"{error.title} {'.'.join(map(str, first['loc']))}: {first['msg']}"
        else:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"{source}: {CONFIG} describes a network that cannot be built: {reason[:200]}"
        ) from error


def _locate(source: str | Path) -> Path:
    """Folder of configuration and weights, downloaded if necessary."""
    path = expand_user(source)
    if path.is_dir():
        inside = path / "huggingface"
        return inside if inside.is_dir() else path
    if path.exists():
        raise ModelError(f"{source}: is a file; give the run folder, or its huggingface folder")
    refuse_unfinished(path)
    hub_id = HUB_ID.fullmatch(source) if isinstance(source, str) else None
    if hub_id is None:
        from finetune.repositories.registry import REPOSITORIES

        repository, colon, _ = str(source).partition(":")
        if colon and repository.isidentifier():
            raise ModelError(f"{source}: {unknown('repository', repository, REPOSITORIES)}")
        raise ModelError(
            f"{source}: no such folder, and no name of a published model, such as cellpose:cyto3"
        )
    from finetune.downloads.hub import fetch

    optional, hint = [WEIGHTS, STRUCTURE, RECORD], f"and there is no folder {source} here"
    return fetch(hub_id["repo"], [CONFIG], revision=hub_id["revision"], optional=optional, hint=hint).folder


def _read_config(folder: Path, source: str | Path) -> ModelConfig:
    try:
        return ModelConfig.model_validate_json((folder / CONFIG).read_bytes())
    except FileNotFoundError as error:
        package = next(iter(sorted(folder.glob("*.zip"))), None)
        remedy = f"there is no {CONFIG}" + (f"; did you mean {package}?" if package else "")
        raise ModelError(f"{source}: not a model that finetune wrote: {remedy}") from error
    except OSError as error:
        raise ModelError(f"{source}: cannot read {CONFIG}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ModelError(
            f"{source}: not a model that finetune wrote: {CONFIG}: {where}: {first['msg'].lower()}"
        ) from error


def _build(config: ModelConfig, weights: Path, trust: bool) -> Model:
    from finetune.repositories.registry import LoadOptions, load
    from finetune.targets.registry import build_target
    from finetune.weights.without_initialization import WithoutInitialization

    maps = build_target(config.target.name, config.target.options).channels
    network = config.architecture
    start = LoadOptions(config.channels, maps, options=network.options, checkpoint=weights, trust=trust)
    with WithoutInitialization():  # every weight comes from the file
        loaded = load(network.repository, network.name, start)
    if loaded.origin.part:  # a run would train the rest
        raise ModelError(
            f"{weights}: holds {loaded.origin.part} of a network with the {maps} maps of the target "
            f"{config.target.name}; restore the original file"
        )
    model = automatic_model(loaded, config.target, config.normalize, config.select_channels, config.channels)
    if config.receptive_field is not None:  # of a run of version 0.2, it is measured when it is needed
        model.receptive_field, model.halo = config.receptive_field, config.halo
    model.verified = config.inference_precision
    return model


def _build_prompted(config: ModelConfig, weights: Path, trust: bool) -> PromptedModel:
    from finetune.repositories.registry import LoadOptions, promptable

    network = config.architecture
    start = LoadOptions(config.channels, 1, options=network.options, checkpoint=weights)
    loaded = promptable(network.repository).load(network.name, start)
    return prompted_model(loaded, config.target, config.normalize, config.select_channels, config.channels)


# How a model of each task is built from its configuration and weights.
BUILD: dict[TaskName, Callable[[ModelConfig, Path, bool], Model | PromptedModel]] = {
    "automatic": _build,
    "interactive": _build_prompted,
}
