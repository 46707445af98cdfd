"""Training in several processes."""

from __future__ import annotations

import os

from cards.errors import InputError
from finetune.recipe.schema import ComputeSection

# Set by Lightning, torchrun and SLURM in the processes that they start.
RANK_VARIABLES = ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")


def is_single_process(compute: ComputeSection) -> bool:
    """Whether one process trains.

    Args:
        compute: the section `compute` of a recipe.

    Returns:
        False if several do, or may.
    """
    return compute.nodes == 1 and compute.devices in (1, "1")


def is_helper_process(compute: ComputeSection) -> bool:
    """Whether this process only helps to train: its rank is not zero.

    The process of rank zero evaluates, exports and writes the run folder.

    Args:
        compute: the section `compute` of a recipe.

    Returns:
        True in every process but the one of rank zero.

    Raises:
        InputError: if the rank is not zero, but the recipe trains in one process.
    """
    ranks = {name: int(os.environ.get(name) or 0) for name in RANK_VARIABLES}
    name = next((name for name, rank in ranks.items() if rank > 0), None)
    if name and is_single_process(compute):
        raise InputError(
            f"{name} is {ranks[name]}, but the recipe trains in one process: start one task for each run "
            "(srun --ntasks 1), or set compute.devices and compute.nodes"
        )
    return name is not None
