"""Which images to annotate next: scored, told apart, and shown on a page and in a table."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cards.canvas import PREDICTION, outline, resize_labels, rgb
from cards.errors import DataError, InputError
from cards.formatting import counted
from cards.previews import encode, picture, preview_factor
from cards.record import RunRecord
from cards.scores import csv_text
from cards.suggestions_page import Suggested, render_page
from finetune.data.relations import Imprint, find_links, take_imprint
from finetune.inference.protocol import Predictor
from finetune.pipeline.suggestion_scores import (
    LARGEST,
    CandidateScore,
    forget_scores,
    is_cut,
    read_part,
    score_images,
)
from finetune.utils.atomic import disk_errors, write_new_files

PAGE, TABLE = "annotate-next.html", "annotate-next.csv"
COLUMNS = ("image", "rank", "score", "disagreement", "distance", "instances", "note")
OTHER_FOLDER = "choose another folder with --out"
THUMBNAIL = 512  # pixels of the longer side
ALREADY = {
    "train": "a training image of the run",
    "validation": "a validation image of the run",
    "test": "a test image of the run: trained on, it would no longer measure accuracy",
}


@dataclass
class Row:
    """An image with its score.

    Attributes:
        path: of the image.
        name: path relative to the folder that holds all images.
        score: what was measured.
        rank: from 1 if the image is suggested.
        similar: whether it is left out because a suggested image shows the same or lies beside it.
        note: why it is not suggested, or what else there is to know.
    """

    path: Path
    name: str
    score: CandidateScore
    rank: int | None = None
    similar: bool = False
    note: str = ""


@dataclass
class Suggestions:
    """A search for the images to annotate next.

    Attributes:
        model: the model.
        name: of the model, for the page.
        record: of the run that trained it; None if it has none.
        images: paths of the images.
        out: folder of page and table, and of the journal until both are written.
        number: how many images are suggested at most.
        rows: all images, the suggested ones first; filled by `run`.
    """

    model: Predictor
    name: str
    record: RunRecord | None
    images: Sequence[Path]
    out: Path
    number: int
    rows: list[Row] = field(default_factory=list)

    def run(self) -> Iterator[Row]:
        """Score the images, choose, and write page and table.

        Yields:
            Each image as soon as it is scored.

        Raises:
            InputError: if no image can be scored, or the disk is full or cannot be written.
        """
        names = relative_names(self.images)
        with disk_errors(self.out, OTHER_FOLDER):
            for path, score in score_images(self.model, self.record, self.images, self.out):
                row = Row(path, names[path], score)
                row.note = score.error or (f"is {ALREADY[score.labeled]}" if score.labeled else "")
                self.rows.append(row)
                yield row
        self.rows.sort(key=lambda row: (-(row.score.value if row.score.value is not None else -1), row.name))
        if all(row.score.error for row in self.rows):
            others = f" (and {len(self.rows) - 1} more images fail)" if len(self.rows) > 1 else ""
            raise DataError(f"{self.rows[0].score.error}{others}")
        chosen = choose(self.rows, self.number)
        self.rows.sort(key=lambda row: (row.rank is None, row.rank or 0))
        page = render_page(
            self.name,
            [self._shown(row) for row in chosen],
            self.notes(),
            total=len(self.rows),
        )
        write_new_files(self.out, {PAGE: page.encode(), TABLE: table(self.rows).encode()})
        forget_scores(self.out)

    def notes(self) -> list[str]:
        """What the reader has to know about the scores.

        Returns:
            One sentence each.
        """
        notes = []
        if self.record is None or self.record.data.statistics is None:
            reason = "the model has no record" if self.record is None else "the record holds no statistics"
            notes.append(
                f"Distance was not measured: {reason} of the training images. The score is the disagreement "
                "alone."
            )
        counts = {
            "already annotated for the run": sum(row.score.labeled is not None for row in self.rows),
            "that cannot be read or segmented": sum(row.score.error is not None for row in self.rows),
            "similar to a suggested image": sum(row.similar for row in self.rows),
        }
        found = [f"{counted(number, 'image')} {text}" for text, number in counts.items() if number]
        if found:
            notes.append(f"Left out: {', '.join(found)}. {TABLE} states the reason for each.")
        return notes

    def _shown(self, row: Row) -> Suggested:
        pixels = read_part(row.path)
        assert row.rank and row.score.value is not None and row.score.disagreement is not None
        return Suggested(
            image=row.name,
            rank=row.rank,
            score=row.score.value,
            disagreement=row.score.disagreement,
            distance=row.score.distance,
            instances=row.score.instances or 0,
            note=row.note,
            picture=picture(pixels, THUMBNAIL),
            outlines=outline_picture(self.model.predict(pixels)),
        )


def choose(rows: Sequence[Row], number: int) -> list[Row]:
    """Choose the images with the highest scores that show different things.

    An image is left out if it is a copy, a part or a neighboring tile of one with a higher score. Only the
    imprints of the chosen images are kept in memory.

    Args:
        rows: the highest score first; rank and note are filled in.
        number: how many to choose at most.

    Returns:
        The chosen images by rank.
    """
    chosen: list[Row] = []
    imprints: list[Imprint] = []
    for row in rows:
        if len(chosen) == number:
            break
        if row.score.value is None:
            continue
        imprint = take_imprint(read_part(row.path))
        if same := _same(row, imprint, chosen, imprints):
            row.similar, row.note = True, same
            continue
        imprints.append(imprint)
        chosen.append(row)
        row.rank = len(chosen)
        if is_cut(row.path):
            row.note = f"the center of {LARGEST} × {LARGEST} pixels was scored"
    return chosen


def _same(row: Row, imprint: Imprint, chosen: list[Row], imprints: list[Imprint]) -> str:
    """Name the chosen image that shows the same; empty if there is none."""
    paths = [one.path for one in [*chosen, row]]

    def load(index: int) -> np.ndarray:
        return read_part(paths[index])

    last = len(chosen)
    links = find_links([*imprints, imprint], load, [last], list(range(last)))
    if not links:
        return ""
    link = links[0]
    kind = "is of the same field as" if link.kind == "same field" else "shows the same as"
    return f"{kind} {chosen[link.second].name} ({link.evidence})"


def table(rows: Sequence[Row]) -> str:
    """Write the table of all images.

    Args:
        rows: in the order of the table.

    Returns:
        CSV; no cell is a formula for a spreadsheet.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        score = row.score
        values = (score.value, score.disagreement, score.distance)
        cells = ["" if value is None else f"{value:.6f}" for value in values]
        writer.writerow([csv_text(row.name), row.rank or "", *cells, score.instances, csv_text(row.note)])
    return stream.getvalue()


def relative_names(images: Sequence[Path]) -> dict[Path, str]:
    """Name images by their paths relative to the folder that holds all of them.

    Args:
        images: paths.

    Returns:
        A name for each path, all different; folders are separated by /.
    """
    folder = os.path.commonpath([image.absolute().parent for image in images])
    return {image: image.absolute().relative_to(folder).as_posix() for image in images}


def outline_picture(labels: np.ndarray) -> str:
    """Draw the outlines of instances in the color of predictions.

    Args:
        labels: (H, W) integer, 0 is background.

    Returns:
        A transparent PNG of the size of a thumbnail, as a data URL.
    """
    edge = outline(resize_labels(labels, preview_factor(labels.shape, THUMBNAIL)), 1)
    drawn = np.zeros((*edge.shape, 4), np.uint8)
    drawn[edge] = [*(round(part * 255) for part in rgb(PREDICTION)), 255]
    return encode(drawn, "png", optimize=True)


def check_new(out: Path) -> None:
    """Refuse a folder that holds earlier results, before anything is computed.

    Args:
        out: folder of page and table.

    Raises:
        InputError: if either exists.
    """
    for name in (PAGE, TABLE):
        if os.path.lexists(out / name):
            raise InputError(f"{out / name}: exists; {OTHER_FOLDER}")
