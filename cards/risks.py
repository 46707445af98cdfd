"""Biases and risks of a model, and recommendations: what was measured, and what the author states."""

from __future__ import annotations

from cards import formatting as words
from cards.record import RunRecord

MEASURE_FIRST = (
    "Before you use the model, measure its accuracy on some of your own images with reference labels."
)


def known_biases(record: RunRecord) -> list[str]:
    """List biases: where the training images come from, then what the author states.

    Args:
        record: the run.

    Returns:
        One sentence or more for each bias.
    """
    data = record.data
    origin = (
        f"The model was trained on {words.counted(data.count('train'), 'image')} of one data set, {data.id}. "
        "Biases toward its specimens, stains and microscopes were not measured."
    )
    return [origin, *record.card.biases]


def risks(record: RunRecord) -> list[str]:
    """List risks: how far accuracy varies between test images, then what the author states.

    Args:
        record: the run.

    Returns:
        One sentence or more for each risk.
    """
    return [_spread(record), *record.card.risks]


def _spread(record: RunRecord) -> str:
    if record.accuracy is None or (dice := record.accuracy.after.summary.get("dice")) is None:
        what = "Accuracy without prompts" if record.prompts else "Accuracy"
        return f"{what} was not measured: errors go unnoticed unless someone looks at the images."
    unknown = "The model does not indicate how accurate it is on an image."
    images = words.counted(record.accuracy.images, f"{record.accuracy.split} image")
    if dice.std is None:
        return f"{unknown} Accuracy was measured on {images}: how much Dice varies between images is unknown."
    return f"{unknown} On {images}, the standard deviation of Dice between images was {dice.std:.4f}."


def recommendations(record: RunRecord) -> list[str]:
    """List recommendations: to measure first, then what the author states.

    Args:
        record: the run.

    Returns:
        One sentence or more for each recommendation.
    """
    return [MEASURE_FIRST, *record.card.recommendations]


def out_of_scope(record: RunRecord) -> str:
    """State uses for which the model is not suitable, or for which nothing is known about it.

    Args:
        record: the run.

    Returns:
        What the author states; otherwise which images were not tested.
    """
    if record.card.out_of_scope and record.card.out_of_scope.strip():
        return record.card.out_of_scope
    return f"Not stated. Accuracy on images unlike those of the data set {record.data.id} was not measured."
