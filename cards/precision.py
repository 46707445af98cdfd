"""Precision of inference: when labels in bfloat16 count as those of float32, and the sentences of a card."""

from __future__ import annotations

from cards import formatting as words
from cards.evidence import InferencePrecision
from cards.record import RunRecord

LEAST_GAIN = 1.2  # network time in float32 divided by that in bf16
LEAST_AGREEMENT = 0.995  # fraction of the pixels
MOST_DICE_CHANGE = 1e-3  # of the mean over images, about a tenth of its usual standard error
MOST_AP50_CHANGE = 1e-2

BY_RECIPE = "set by the recipe"


def precision_problem(compared: InferencePrecision) -> str | None:
    """Find out why bfloat16 should not be used.

    Args:
        compared: measurements on validation images.

    Returns:
        The first reason, as part of a sentence; None if labels and scores are within the bounds, and the
        network is faster.
    """
    if not compared.images or compared.gain is None or compared.agreement is None:
        return "there are no validation images on which labels could be compared"
    if compared.agreement < LEAST_AGREEMENT:
        return f"in bf16, only {100 * compared.agreement:.2f}% of the pixels keep their label"
    for name, change, most in (
        ("Dice", compared.dice_change, MOST_DICE_CHANGE),
        ("AP50", compared.ap50_change, MOST_AP50_CHANGE),
    ):
        if change is not None and abs(change) > most:
            return f"in bf16, mean {name} changes by {words.signed(change)}"
    if compared.gain < LEAST_GAIN:
        return f"in bf16, the network is only {compared.gain:.2f} times as fast"
    return None


def precision_sentences(record: RunRecord) -> str:
    """State the precision of inference, and what was measured to choose it.

    Args:
        record: the run.

    Returns:
        One or two sentences.
    """
    chosen = record.inference
    if chosen is None:
        return "float32."
    first = f"{chosen.precision} ({chosen.reason})."
    if not chosen.images or chosen.gain is None or chosen.agreement is None:
        return first
    changes = (("Dice", chosen.dice_change), ("AP50", chosen.ap50_change))
    stated = [f"mean {name} changed by {words.signed(value)}" for name, value in changes if value is not None]
    kept = f"{100 * chosen.agreement:.2f}% of the pixels kept their label"
    return (
        f"{first} On {words.counted(chosen.images, 'validation image')}, bf16 made the network "
        f"{chosen.gain:.2f} times as fast as float32; {'; '.join([kept, *stated])}."
    )
