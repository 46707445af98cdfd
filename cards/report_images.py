"""The test images in report.html: a table that can be sorted and searched, and a viewer."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from html import escape
from importlib import resources, util

from cards import canvas
from cards import formatting as words
from cards.leakage import relations
from cards.metrics import PRIMARY
from cards.previews import Prediction, Preview, Previews
from cards.record import DataFile, RunRecord
from cards.report import Section, read_template
from cards.report_leakage import banner
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

LONG = 50  # rows from which the table is divided into pages


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
    scripts, styles = [], []
    if bundle := _data_tables():
        scripts.append(f"{bundle[0]}\n({_START})({json.dumps(_options(len(scores)))}, ITable);")
        styles.append(bundle[1])
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
            cells += [_number(first), _number(dice), _number(None if first is None else dice - first, "+.4f")]
        else:
            cells.append(_number(dice))
        cells += [_number(one.metrics.get(metric.name)) for metric in metrics]
        cells.append(f'<td data-order="{one.seconds:.6f}">{escape(words.duration(one.seconds))}</td>')
        if related is not None:
            relation = related.get(one.image)
            cells.append(f"<td>{escape(relation.related_to) if relation else 'none'}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(text)}</th>" for text in header)
    lines = "\n".join([f"<thead><tr>{head}</tr></thead>", "<tbody>", *rows, "</tbody>"])
    return f'<div class="table" tabindex="0"><table id="images">{lines}</table></div>'


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


def _number(value: float | None, form: str = ".4f") -> str:
    text = words.NOT_MEASURED if value is None else format(value, form)
    return f'<td data-order="{-1 if value is None else value:.6f}">{text}</td>'


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


def _options(images: int) -> dict[str, object]:
    return {
        "order": [],
        "paging": images > LONG,
        "pageLength": LONG,
        "lengthChange": False,
        "autoWidth": False,
    }


_START = """(options, Table) => {
  const table = document.getElementById("images");
  const sorted = new Table(table, options).dt;
  table.shownRows = () => sorted.rows({ order: "applied", search: "applied" }).nodes().toArray();
}"""


@cache
def _data_tables() -> tuple[str, str] | None:
    """Script and styles of DataTables, from the package itables; None if it is not installed."""
    if util.find_spec("itables") is None:
        return None
    folder = resources.files("itables") / "html"
    script = (folder / "dt_bundle.js").read_text("utf-8")
    exported = re.search(r"export\s*\{([^}]*)\}", script)
    name = re.search(r"(\w+) as ITable\b", exported.group(1)) if exported else None
    if exported is None or name is None:
        return None
    # The bundle is a module, which a page can only import from another file; its exports become constants.
    script = script[: exported.start()] + f"const ITable={name.group(1)}" + script[exported.end() :]
    # In its strings, these would change how a browser reads the end of the script
    # (https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements).
    script = re.sub(r"<(?=!--|/?script)", r"\\x3C", script, flags=re.IGNORECASE)
    return script, (folder / "dt_bundle.css").read_text("utf-8")
