"""Files of a transformers model, from the Hugging Face Hub or a local folder. No format can hold code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import ModelError
from cards.fingerprint import sha256_file
from finetune.repositories.missing_weights import FOLDER_ADVICE
from finetune.weights.checkpoint import SHOWN

if TYPE_CHECKING:
    from finetune.repositories.huggingface.architectures import Architecture

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
IMAGES, CARD = "preprocessor_config.json", "README.md"


@dataclass(frozen=True)
class Files:
    """Local files of a model.

    Attributes:
        folder: folder with the files.
        config: content of `config.json`.
        mean: mean of the training images per channel, in 0..1; None if not stated.
        std: standard deviation of the training images per channel; None if not stated.
        sha256: hash of the weights, if they are in one file.
        license: license in the metadata of the model card; None if absent or "other".
        terms: name of a custom license in the model card.
        revision: commit on the Hub, if the files are from there.
    """

    folder: Path
    config: dict[str, Any]
    mean: list[float] | None
    std: list[float] | None
    sha256: str | None
    license: str | None
    terms: str | None
    revision: str | None = None


PUBLISHED = ("record.json", "network.pt", "adapter_model.safetensors")
"""Files with which finetune loads a model that it published: record, TorchScript and LoRA adapter."""


def from_hub(name: str, revision: str | None) -> Files:
    """Locate the files of a model on the Hub; download them if they are not in the cache.

    Args:
        name: id on the Hub.
        revision: branch, tag or commit; the latest if None.

    Returns:
        The local files.

    Raises:
        ModelError: if the download fails, or the weights are in a format that can hold code.
    """
    from dataclasses import replace

    from finetune.downloads.hub import fetch

    fetched = fetch(name, [CONFIG], revision=revision, optional=[IMAGES, CARD, INDEX], hint=FOLDER_ADVICE)
    shards = _shards(fetched.folder, name)
    own = read_json(fetched.folder / CONFIG, name).get("library_name") == "finetune"
    # By commit, because a branch may have moved since the first call.
    more = fetch(
        name,
        [CONFIG, *shards],
        revision=fetched.revision,
        optional=[*([] if shards else [WEIGHTS]), *(PUBLISHED if own else [])],
        hint=FOLDER_ADVICE,
    )
    return replace(from_folder(more.folder, name), revision=fetched.revision)


def from_folder(folder: Path, where: str) -> Files:
    """Locate the files of a model in a folder, as `save_pretrained` writes them.

    Args:
        folder: the folder.
        where: name of the source for error messages.

    Returns:
        The files.

    Raises:
        ModelError: if a file is missing or damaged, or the weights are in a format that can hold code.
    """
    config = read_json(folder / CONFIG, where)
    weights = _shards(folder, where) or [WEIGHTS]
    for file in weights:
        if not (folder / file).is_file():
            raise ModelError(
                f"{where}: has no {file}; other formats, such as pytorch_model.bin, can hold code and are "
                "not loaded: convert them to safetensors with `save_pretrained`, or use a revision "
                "with safetensors"
            )
    images = read_json(folder / IMAGES, where) if (folder / IMAGES).is_file() else {}
    license, terms = _license(folder / CARD)
    return Files(
        folder=folder,
        config=config,
        mean=three(images.get("image_mean")),
        std=three(images.get("image_std")),
        sha256=sha256_file(folder / WEIGHTS) if weights == [WEIGHTS] else None,
        license=license,
        terms=terms,
    )


def _shards(folder: Path, where: str) -> list[str]:
    """Names of the weights files if the weights are sharded; else none."""
    if not (folder / INDEX).is_file():
        return []
    names = read_json(folder / INDEX, where).get("weight_map")
    files = sorted(set(names.values())) if isinstance(names, dict) else []
    right = all(Path(file).name == file and Path(file).suffix == ".safetensors" for file in files)
    if not files or not right:
        raise ModelError(f"{where}: {INDEX} does not list .safetensors files in the same folder")
    return files


def read_model(files: Files, kind: Architecture, config: Any, where: str) -> tuple[Any, list[str]]:
    """Load a model of transformers with its weights.

    Args:
        files: files of the model.
        kind: architecture.
        config: configuration of transformers.
        where: source of the model, for error messages.

    Returns:
        The model in float32, and the names of parameters that are missing in the files or have another number
        of classes; these are initialized randomly.

    Raises:
        ModelError: if the files cannot be read, or belong to another model.
    """
    import torch

    from finetune.repositories.huggingface.architectures import encoder_of, model_class
    from finetune.repositories.huggingface.messages import quiet

    try:
        with quiet():
            model, found = model_class(kind).from_pretrained(
                files.folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except Exception as error:  # of transformers and of safetensors
        reason = " ".join(str(error).replace(str(files.folder), "").split())[:200]
        raise ModelError(f"{where}: its weights cannot be read, or are truncated: {reason}") from error
    fresh = sorted({*found["missing_keys"], *(entry[0] for entry in found["mismatched_keys"])})
    wanting = [name for name in fresh if not kind.may_be_fresh(name, encoder_of(kind))]
    if wanting:
        raise ModelError(
            f"{where}: the weights do not fit a {kind.model}: {len(wanting)} missing or of another shape "
            f"({', '.join(wanting[:SHOWN])}{', …' if len(wanting) > SHOWN else ''})"
        )
    return model, fresh


def read_json(path: Path, where: str) -> dict[str, Any]:
    """Read a JSON object from a file.

    Args:
        path: the file.
        where: source of the model, for error messages.

    Returns:
        The object.

    Raises:
        ModelError: if the file is missing or holds no JSON object.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{where}: {path.name} is missing or not valid JSON") from error
    if not isinstance(content, dict):
        raise ModelError(f"{where}: {path.name} is not a JSON object")
    return content


def three(numbers: Any) -> list[float] | None:
    """Validate per-channel statistics.

    Args:
        numbers: a value from a configuration file.

    Returns:
        Three numbers; None if the value is anything else.
    """
    if not isinstance(numbers, list) or len(numbers) != 3:
        return None
    right = all(isinstance(number, int | float) for number in numbers)
    return [float(number) for number in numbers] if right else None


def _license(card: Path) -> tuple[str | None, str | None]:
    """License and terms in the metadata of a model card."""
    from huggingface_hub.repocard import metadata_load

    try:
        metadata = (metadata_load(card) or {}) if card.is_file() else {}
    except Exception:  # no YAML, or no text at all: then it says nothing
        metadata = {}
    license = metadata.get("license")
    if not isinstance(license, str) or license in ("", "unknown"):
        return None, None
    if license != "other":
        return license, None
    names = [str(metadata[key]) for key in ("license_name", "license_link") if metadata.get(key)]
    called = f": {', '.join(names)}" if names else ""
    return None, f"Its model card states a custom license{called}; read it before any use."
