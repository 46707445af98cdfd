"""Banner in report.html: test images that are related to training images, with pictures of both."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from cards import formatting as words
from cards.evidence import Relation
from cards.leakage import is_divided, relation_sentence, relations, unrelated_images
from cards.previews import Previews, RelatedPicture
from cards.record import RunRecord

LONGEST_NAME = 24


def banner(record: RunRecord, previews: Previews | None) -> str:
    """Render the banner.

    Args:
        record: the run.
        previews: pictures of related images.

    Returns:
        HTML; empty if no test image is related to a training image, or the images were not compared.
    """
    related = relations(record, "test")
    if not related:
        return ""
    pictures = [
        one
        for one in (previews.related if previews else [])
        if one.image in related and related[one.image].related_to == one.related_to
    ]
    figures = "".join(_figure(one, related[one.image]) for one in pictures)
    text = f"<strong>{escape(relation_sentence(record, 'test'))}</strong> {escape(_consequence(record))}"
    if any(one.joined for one in pictures):
        text += " In the pictures, orange marks at both ends show the seam; objects continue across it."
    shown = f'<div class="seams">{figures}</div>\n' if figures else ""
    return f'<aside class="banner" aria-label="Related test images"><p>{text}</p>\n{shown}</aside>'


def related_cells(related: Mapping[str, Relation] | None, image: str) -> list[str]:
    """Render the cell with the training image to which a test image is related.

    Args:
        related: relation by name of the test image; None if the images were not compared.
        image: name of the test image.

    Returns:
        HTML of one cell; none if the images were not compared.
    """
    if related is None:
        return []
    relation = related.get(image)
    return [f"<td>{escape(relation.related_to) if relation else 'none'}</td>"]


def _consequence(record: RunRecord) -> str:
    if is_divided(record):
        count = len(unrelated_images(record) or ())
        others = f"the {words.count(count)} unrelated images" if count > 1 else "the unrelated image"
        return f"Accuracy on them is not independent of training; the card also states accuracy on {others}."
    return (
        "Accuracy on them is not independent of training, and accuracy on unrelated images was not measured."
    )


def _figure(picture: RelatedPicture, relation: Relation) -> str:
    test, training = escape(_short(picture.image)), escape(_short(picture.related_to))
    how = "joined at their seam" if picture.joined else "side by side"
    caption = f"{test} (test) and {training} (training): {escape(relation.evidence)}"
    return (
        f'<figure><img alt="test image and training image, {how}" src="{picture.picture}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _short(name: str) -> str:
    """The start of a long name; the card lists the whole names."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
