"""Compatibility of network, target and images: what would fail or mislead, found before training starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cards.errors import RecipeError
from finetune.inference.tiling import check_size
from finetune.networks.mask2former import Mask2Former
from finetune.targets.queries import QUERIES, Queries

if TYPE_CHECKING:
    from torch import nn

    from cards.record import DataFile
    from finetune.repositories.registry import Loaded
    from finetune.targets.base import Target


def check_output(loaded: Loaded, target: Target) -> None:
    """Check that the network's output stride matches the target's grid, and its last map the target's.

    Args:
        loaded: the network with its options.
        target: the target that it is trained on.

    Raises:
        RecipeError: if they differ.
    """
    stride = loaded.architecture.options.get("grid", 1)
    grid = target.options().get("grid", 1)
    if stride != grid:
        raise RecipeError(
            f"the network predicts one pixel for each {stride} × {stride} pixels of the image, the target "
            f"{target.name} expects {grid} × {grid}: set model.options.grid, or use "
            f"model.target=rays with model.target_options.grid={stride}"
        )
    has, needs = (loaded.architecture.options.get("foreground"), target.options().get("foreground", False))
    if has is not None and has != needs:
        raise RecipeError(
            f"the network predicts {'the' if has else 'no'} foreground beside its distances, the target "
            f"{target.name} expects {'it' if needs else 'none'}: set model.options.foreground and "
            "model.target_options.foreground to the same value"
        )


def check_patch(patch: int, divisor: int) -> None:
    """Check that the network accepts training patches of this size.

    Args:
        patch: height and width of a patch, in pixels.
        divisor: heights and widths must be multiples of this, in pixels.

    Raises:
        RecipeError: if the patch size is no multiple of the divisor.
    """
    if patch % divisor:
        raise RecipeError(
            f"training.patch: {patch} is not a multiple of {divisor}, which the network requires"
        )


def check_batch_memory(patch: int, batch_size: int, channels: int, memory: int | None) -> None:
    """Check that a batch of training images fits into the computer's memory.

    Args:
        patch: height and width of a patch, in pixels.
        batch_size: patches in a batch.
        channels: channels of an image.
        memory: memory of the computer in bytes; None if unknown, then nothing is checked.

    Raises:
        RecipeError: if the images of one batch alone, in float32, are larger than the memory.
    """
    size = 4 * batch_size * channels * patch**2
    if memory is not None and size > memory:
        key = "training.patch" if size > memory * batch_size else "training.batch_size"
        raise RecipeError(
            f"{key}: {batch_size} patches of {patch} x {patch} pixels take {size / 2**30:,.0f} GiB, "
            f"but this computer has {memory / 2**30:,.0f} GiB of memory; lower {key}"
        )


def check_queries(network: nn.Module, target: Target, files: list[DataFile]) -> None:
    """Check that a network with queries is trained on the target `queries`, and no other network is.

    Args:
        network: the network.
        target: the target that it is trained on.
        files: the images; those for validation and test must fit through the network in one piece.

    Raises:
        RecipeError: if only one of network and target has queries, or an image is too large.
    """
    has_queries, needs_queries = isinstance(network, Mask2Former), isinstance(target, Queries)
    if has_queries and not needs_queries:
        raise RecipeError(
            f"model.target: {target.name}; Mask2Former is trained with its own loss: "
            f"set model.target={QUERIES}"
        )
    if needs_queries and not has_queries:
        raise RecipeError(
            f"model.target: {QUERIES} requires a network with queries: use a Mask2Former, such as "
            "facebook/mask2former-swin-tiny-coco-instance of repository huggingface, or another target"
        )
    for file in files:
        if file.split != "train":  # training images are cut into patches
            height, width = file.shape[-2:]
            check_size(target, height, width, file.name)


def warn_if_too_many_objects(target: Target, files: list[DataFile]) -> list[str]:
    """Warn if an image contains more objects than the target has queries.

    Args:
        target: the target; targets other than `queries` never warn.
        files: the images with their number of instances.

    Returns:
        No warning or one.
    """
    if not isinstance(target, Queries):
        return []
    max_instances = max(file.instances for file in files)
    if max_instances <= target.channels:
        return []
    return [
        f"an image has {max_instances} objects, but {target.channels} queries find at most "
        f"{target.channels}; raise model.target_options.queries, which initializes all queries randomly"
    ]


def warn_about_published_options(loaded: Loaded, target: Target) -> list[str]:
    """Warn if the recipe's target options differ from those that the weights were published with.

    Args:
        loaded: the network with the options that its repository suggests.
        target: the target with the recipe's options.

    Returns:
        One warning for each option that differs.
    """
    options = target.options()
    return [
        f"the weights were published with {option} {value} of target {target.name}, "
        f"the recipe has {options[option]}"
        for option, value in loaded.suggests.items()
        if option in options and options[option] != value
    ]
