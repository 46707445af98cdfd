"""Device and precision: the section `compute` of a recipe."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from cards.errors import RecipeError
from finetune.recipe.schema import ComputeSection, Recipe
from finetune.training.energy import check_energy
from finetune.utils.bfloat16 import is_fast_in_bf16

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
"""Lightning's names. Its other precisions also convert the weights, and layers of finetune need float32."""

GPU = ("auto", "gpu", "cuda")
ACCELERATORS = (*GPU, "cpu")
"""Lightning's names. Others, such as mps, would train on a device on which finetune does not evaluate."""


def resolve_compute(recipe: Recipe) -> Recipe:
    """Resolve `compute.precision: auto`, and let Lightning validate the section `compute`.

    Args:
        recipe: a recipe.

    Returns:
        The recipe with a precision.

    Raises:
        RecipeError: if Lightning rejects the section, with Lightning's message; or if the energy cannot be
            measured.
    """
    quiet_lightning()
    compute = recipe.compute
    check_energy(compute)
    if compute.accelerator not in ACCELERATORS:
        raise RecipeError(
            f"compute.accelerator: {compute.accelerator} is not supported; choose {', '.join(ACCELERATORS)}"
        )
    if compute.precision == "auto":
        fast = "bf16-mixed" if is_fast_in_bf16(device_of(compute)) else "32-true"
        compute = compute.model_copy(update={"precision": fast})
    try:
        trainer = pl.Trainer(logger=False, enable_checkpointing=False, **trainer_options(compute))
    except (ValueError, TypeError, ImportError, MisconfigurationException) as error:
        raise RecipeError(f"compute: {' '.join(str(error).split())}") from error
    if trainer.precision not in PRECISIONS:
        raise RecipeError(
            f"compute.precision: {compute.precision} is not supported; choose auto, {', '.join(PRECISIONS)}"
        )
    # Lightning has short names, such as bf16, and replaces 16-mixed on CPUs.
    compute = compute.model_copy(update={"precision": str(trainer.precision)})
    return recipe.model_copy(update={"compute": compute})


def device_of(compute: ComputeSection) -> torch.device:
    """The device of a single process: the first GPU if there is one and the recipe allows it, else the CPU.

    Args:
        compute: the section `compute` of a recipe.

    Returns:
        The device.
    """
    on_gpu = compute.accelerator in GPU and torch.cuda.is_available()
    return torch.device("cuda" if on_gpu else "cpu")


def trainer_options(compute: ComputeSection) -> dict[str, Any]:
    """Keyword arguments of `pl.Trainer` for the section `compute`.

    Args:
        compute: the section `compute` of a recipe.

    Returns:
        The section under Lightning's names.
    """
    options = compute.model_dump(exclude={"energy", "country", "inference"})
    if compute.accelerator in GPU:  # Lightning would choose Apple's MPS, too
        options["accelerator"] = device_of(compute).type if compute.accelerator == "auto" else "cuda"
    options["num_nodes"] = options.pop("nodes")
    return options


def quiet_lightning() -> None:
    """Silence Lightning's messages that are meant for developers."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",
        ".*Checkpoint directory .* exists.*",
        ".*LeafSpec.*",
        ".*in eval mode at the start of training.*",  # frozen layers
        # TorchScript records the copy that weight averaging makes; the warning has no consequence.
        r"The \.grad attribute of a Tensor that is not a leaf.*",
    ):
        warnings.filterwarnings("ignore", message)
