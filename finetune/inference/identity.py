"""What identifies a model, so that results of another one are never taken for its own."""

from __future__ import annotations

import hashlib
from typing import Any


def identify(model: Any) -> Any:
    """Identify weights, configuration, target options and precision of a model.

    Args:
        model: one model, a model averaged over symmetries, or an ensemble.

    Returns:
        JSON values; None for a model that cannot be identified.
    """
    from torch import nn

    if members := getattr(model, "members", None):
        found = [identify(member) for member in members]
        return None if None in found else {"ensemble": found}
    if inner := getattr(model, "model", None):
        found = identify(inner)
        return None if found is None else {"symmetries": found}
    if package := getattr(model, "package", None):
        return {"package": package.sha256, "weights": _hashes(package), "target": model.target.name}
    network = getattr(model, "network", None)
    if not isinstance(network, nn.Module) or not hasattr(model, "config"):
        return None
    precision = getattr(model, "precision", "float32")
    # Receptive field and halo follow from the network; they may be measured during the prediction.
    config = {key: value for key, value in model.config().items() if key not in ("receptive_field", "halo")}
    return {"weights": _digest(network), "config": config, "precision": precision}


def _hashes(package: Any) -> dict[str, str]:
    """SHA-256 of the weights of a BioImage.IO package, by format."""
    from finetune.repositories.bioimageio.package import read_file

    weights = package.description.weights
    return {name: read_file(package, getattr(weights, name))[1] for name in package.formats}


def _digest(network: Any) -> str:
    import torch

    weights = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        weights.update(name.encode())
        weights.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return weights.hexdigest()
