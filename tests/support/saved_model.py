"""A small model in a folder, as an export writes it."""

from __future__ import annotations

from pathlib import Path

from finetune.data.normalization import build_normalize
from finetune.export.huggingface import save_model
from finetune.inference.model import Model
from finetune.repositories.registry import LoadOptions, load
from finetune.targets.registry import build_target


def save_small_model(folder: Path, target: str = "foreground") -> Path:
    """Save a U-Net of one level that was not trained."""
    built = build_target(target)
    loaded = load("wipp", "unet", LoadOptions(1, built.channels, options={"width": 8, "depth": 1}))
    normalize = build_normalize({"name": "percentile", "low": 1.0, "high": 99.8})
    model = Model(loaded.network, built, normalize, "auto", 1, loaded.divisor, loaded.architecture)
    save_model(model, folder)
    return folder
