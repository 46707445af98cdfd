"""A new last layer for the network of a BioImage.IO package, if the target has another number of maps."""

from __future__ import annotations

import math

import torch
from torch import nn

from finetune.repositories.bioimageio.network import LEAST


def replace_last_layer(
    network: nn.Module, channels: int, maps: tuple[int, int], divisor: int, seed: int
) -> tuple[str, ...] | None:
    """Replace the convolution that predicts the maps by a randomly initialized one.

    The code of TorchScript stays as it is; only the parameters of the layer change their shape. Because
    TorchScript does not tell which layer is the last, layers are tried: one is accepted if each of its new
    kernels determines one map of the network. A softmax after the layer mixes maps, so such a layer is not
    replaced. Weights are drawn as by `torch.nn.Conv2d`.

    Args:
        network: (N, C, H, W) to (N, K, H, W), a module or TorchScript, in evaluation mode; modified in place.
        channels: C.
        maps: K, and the number of maps that the network shall predict.
        divisor: height and width of the input must be multiples of it, in pixels.
        seed: random seed.

    Returns:
        Names of the new parameters; None if no layer can be replaced. The network is then unchanged.
    """
    side = divisor * math.ceil(LEAST / divisor)
    image = torch.rand((1, channels, side, side), generator=torch.Generator().manual_seed(seed))
    for name, layer in reversed(list(network.named_modules())):  # the last layer is usually defined last
        old = dict(layer.named_parameters(recurse=False))
        if "weight" not in old or old["weight"].ndim != 4 or len(old["weight"]) != maps[0]:
            continue
        if _determines_maps(network, layer, new := _draw(old, maps[1], seed), image):
            _set(layer, new)
            return tuple(f"{name}.{key}" if name else key for key in new)
        _set(layer, old)
    return None


def _draw(old: dict[str, nn.Parameter], maps: int, seed: int) -> dict[str, nn.Parameter]:
    """Draw parameters of a convolution for another number of maps."""
    generator = torch.Generator().manual_seed(seed)
    bound = 1 / math.sqrt(old["weight"][0].numel())
    return {
        key: nn.Parameter(torch.empty((maps, *each.shape[1:])).uniform_(-bound, bound, generator=generator))
        for key, each in old.items()
    }


def _set(layer: nn.Module, parameters: dict[str, nn.Parameter]) -> None:
    for key, value in parameters.items():
        setattr(layer, key, value)


def _determines_maps(
    network: nn.Module, layer: nn.Module, new: dict[str, nn.Parameter], image: torch.Tensor
) -> bool:
    """Whether a change of the first kernel changes the first map, and no other."""
    maps = len(new["weight"])
    changed = {key: nn.Parameter(each.detach().clone()) for key, each in new.items()}
    try:
        with torch.no_grad():
            for each in changed.values():
                each[0] = 0
            _set(layer, new)
            before = network(image)
            _set(layer, changed)
            after = network(image)
    except Exception:  # the layer is not the last, so its output no longer fits the layers behind it
        return False
    if before.shape[:2] != (1, maps):
        return False
    return (before != after).flatten(2).any(-1)[0].tolist() == [True] + [False] * (maps - 1)
