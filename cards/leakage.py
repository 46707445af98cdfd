"""How the test images relate to the training images, in words, and accuracy on the unrelated ones.

Accuracy on a part of the test images is computed here, from the scores and relations in the record. It is
stored nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from cards import formatting as words
from cards.base import Split
from cards.evidence import Leakage, Relation, RelationKind
from cards.record import RunRecord
from cards.scores import Summary

PREDICATES: dict[RelationKind, tuple[str, str]] = {
    "same field": ("is adjacent to {}", "are adjacent to {}"),
    "exact": ("is identical to {}", "are identical to {}"),
    "near": ("is an altered copy of {}", "are altered copies of {}"),
    "crop": ("is part of, or contains, {}", "are part of, or contain, {}"),
}
"""What is said of one image that is related to a training image, and of more, by kind of relation."""

LABELS: dict[RelationKind, str] = {
    "same field": "adjacent",
    "exact": "identical",
    "near": "altered copy",
    "crop": "crop",
}
"""The relation in one or two words."""

MEANINGS: dict[RelationKind, str] = {
    "same field": "Adjacent images are neighboring tiles of one field of view.",
    "exact": "Identical images have equal pixels.",
    "near": "An altered copy is re-encoded, brightened, rotated or mirrored.",
    "crop": "A crop shares a region with the training image: one is part of the other.",
}


def relations(record: RunRecord, split: Split) -> dict[str, Relation] | None:
    """Relations of the images of a split to training images.

    Args:
        record: the run.
        split: "validation" or "test".

    Returns:
        Relation by name of the image, only of images that are in the split; None if they were not compared.
    """
    if record.leakage is None:
        return None
    names = {file.name for file in record.data.files if file.split == split}
    found = (relation for relation in record.leakage.relations if relation.split == split)
    return {relation.image: relation for relation in found if relation.image in names}


def relation_sentence(record: RunRecord, split: Split) -> str:
    """State how many images of a split are related to a training image, and how.

    Args:
        record: the run.
        split: "validation" or "test".

    Returns:
        One sentence, e.g. "36 of the 50 test images are adjacent to a training image."
    """
    total, related = record.data.count(split), relations(record, split)
    if not total:
        return f"There are no {split} images."
    if related is None:
        return f"Whether the {split} images are related to training images was {words.NOT_MEASURED}."
    kinds = Counter(relation.kind for relation in related.values())
    if not kinds:
        which = f"the {total:,} {split} images" if total > 1 else f"the only {split} image"
        return f"No relation between {which} and the training images was found."
    share = _share(len(related), total, split)
    clauses = {kind: PREDICATES[kind][kinds[kind] > 1] for kind in PREDICATES if kinds[kind]}
    if len(clauses) == 1:
        return f"{share} {next(iter(clauses.values())).format('a training image')}."
    parts = [f"{kinds[kind]:,} {clause.format('one')}" for kind, clause in clauses.items()]
    return f"{share} are related to a training image: {words.listed(parts)}."


def _share(part: int, total: int, split: Split) -> str:
    if total == 1:
        return f"The only {split} image"
    return f"All {total:,} {split} images" if part == total else f"{part:,} of the {total:,} {split} images"


def meanings(leakage: Leakage) -> list[str]:
    """Explain the kinds of relations that were found.

    Args:
        leakage: of the run.

    Returns:
        One sentence for each kind.
    """
    kinds = {relation.kind for relation in leakage.relations}
    return [meaning for kind, meaning in MEANINGS.items() if kind in kinds]


def unrelated_images(record: RunRecord) -> set[str] | None:
    """Images with a score that are not related to a training image.

    Args:
        record: the run.

    Returns:
        Names; None if accuracy was not measured or the images were not compared.
    """
    split: Split = record.accuracy.split if record.accuracy else "test"
    related = relations(record, split)
    if related is None or split == "train":
        return None
    return scored_images(record) - related.keys()


def scored_images(record: RunRecord) -> set[str]:
    """Images with a score after training.

    Args:
        record: the run.

    Returns:
        Names of images.
    """
    if record.prompts:
        return {image.image for image in record.prompts[0].images}
    return {score.image for score in record.accuracy.after.scores} if record.accuracy else set()


def is_divided(record: RunRecord) -> bool:
    """Whether some of the images with a score are related to training images, and some are not.

    Args:
        record: the run.

    Returns:
        True if accuracy on unrelated images differs from that on all images, and exists.
    """
    return 0 < len(unrelated_images(record) or ()) < len(scored_images(record))


def accuracy_on(record: RunRecord, images: Collection[str]) -> dict[str, Summary]:
    """Summarize accuracy after training on a part of the images.

    Args:
        record: the run.
        images: names of images.

    Returns:
        Summary by name of the metric; by kind of prompt for an interactive model. A metric without scores on
        these images is absent.
    """
    columns: dict[str, list[float]] = {}
    if record.prompts:
        for prompt in record.prompts:
            columns[prompt.kind] = [each.after for each in prompt.images if each.image in images]
    elif record.accuracy:
        scores = [score for score in record.accuracy.after.scores if score.image in images]
        for metric in record.metrics:
            columns[metric.name] = [
                score.metrics[metric.name] for score in scores if metric.name in score.metrics
            ]
    return {name: Summary.of(values) for name, values in columns.items() if values}


def exposure_sentence(record: RunRecord) -> str | None:
    """State whether the base model was trained or selected on the test images.

    Args:
        record: the run.

    Returns:
        One sentence with its source, if known; None if the weights were random.
    """
    if record.model.base.weights == "random":
        return None
    leakage = record.leakage or Leakage(method="")
    sentence = {
        "seen": "The base model was trained on the test images",
        "selected on": "The base model was selected by its score on the test images",
        "not seen": "The base model was trained without the test images",
        "unknown": "Whether the base model was trained on the test images is unknown",
    }[leakage.base_model_exposure]
    source = f" (source: {leakage.exposure_source})" if leakage.exposure_source else ""
    return f"{sentence}{source}."
