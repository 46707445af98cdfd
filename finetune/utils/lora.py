"""Low-rank adapters of the package peft: which layers take one, and how they are added."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from torch import nn

from cards.errors import RecipeError
from finetune.errors import unknown

ALL = "all-linear"  # peft's name for every layer that can be adapted


def inject(network: nn.Module, layers: Iterable[str], rank: int, alpha: float) -> nn.Module:
    """Add adapters to layers and freeze all other parameters.

    Args:
        network: changed in place.
        layers: names of the layers, see `adaptable_layers`.
        rank: rank of the change of each layer's weights.
        alpha: scale of the change; it is multiplied by alpha / rank.

    Returns:
        The network, with random A from torch's current generator and B = 0.
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=0.0,
        # One regular expression: peft matches a bare name at the end of any other, and many end with "0".
        target_modules="|".join(map(re.escape, layers)),
    )
    return inject_adapter_in_model(config, network)


def adaptable_layers(network: nn.Module) -> Iterator[str]:
    """Find the layers that peft can adapt and merge again.

    Excluded are grouped convolutions, which peft cannot merge; convolutions with dilation or non-zero padding
    modes, which its adapter ignores; and the output projection of torch's attention, which reads the layer's
    weights directly and would bypass the adapter.

    Args:
        network: the network.

    Yields:
        Names of Linear and Conv2d layers.
    """
    from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

    for name, module in network.named_modules():
        if isinstance(module, NonDynamicallyQuantizableLinear):
            continue
        if isinstance(module, nn.Linear) or (
            isinstance(module, nn.Conv2d)
            and module.groups == 1
            and set(module.dilation) == {1}
            and module.padding_mode == "zeros"
        ):
            yield name


def select_layers(layers: list[str], names: str | list[str]) -> list[str]:
    """Select layers by name.

    Args:
        layers: names of the layers that can be adapted.
        names: "all-linear", or names of layers, of the last parts of their names, or of modules that contain
            them.

    Returns:
        Names of the selected layers, in the order of `layers`.

    Raises:
        RecipeError: if there are no layers, or a name matches none.
    """
    if not layers:
        raise RecipeError(
            "model.adapt: lora needs Linear or Conv2d layers, and this network shows none "
            "(TorchScript hides them): set model.adapt=full or head"
        )
    if names == ALL:
        return layers
    selected: set[str] = set()
    for name in [names] if isinstance(names, str) else names:
        matches = [layer for layer in layers if f".{name}." in f".{layer}."]
        if not matches:
            parts = dict.fromkeys(part for layer in layers for part in layer.split("."))
            words = [part for part in parts if not part.isdigit()]
            raise unknown("layer in model.adapt_options.layers", name, [ALL, *(words or layers)])
        selected.update(matches)
    return [layer for layer in layers if layer in selected]
