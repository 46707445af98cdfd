"""The model of a first recipe, from target, object size, color and license."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from cards.errors import RecipeError
from finetune.data.label_survey import LabelSurvey
from finetune.pipeline.first_target import Goal
from finetune.pipeline.starting_recipe import default_target
from finetune.recipe.commented import Choice
from finetune.repositories.catalog import Listed, find_model
from finetune.repositories.filters import has_license
from finetune.utils.optional import is_installed

SMALLEST, LARGEST = 8.0, 120.0  # pixels: diameters that Cellpose's models resize without losing detail
WIDTH = 32


@dataclass(frozen=True)
class FirstModel:
    """A model, its target, and the reasons.

    Attributes:
        repository: a key of `REPOSITORIES`.
        name: of the model.
        title: for the card.
        reason: of the model.
        target: name of the target.
        target_reason: of the target.
        options: of the network.
        options_reason: of the options.
        target_options: of the target.
        license_note: what the user must know of the license.
    """

    repository: str
    name: str
    title: str
    reason: str
    target: str
    target_reason: str
    options: dict[str, Any] = field(default_factory=dict)
    options_reason: str | None = None
    target_options: dict[str, Any] = field(default_factory=dict)
    license_note: str | None = None

    def choices(self) -> list[Choice]:
        """The section `model` of the recipe."""
        reason = ". ".join(filter(None, (self.reason, self.license_note)))
        return [
            Choice("model.repository", self.repository),
            Choice("model.name", self.name, reason),
            *([Choice("model.options", self.options, self.options_reason)] if self.options else []),
            Choice("model.target", self.target, self.target_reason),
            *(
                [Choice("model.target_options", self.target_options, "auto: selected on validation images")]
                if self.target_options
                else []
            ),
        ]

    def network_options_of_target(self) -> dict[str, Any]:
        """Options of the target that decide how many maps there are."""
        return {key: value for key, value in self.target_options.items() if value != "auto"}


def depth_for(diameter: float) -> int:
    """Number of times that a U-Net halves the resolution, so that it sees whole objects.

    Args:
        diameter: median diameter of the objects in pixels.

    Returns:
        2 to 4: an object is about two pixels wide at the coarsest resolution, a larger one wider.
    """
    return min(4, max(2, round(math.log2(max(diameter, 8.0) / 2))))


def choose_model(
    goal: Goal,
    labels: LabelSurvey,
    channels: int,
    license: str | None,
    wanted: str | None,
    pretrained: bool,
) -> FirstModel:
    """Choose the model.

    Args:
        goal: the target that suits the masks.
        labels: what the masks contain.
        channels: number of image channels that the network sees.
        license: that the model must have; see `finetune.repositories.filters.has_license`.
        wanted: id of the model that the user wants; None to choose.
        pretrained: whether a model that must be downloaded may be chosen.

    Returns:
        The model.

    Raises:
        InputError: if the wanted model does not exist, cannot be fine-tuned, or has another license.
    """
    if wanted is not None:
        return _wanted(find_model(wanted), goal, license)
    if pretrained:
        for id in ("cellpose:cyto3", "sam2:sam2.1-hiera-tiny"):
            listed = find_model(id)
            if _suits(listed, goal, labels, channels, license):
                return _pretrained(listed, goal, labels)
    return _from_scratch(goal, labels)


def _suits(listed: Listed, goal: Goal, labels: LabelSurvey, channels: int, license: str | None) -> bool:
    if license is not None and not has_license(listed.info, license):
        return False
    if listed.repository == "cellpose":
        instances = labels.kind == "instances" and SMALLEST <= labels.diameter <= LARGEST
        return instances and channels <= 2 and is_installed("cellpose")
    return channels <= 3 and is_installed("sam2") and (goal.target != "rays")


def _pretrained(listed: Listed, goal: Goal, labels: LabelSurvey) -> FirstModel:
    info = listed.info
    if listed.repository == "cellpose":
        return FirstModel(
            listed.repository,
            info.name,
            "Cellpose cyto3",
            "pretrained on cells and nuclei of many kinds (downloaded when the recipe runs, 26 MB)",
            "flows",
            "what the weights were trained for; flows toward their centers separate objects of any shape",
            {"diameter": "auto"},
            f"objects have a median diameter of {labels.diameter:g} px: images are resized to make it 30 px, "
            "as in the pretraining",
            {"cellprob_threshold": "auto", "flow_threshold": "auto"},
            f"License: {info.license}. {info.terms}",
        )
    target, options = goal.target, goal.options
    return FirstModel(
        listed.repository,
        info.name,
        "SAM 2.1",
        "encoder pretrained on photographs (downloaded when the recipe runs, 156 MB); the decoder is trained "
        "from scratch",
        target,
        goal.reason,
        target_options=options,
        license_note=f"License: {info.license}",
    )


def _from_scratch(goal: Goal, labels: LabelSurvey) -> FirstModel:
    depth = depth_for(labels.diameter)
    scratch = "starts from random weights: no download, and no license but your own"
    options = {"width": WIDTH, "depth": depth}
    size = f"objects have a median diameter of {labels.diameter:g} px: the resolution is halved {depth} times"
    if goal.target == "rays":
        grid = 2 if labels.diameter >= 16 else 1
        depth = max(1, depth - (grid - 1))
        options = {"grid": grid, "width": WIDTH, "depth": depth, "foreground": True}
        size += f"; one polygon for {grid} × {grid} pixels" if grid > 1 else ""
        return FirstModel(
            "stardist",
            "unet",
            "StarDist",
            f"StarDist's U-Net {scratch}",
            goal.target,
            goal.reason,
            options,
            size,
            goal.options | {"grid": grid},
        )
    return FirstModel(
        "wipp", "unet", "U-Net", f"a U-Net {scratch}", goal.target, goal.reason, options, size, goal.options
    )


def _wanted(listed: Listed, goal: Goal, license: str | None) -> FirstModel:
    info = listed.info
    if not info.fine_tunable:
        raise RecipeError(f"{listed.id}: cannot be fine-tuned: {info.why_not}")
    if license is not None and not has_license(info, license):
        found = info.license or "an unknown license"
        raise RecipeError(f"{listed.id}: its license is {found}; whether it is {license} is not certain")
    suits = goal.target in info.targets
    target = goal.target if suits else default_target(listed.repository, info)
    reason = goal.reason if suits else f"{goal.target} would suit the masks, but not this model"
    return FirstModel(
        listed.repository,
        info.name,
        info.name.rpartition("/")[2],
        "the model that you asked for",
        target,
        reason,
        {"foreground": True} if listed.repository == "stardist" and goal.options.get("foreground") else {},
        target_options=goal.options if suits else {},
        license_note=f"License: {info.license or 'unknown'}. {info.terms or ''}".strip(),
    )
