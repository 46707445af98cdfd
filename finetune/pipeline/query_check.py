"""What a run with queries has to know beforehand: that they go with network and images, and are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cards.errors import RecipeError
from finetune.inference.tiling import check_size
from finetune.networks.mask2former import Mask2Former
from finetune.targets.queries import QUERIES, Queries

if TYPE_CHECKING:
    from torch import nn

    from cards.record import DataFile
    from finetune.targets.base import Target


def check_queries(network: nn.Module, target: Target, files: list[DataFile]) -> None:
    """A network that has queries learns by their loss alone, and no other network can.

    Raises:
        RecipeError: if only one of the two is there, or an image that is to be labeled is too large.
    """
    has, wants = isinstance(network, Mask2Former), isinstance(target, Queries)
    if has and not wants:
        raise RecipeError(
            f"model.target: {target.name}; a Mask2Former learns with its own loss: set model.target={QUERIES}"
        )
    if wants and not has:
        raise RecipeError(
            f"model.target: {QUERIES} needs a network that has queries: take a Mask2Former, such as "
            "facebook/mask2former-swin-tiny-coco-instance of repository huggingface, or another target"
        )
    for file in files:
        if file.split != "train":  # of which patches are cut
            height, width = file.shape[-2:]
            check_size(target, height, width, file.name)


def warn_if_too_many_objects(target: Target, files: list[DataFile]) -> list[str]:
    """A warning where an image has more objects than the target has queries; none for other targets."""
    if not isinstance(target, Queries):
        return []
    most = max(file.instances for file in files)
    if most <= target.channels:
        return []
    return [
        f"an image has {most} objects, of which {target.channels} queries can find {target.channels} at "
        "most: raise model.target_options.queries, which starts from new queries"
    ]
