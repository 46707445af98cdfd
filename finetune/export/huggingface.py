"""Export of a model as a Hugging Face folder: `model.safetensors` and `config.json`.

Neither file can hold code: weights are safetensors, and the configuration names a network, a target and a
normalization that finetune builds. A network that finetune cannot build, such as that of a BioImage.IO
package, is stored beside them as `network.pt`: TorchScript, which runs no Python when loaded; its weights are
replaced by those of `model.safetensors`. `finetune.loading` reads the folder.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from finetune.export.base import ExportInput, ReloadedExport, trusted
from finetune.inference.model import Model
from finetune.loading import load_model
from finetune.repositories.base import STRUCTURE
from finetune.utils.atomic import write_file, write_safetensors
from finetune.weights.checkpoint import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from finetune.prompts.model import PromptedModel


OUTPUT = "huggingface/"


def supports(model: Any) -> str | None:
    """Every model is supported.

    Args:
        model: not used.

    Returns:
        None.
    """
    return None


def write(export: ExportInput, folder: Path) -> list[str]:
    """Write weights and configuration; see `Exporter.write`. The run writes the card into the same folder.

    Args:
        export: model, record and images.
        folder: the folder `huggingface` of the run.

    Returns:
        No warnings.
    """
    save_model(export.model, folder, trust=trusted(export.record))
    return []


def reload(folder: Path, model: Any) -> Iterator[ReloadedExport]:
    """Load the model with `finetune.load`.

    Args:
        folder: the folder `huggingface` of the run.
        model: not used.

    Yields:
        The model.
    """
    if folder.is_dir():
        yield ReloadedExport(folder / WEIGHTS, "safetensors", "finetune", load_model(folder, trust=True))


def save_model(model: Model | PromptedModel, folder: Path, *, trust: bool = False) -> None:
    """Write weights and configuration.

    Args:
        model: the trained model, on any device.
        folder: the folder to write; it is created if it is missing.
        trust: whether the user trusts the author of TorchScript that could touch files.

    Raises:
        OSError: if the folder cannot be written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()
    }
    write_safetensors(folder / WEIGHTS, weights, {"format": "pt"})
    if isinstance(model, Model) and model.torchscript:
        _write_structure(model, folder / STRUCTURE, trust)
    config = json.dumps(model.config(), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    write_file(folder / CONFIG, config)


def _write_structure(model: Model, path: Path, trust: bool) -> None:
    from finetune.weights.torchscript import write_torchscript

    with torch.no_grad():  # TorchScript would record the copy as an operation of training
        network = copy.deepcopy(model.network).to("cpu", torch.float32).eval()
    write_torchscript(network, path, channels=model.channels, divisor=model.divisor, trust=trust)
