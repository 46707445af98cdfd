"""What a run selected by a score on images, in words. Such images have the role *selected on*."""

from __future__ import annotations

from cards import formatting as words
from cards.base import Split
from cards.evidence import Selection
from cards.record import RunRecord

_WORDS = {"nms": "NMS", "prob": "probability", "cellprob": "cell probability"}  # in names of options


def selection_sentences(record: RunRecord) -> list[str]:
    """State what was selected, by which score, on which images.

    Args:
        record: the run.

    Returns:
        One sentence for each score and split, e.g. "Epoch 32 and threshold 0.45 were selected by Dice on 45
        validation images."
    """
    groups: dict[tuple[str, Split, int], list[Selection]] = {}
    for selection in record.training.selections:
        groups.setdefault((selection.metric, selection.split, selection.images), []).append(selection)
    return [
        f"{_capital(words.listed([_named(each) for each in group]))} {'was' if len(group) == 1 else 'were'} "
        f"selected by {metric} on {words.counted(images, f'{split} image')}."
        for (metric, split, images), group in groups.items()
    ]


def _named(selection: Selection) -> str:
    name = " ".join(_WORDS.get(word, word) for word in selection.what.split("_"))
    return f"{name} {selection.value}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def selected_on_test(record: RunRecord) -> list[Selection]:
    """List what was selected by a score on the images on which accuracy is reported.

    Args:
        record: the run.

    Returns:
        Selections on the test images, or on the split of the reported accuracy.
    """
    split = record.accuracy.split if record.accuracy else "test"
    return [selection for selection in record.training.selections if selection.split in ("test", split)]
