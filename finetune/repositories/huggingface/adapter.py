"""LoRA adapters of transformers models, in the format that peft loads onto the base model on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.base import NetworkSpec
from cards.record import Origin
from finetune.utils.atomic import write_safetensors
from finetune.utils.optional import require

if TYPE_CHECKING:
    import torch
    from torch import nn

    from finetune.repositories.huggingface.architectures import Architecture

WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."  # how peft begins the names of all weights in that file
NAME = "default"  # peft's own for an adapter that was given none


def save_adapter(network: nn.Module, architecture: NetworkSpec, origin: Origin, folder: Path) -> list[Path]:
    """Write `adapter_model.safetensors` and `adapter_config.json`, with the base model and its commit.

    Names are those of transformers. The model's own newly trained head is stored in full with its adapters
    merged (peft's `modules_to_save`): on a base model with the same number of labels,
    `PeftModel.from_pretrained` restores the trained model. A lightweight decoder, which transformers does not
    know, is not included.

    Args:
        network: trained network with its adapters, not merged.
        architecture: specification of the network, from `load`.
        origin: source of the base weights.
        folder: output folder; created if something is written.

    Returns:
        The two files; none if there are no adapters, or the base model is not on the Hub.
    """
    from finetune.adapters import ADAPTER, merge
    from finetune.repositories.huggingface.architectures import encoder_of, kind_of

    kind = kind_of(architecture.options["config"], architecture.name)
    state = {
        renamed: tensor
        for name, tensor in network.state_dict().items()
        if ADAPTER in name and (renamed := kind.to_transformers(name)) is not None
    }
    encoder = encoder_of(kind)
    state = {name: tensor for name, tensor in state.items() if not kind.may_be_fresh(name, encoder)}
    if not state or origin.hub_id is None:
        return []
    require("peft", "lora")
    from peft import LoraConfig

    head = _head(kind, merge(network), encoder)
    trained: Any = network
    used = trained.peft_config[NAME]
    config = LoraConfig(
        r=used.r,
        lora_alpha=used.lora_alpha,
        lora_dropout=0.0,
        target_modules=sorted({name.partition(f".{ADAPTER}")[0] for name in state}),
        modules_to_save=sorted(kind.fresh or {name.partition(".")[0] for name in head}) or None,
        base_model_name_or_path=origin.hub_id,
        revision=origin.revision,
        inference_mode=True,
    )
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    content = {PREFIX + name.replace(f".{NAME}.", "."): tensor for name, tensor in (state | head).items()}
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in content.items()}
    write_safetensors(folder / WEIGHTS, content, {"format": "pt"})
    return [folder / "adapter_config.json", folder / WEIGHTS]


def _head(kind: Architecture, network: nn.Module, encoder: str) -> dict[str, torch.Tensor]:
    """Weights behind the encoder, by their names in transformers."""
    if not (kind.semantic or kind.fresh):
        return {}
    named = {kind.to_transformers(name): tensor for name, tensor in network.state_dict().items()}
    head = {name: tensor for name, tensor in named.items() if name and kind.may_be_fresh(name, encoder)}
    return {name: tensor for name, tensor in head.items() if not name.startswith(kind.unused)}
