"""Limitations of a model: those that follow from the record, and those that the author states."""

from __future__ import annotations

import re

from cards import formatting as words
from cards import leakage
from cards.record import RunRecord
from cards.selection import selected_on_test

RELATED = re.compile(r"\d+ of \d+ (test|validation) images (is|are) related to a training image")
"""Warning of a run that the card replaces by its own sentences, which follow from the same relations."""


def limitations(record: RunRecord) -> list[str]:
    """List the limitations: those that follow from the record, the warnings, the author's own.

    Args:
        record: the run.

    Returns:
        One sentence or more for each limitation.
    """
    inherited = [record.model.base.terms] if record.model.base.terms else []
    return [
        *_limits_of_independence(record),
        *_limits_of_data(record),
        *_limits_of_accuracy(record),
        *inherited,
        *(warning for warning in record.warnings if not RELATED.match(warning)),
        *record.card.limits,
    ]


def _limits_of_independence(record: RunRecord) -> list[str]:
    """Reasons why accuracy on new images could be lower than on the test images."""
    sentences = [
        f"The {selection.what} was selected by its {selection.metric} on the {selection.split} images, on "
        "which accuracy is reported: the reported accuracy is too optimistic."
        for selection in selected_on_test(record)
    ]
    if record.accuracy is None and not record.prompts:
        return sentences
    related, total = leakage.relations(record, "test"), record.data.count("test")
    if related and len(related) == total:
        sentences.append(
            f"{leakage.relation_sentence(record, 'test')} Accuracy on unrelated images was not measured."
        )
    elif related:
        sentences.append(
            f"{leakage.relation_sentence(record, 'test')} The results state accuracy on the "
            f"{words.counted(total - len(related), 'other')} separately."
        )
    if record.model.base.weights == "pretrained" and record.leakage:
        exposed = record.leakage.base_model_exposure in ("seen", "selected on")
        sentences += [leakage.exposure_sentence(record) or ""] if exposed else []
    return sentences


def _limits_of_data(record: RunRecord) -> list[str]:
    data = record.data
    largest = max(data.files, key=lambda file: file.shape[-2] * file.shape[-1]).shape if data.files else []
    sentences = [
        f"Trained on {words.counted(data.count('train'), 'image')} of one data set, {data.id}. "
        "Accuracy on other kinds of images was not measured.",
        f"The input is a 2D image with {words.counted(record.model.channels, 'channel')}.",
    ]
    if largest:
        sentences.append(
            f"The largest image used for training or testing has {largest[-2]} × {largest[-1]} pixels; "
            "larger images were not tested."
        )
    return sentences


def _limits_of_accuracy(record: RunRecord) -> list[str]:
    accuracy = record.accuracy
    if accuracy is None and record.prompts:
        return [*_not_reproduced(record), "Accuracy without prompts was not measured."]
    if accuracy is None:
        return ["Accuracy was not measured: there were no test images."]
    sentences = []
    if accuracy.split != "test":
        sentences.append(f"Accuracy was measured on the {accuracy.split} images: there was no test split.")
    if accuracy.change and accuracy.change.low <= 0 <= accuracy.change.high:
        sentences.append("The confidence interval of the change in Dice includes 0.")
    return sentences + _not_reproduced(record)


def _not_reproduced(record: RunRecord) -> list[str]:
    """Exports that differ from the trained model, unless a warning of the run says so already."""
    return [
        f"{check.artifact} ({check.format}) does not reproduce the trained model's Dice."
        for check in record.exports
        if not check.equal and not any(check.artifact in warning for warning in record.warnings)
    ]
