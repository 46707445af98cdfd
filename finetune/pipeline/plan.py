"""A resolved recipe: data, model and settings before training starts; what both tasks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rich.console import Console

from cards.base import Split
from cards.evidence import InferencePrecision
from cards.licenses import check_license
from cards.record import Origin
from cards.training import StepTimes
from finetune.adapters import Count, apply, count
from finetune.data.augmentation import Augmentation
from finetune.data.datamodule import SegmentationData
from finetune.data.normalization import PERCENTILE, build_normalize
from finetune.pipeline.compatibility import check_batch_memory
from finetune.pipeline.inputs import RunInputs
from finetune.pipeline.previews import PreviewCollector
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import Loaded, LoadOptions
from finetune.targets.base import LabelEncoding

AnyModel = TypeVar("AnyModel")  # Model (automatic task) or PromptedModel (interactive task)


@dataclass
class Plan(Generic[AnyModel]):
    """A resolved recipe: data, model and settings, before training starts.

    Attributes:
        recipe: the recipe with all defaults filled in.
        inputs: the images as located and inspected, environment and device.
        model: the network with its initial weights, and everything needed to apply it.
        origin: where the initial weights come from.
        data: data module of the images.
        parameters: number of parameters, in total and trainable.
        previews: pictures of the test images for the report, collected during evaluation.
        auto_options: target options that are selected on the validation images after training.
        warnings: findings that a person should know.
        step_times: what the precision of training was selected by; None if it was not measured.
        inference: the precision of inference, chosen after training; None where only float32 is possible.
    """

    recipe: Recipe
    inputs: RunInputs
    model: AnyModel
    origin: Origin
    data: SegmentationData
    parameters: Count
    previews: PreviewCollector
    auto_options: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    step_times: StepTimes | None = None
    inference: InferencePrecision | None = None

    def count(self, split: Split) -> int:
        """Number of images in a split.

        Args:
            split: train, validation or test.

        Returns:
            The number of images.
        """
        return len(self.data.of(split))

    @property
    def pretrained(self) -> bool:
        """Whether the initial network can be evaluated: all of its weights are pretrained.

        A network of which only a part has pretrained weights is as untrained as a random one.
        """
        return self.origin.weights == "pretrained" and self.origin.part is None

    def report(self, console: Console) -> None:
        """Print the number of images and the warnings.

        Args:
            console: where to print.
        """
        counts = ", ".join(f"{self.count(split)} {split}" for split in ("train", "validation", "test"))
        console.print(f"{self.recipe.name}: {counts} images", highlight=False, markup=False, soft_wrap=True)
        if part := self.origin.part:
            console.print(
                f"initial weights: {part}; the others are random",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        for warning in self.warnings:
            console.print(
                f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True
            )


def load_options(recipe: Recipe, in_channels: int, out_channels: int) -> LoadOptions:
    """Initialization options of the recipe's network.

    Args:
        recipe: a recipe.
        in_channels: number of image channels.
        out_channels: number of maps that the network predicts.

    Returns:
        Options for a repository's `load`.
    """
    section = recipe.model
    return LoadOptions(
        in_channels=in_channels,
        out_channels=out_channels,
        options=section.options,
        checkpoint=section.checkpoint,
        pretrained=section.pretrained,
        revision=section.revision,
        trust=section.trust,
        seed=recipe.training.seed,
    )


def build_plan(
    recipe: Recipe,
    inputs: RunInputs,
    loaded: Loaded,
    target: LabelEncoding,
    build_model: Callable[..., AnyModel],
    *,
    squared: bool = False,
    auto_options: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Plan[AnyModel]:
    """Build data module and model from a loaded network.

    Args:
        recipe: the recipe, resolved but for the learning rate.
        inputs: the images.
        loaded: the network with its initial weights.
        target: how label images are encoded for training.
        build_model: the task's model class; called with keyword arguments.
        squared: whether training images are resized to squares instead of cropped, see `SegmentationData`.
        auto_options: target options to select on validation images.
        warnings: findings of the task.

    Returns:
        The plan.

    Raises:
        InputError: if the licenses contradict each other, the normalization or augmentation is invalid, or
            `model.adapt` does not apply to the network.
    """
    check_batch_memory(
        recipe.training.patch,
        recipe.training.batch_size,
        inputs.channels,
        inputs.environment.memory_bytes,
    )
    check_license(recipe.card.license, loaded.origin.license, loaded.origin.id)
    training = recipe.training
    training = training.model_copy(update={"learning_rate": training.learning_rate or loaded.learning_rate})
    recipe = recipe.model_copy(update={"training": training})
    normalize = build_normalize(recipe.data.normalize or loaded.normalize or PERCENTILE)
    data = SegmentationData(
        inputs.pairs,
        target,
        normalize,
        label_kind=inputs.label_kind,
        channels=recipe.data.channels,
        augmentation=Augmentation(**training.augmentation.model_dump()),
        patch=training.patch,
        batch_size=training.batch_size,
        images_per_epoch=training.images_per_epoch,
        views=training.views,
        squared=squared,
        workers=training.workers,
        seed=training.seed,
    )
    section = recipe.model
    initial = count(loaded.network)
    network = apply(loaded.network, section.adapt, section.adapt_options, loaded.encoder, training.seed)
    parameters = count(network)
    model = build_model(
        network=network,
        target=target,
        normalize=normalize,
        select=recipe.data.channels,
        channels=inputs.channels,
        divisor=loaded.divisor,
        architecture=loaded.architecture,
    )
    return Plan(
        recipe=recipe,
        inputs=inputs,
        model=model,
        origin=loaded.origin,
        data=data,
        parameters=parameters,
        previews=PreviewCollector(
            target.labels, {pair.name: pair.image for pair in inputs.pairs if pair.split == "test"}
        ),
        auto_options=list(auto_options),
        warnings=[
            *inputs.warnings,
            *_warn_about_frozen_random_weights(section.adapt, loaded.origin, initial, parameters),
            *warnings,
            *_warn_about_missing_splits(data),
        ],
    )


def _warn_about_frozen_random_weights(
    adapt: str, origin: Origin, initial: Count, adapted: Count
) -> list[str]:
    if origin.weights != "random" or adapted.trainable == initial.trainable:
        return []
    return [f"model.adapt={adapt} freezes randomly initialized weights"]


def _warn_about_missing_splits(data: SegmentationData) -> list[str]:
    warnings = []
    if not data.of("validation"):
        warnings.append("there are no validation images: the last epoch is kept, without early stopping")
    if not data.of("test"):
        warnings.append("there are no test images: accuracy is not measured")
    return warnings
