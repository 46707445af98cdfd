"""The test images in report.html: a table that can be sorted and searched, and a viewer."""

from __future__ import annotations

import json
import re
import unicodedata
from html import escape

from cards import canvas
from cards import formatting as words
from cards.leakage import relations
from cards.metrics import PRIMARY
from cards.previews import Prediction, Preview, Previews
from cards.record import DataFile, RunRecord
from cards.report import Section, read_template
from cards.report_leakage import banner, related_cells
from cards.report_table import change_cells, number_cell, render_table, table_program
from cards.scores import ImageScore

COLORS = {
    "reference": canvas.REFERENCE,
    "prediction": canvas.PREDICTION,
    "missed": canvas.MISSED,
    "spurious": canvas.SPURIOUS,
    "outline": canvas.OUTLINE,
}
"""Colors of the viewer, in the order in which viewer.js expects them."""

LABEL_IMAGES = (".tif", ".tiff", ".png")  # that other programs open as label images
_ENDING = re.compile(
    r"(\.ome)?\.(tiff?|zarr)$|\.[^.]+$", re.IGNORECASE
)  # "a.ome.tif" is predicted as "a.tif"


def images_section(record: RunRecord, previews: Previews | None) -> Section | None:
    """Render the test images: a row for each image and, if there are previews, the viewer.

    Args:
        record: the run.
        previews: pictures of the images.

    Returns:
        The section; None if no test image was scored.
    """
    if record.accuracy is None:
        return None
    scores = sorted(record.accuracy.after.scores, key=lambda one: (one.metrics[PRIMARY], one.image))
    scored = {one.image for one in scores}
    found = {one.image: one for one in previews.images if one.image in scored} if previews else {}
    body = [
        "<h2>Test images</h2>",
        f"<p>{_introduction(len(scores), len(found))}</p>",
        banner(record, previews),
        _table(record, scores, found),
    ]
    scripts, styles = table_program(len(scores))
    if previews and found:
        page = read_template("viewer.html").replace("{{tolerance}}", f"{previews.tolerance:g}")
        for name, color in COLORS.items():
            page = page.replace("{{" + name + "}}", color)
        body.append(page)
        content = _content(previews, [found.get(one.image) for one in scores])
        body.append(f'<script type="application/json" id="previews">{content}</script>')
        # The viewer takes the buttons of all rows before the table hides some of them on other pages.
        scripts.insert(0, read_template("viewer.js"))
    return Section("\n".join(body) + "\n", (*styles, read_template("viewer.css")), tuple(scripts))


def _introduction(images: int, shown: int) -> str:
    text = f"Each of the {images} test images, the lowest Dice first." if images > 1 else "The test image."
    if shown:
        text += (
            " Select an image to see its labels at full size; B switches between before and after training."
        )
    if 0 < shown < images:
        text += f" {shown} of {images} images {'has' if shown == 1 else 'have'} a preview."
    return text


def _table(record: RunRecord, scores: list[ImageScore], found: dict[str, Preview]) -> str:
    assert record.accuracy is not None
    before = {one.image: one for one in record.accuracy.before.scores} if record.accuracy.before else {}
    related = relations(record, "test")
    metrics = [metric for metric in record.metrics if metric.name != PRIMARY]
    header = ["Image", *(["Dice before", "Dice after", "Change"] if before else ["Dice"])]
    header += [*(metric.label for metric in metrics), "Time"]
    header += ["Related training image"] if related is not None else []
    files = {file.name: file for file in record.data.files if file.split == record.accuracy.split}
    rows = []
    for index, one in enumerate(scores):
        dice = one.metrics[PRIMARY]
        cells = [_name(index, one, found, files.get(one.image))]
        if before:
            first = before[one.image].metrics[PRIMARY] if one.image in before else None
            cells += change_cells(first, dice)
        else:
            cells.append(number_cell(dice))
        cells += [number_cell(one.metrics.get(metric.name)) for metric in metrics]
        cells.append(f'<td data-order="{one.seconds:.6f}">{escape(words.duration(one.seconds))}</td>')
        cells += related_cells(related, one.image)
        rows.append(cells)
    return render_table(header, rows)


def _name(index: int, one: ImageScore, found: dict[str, Preview], file: DataFile | None) -> str:
    name = escape(one.image)
    if one.image not in found:
        return f"<td>{name}</td>"
    data = {"image": str(index), "title": f"{one.image}, Dice {one.metrics[PRIMARY]:.4f}", **_paths(file)}
    attributes = " ".join(f'data-{key}="{escape(value)}"' for key, value in data.items())
    return f'<td><button type="button" {attributes}>{name}</button></td>'


def _paths(file: DataFile | None) -> dict[str, str]:
    """Paths in the folder of the data set, from which the viewer makes snippets for other programs.

    There are none for a page of a stack, which those programs open as a whole.
    """
    if file is None or file.page is not None:
        return {}
    # As finetune names the files that it predicts: in Unicode normal form C.
    stem = unicodedata.normalize("NFC", _ENDING.sub("", file.image.rsplit("/", 1)[-1]))
    paths = {"file": file.image, "stem": stem}
    return paths | ({"reference": file.label} if file.label.lower().endswith(LABEL_IMAGES) else {})


def _content(previews: Previews, images: list[Preview | None]) -> str:
    """The pictures in the order of the rows; names stay in the table, where they are escaped."""

    def prediction(one: Prediction | None) -> object:
        return None if one is None else one.model_dump()

    return json.dumps(
        {
            "filled": previews.filled,
            "bins": previews.bins,
            "tolerance": previews.tolerance,
            "colors": list(COLORS.values()),
            "images": [
                None
                if one is None
                else {
                    "factor": one.factor,
                    "pixelSize": one.pixel_size_um,
                    "picture": one.picture,
                    "reference": one.reference,
                    "before": prediction(one.before),
                    "after": prediction(one.after),
                }
                for one in images
            ],
        },
        separators=(",", ":"),
    )
