"""Training in several processes."""

from __future__ import annotations

import os

# Set by Lightning, torchrun and SLURM in the processes that they start.
RANK_VARIABLES = ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")


def is_helper_process() -> bool:
    """Whether this process only helps to train: its rank is not zero.

    The process of rank zero evaluates, exports and writes the run folder.

    Returns:
        True in every process but the one of rank zero.
    """
    return any(int(os.environ.get(name) or 0) > 0 for name in RANK_VARIABLES)
