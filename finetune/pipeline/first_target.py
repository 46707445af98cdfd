"""The target of a first recipe, from what the masks contain."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetune.data.label_survey import CONVEX, SEPARATE, LabelSurvey
from finetune.utils.optional import is_installed

SELECTED = ("prob_threshold", "nms_threshold", "outline_threshold")  # options of rays


class Goal(NamedTuple):
    """A target and its reason.

    Attributes:
        target: name of the target.
        options: of the target.
        reason: why it suits the masks.
    """

    target: str
    options: dict[str, Any]
    reason: str


def choose_target(labels: LabelSurvey) -> Goal:
    """Choose the target that suits the masks.

    Args:
        labels: what the masks contain.

    Returns:
        The target.
    """
    if labels.kind == "boundary":
        return Goal("boundary", {}, "the masks hold boundaries")
    if labels.kind == "foreground":
        return Goal(
            "foreground", {}, "the masks say where objects are, but not where one ends and the next begins"
        )
    if labels.touching <= SEPARATE:
        share = f"{labels.touching:.1%} of the objects touch another one"
        return Goal("foreground_boundary", {}, f"{share}: a boundary between neighbors separates them")
    share = f"{labels.touching:.0%} of the objects touch another one"
    if labels.solidity >= CONVEX and is_installed("stardist"):
        return Goal(
            "rays",
            {"rays": 32, "foreground": True} | dict.fromkeys(SELECTED, "auto"),
            f"{share}, and they are convex (solidity {labels.solidity:.2f}): star-convex polygons separate "
            "them; outlines come from the foreground, which is more exact, but the BioImage.IO package then "
            "yields maps instead of labels",
        )
    if is_installed("cellpose"):
        options = {"cellprob_threshold": "auto", "flow_threshold": "auto"}
        return Goal("flows", options, f"{share}: flows toward their centers separate objects of any shape")
    return Goal(
        "foreground_boundary",
        {},
        f"{share}: a boundary between neighbors separates them (rays and flows need the packages stardist "
        "and cellpose, which are not installed)",
    )
