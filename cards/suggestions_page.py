"""A page of the images to annotate next: thumbnails with the predicted outlines, and both scores.

The content security policy forbids requests and scripts. Names of images are not trusted: they are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cards.formatting import NOT_MEASURED, count, counted
from cards.report import read_template


@dataclass(frozen=True)
class Suggested:
    """An image to annotate.

    Attributes:
        image: its name.
        rank: from 1.
        score: by which images are ranked, from 0 to 1.
        disagreement: 1 minus the mean Dice between the predictions for rotated and reflected images.
        distance: from the training images; None if it was not measured.
        instances: number of predicted instances.
        note: one more sentence, or nothing.
        picture: the image, as a data URL.
        outlines: outlines of the prediction, as a data URL of the same size.
    """

    image: str
    rank: int
    score: float
    disagreement: float
    distance: float | None
    instances: int
    note: str
    picture: str
    outlines: str


def render_page(model: str, images: Sequence[Suggested], notes: Sequence[str], total: int) -> str:
    """Render the page.

    Args:
        model: its name.
        images: by rank.
        notes: sentences about all images.
        total: number of images that were looked at.

    Returns:
        HTML.
    """
    parts = [
        "<h1>Images to annotate next</h1>",
        f"<p>Model: <b>{escape(model)}</b>. {len(images)} of {counted(total, 'image')} suggested, the "
        "highest score first.</p>",
        "<p>The score is the mean of two figures. <b>Disagreement</b>: rotating or reflecting an image "
        "should not change its segmentation; 0 means that all 8 orientations give the same foreground, 1 "
        "that they have nothing in common. <b>Distance</b>: 0 means that brightness, contrast, object size "
        "and pixel size lie within the range of the training images, 1 that one of them differs as much as "
        "<code>finetune predict</code> would warn of; in the score, a larger distance counts as 1.</p>",
    ]
    if notes:
        parts += ["<ul>", *(f"<li>{escape(note)}</li>" for note in notes), "</ul>"]
    if images:
        parts += [
            '<label class="switch"><input type="checkbox" id="outlines" checked> Predicted outlines</label>',
            "<ol>",
            *map(_item, images),
            "</ol>",
        ]
    return read_template("suggestions.html").replace("{{content}}", "\n".join(parts) + "\n", 1)


def _item(one: Suggested) -> str:
    distance = NOT_MEASURED if one.distance is None else f"{one.distance:.2f}"
    figures = (
        ("Score", f"{one.score:.3f}"),
        ("Disagreement", f"{one.disagreement:.3f}"),
        ("Distance", distance),
        ("Predicted instances", count(one.instances)),
    )
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in figures)
    name, note = escape(one.image), f'<p class="note">{escape(one.note)}</p>' if one.note else ""
    return (
        f'<li class="image"><figure><div class="picture"><img alt="{name}" src="{one.picture}">'
        f'<img class="outlines" alt="" src="{one.outlines}"></div>'
        f"<figcaption><h2>{one.rank}. {name}</h2><dl>{rows}</dl>{note}</figcaption></figure></li>"
    )
