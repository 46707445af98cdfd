"""Where a run computes, and how exactly: the section compute of a recipe."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from cards.errors import RecipeError
from finetune.recipe.schema import ComputeSection, Recipe


def resolve_compute(recipe: Recipe) -> Recipe:
    """Choose the precision where the recipe leaves it open, and let Lightning look at the section compute.

    Raises:
        RecipeError: with what Lightning says of it.
    """
    quiet_lightning()
    compute = recipe.compute
    if compute.precision == "auto":
        fast = "bf16-mixed" if _is_fast_in_bf16(device_of(compute)) else "32-true"
        compute = compute.model_copy(update={"precision": fast})
    try:
        pl.Trainer(logger=False, enable_checkpointing=False, **trainer_options(compute))
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise RecipeError(f"compute: {' '.join(str(error).split())}") from error
    return recipe.model_copy(update={"compute": compute})


def device_of(compute: ComputeSection) -> torch.device:
    """Where one process works: on the first GPU, if there is one and the recipe does not refuse it."""
    on_gpu = compute.accelerator in {"auto", "gpu", "cuda"} and torch.cuda.is_available()
    return torch.device("cuda" if on_gpu else "cpu")


def trainer_options(compute: ComputeSection) -> dict[str, Any]:
    """The section compute in Lightning's names."""
    options = compute.model_dump()
    options["num_nodes"] = options.pop("nodes")
    return options


def quiet_lightning() -> None:
    """Keep Lightning's advice to developers from a scientist's terminal."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",
        ".*Checkpoint directory .* exists.*",
        ".*LeafSpec.*",
        ".*in eval mode at the start of training.*",  # what is not trained
        # TorchScript notes the copy that `average` makes as a step of training; nothing comes of it.
        r"The \.grad attribute of a Tensor that is not a leaf.*",
    ):
        warnings.filterwarnings("ignore", message)


def _is_fast_in_bf16(device: torch.device) -> bool:
    """Whether a device multiplies matrices of bfloat16 by itself.

    On CPUs that takes AMX: there a training step of the U-Net is three times as fast as in float32. Where
    AVX-512 alone knows bfloat16, it is no faster, and one of SAM2 takes almost twice as long
    (`benchmarks/training_step.py`).
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    amx = getattr(torch.cpu, "_is_amx_tile_supported", None)  # torch has no public name for it
    return bool(amx and amx())
