"""A prediction of image files: comparison with the training images, label images, table and record."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cards.errors import InputError
from cards.fingerprint import sha256_file
from cards.paths import as_utf8
from finetune.data.diameter import typical_diameter, typical_of_areas
from finetune.data.headers import Header
from finetune.data.windows import windows_of
from finetune.inference.extras.measurements import MeasurementTable, to_json
from finetune.inference.extras.registry import TABLE, Segmented, SegmentedParts
from finetune.inference.folder import FolderPrediction, Surroundings, predict_outputs
from finetune.inference.journal import Journal, open_journal
from finetune.inference.label_parts import instance_areas
from finetune.inference.markers import CARD_FILE, MARK, RECORD_FILE, is_ours, software
from finetune.inference.outputs import OTHER_FOLDER, Outputs
from finetune.inference.protocol import Predictor
from finetune.inference.similarity import NO_RECORD, NOT_RECORDED, Comparison, compare_images
from finetune.inference.write import write_new
from finetune.pipeline.ensemble_card import render_card
from finetune.pipeline.prediction_models import Member
from finetune.utils.atomic import disk_errors, write_file

if TYPE_CHECKING:
    from finetune.inference.cluster import Cluster
    from finetune.inference.image_mismatch import ImageMismatch
    from finetune.inference.model import Model
    from finetune.inference.stream import StreamOptions
    from finetune.inference.streaming import Progress


@dataclass
class PredictionJob:
    """Images to segment, and the models that do it.

    Attributes:
        model: one model, or an ensemble.
        members: descriptions of the models, for the record; empty for a model from Python.
        outputs: images and paths of what is written.
        headers: of the images that can be read.
        errors: why the other images cannot be read, by image.
        symmetries: whether the prediction is averaged over rotations and reflections.
        options: sizes of the parts of a large image.
        tile_mismatch: whether the tile mismatch of each image is measured.
        mismatches: what was measured, by name of the image; None for one that is not tiled.
        comparison: of the images with the training images.
    """

    model: Predictor
    members: Sequence[Member]
    outputs: Outputs
    headers: dict[Path, Header]
    errors: dict[Path, str]
    symmetries: bool = False
    options: StreamOptions | None = None
    tile_mismatch: bool = False
    channels: Sequence[int] = ()
    mismatches: dict[str, ImageMismatch | None] = field(default_factory=dict, init=False)
    comparison: Comparison = field(init=False)
    _diameters: list[float] = field(default_factory=list)
    _table: MeasurementTable = field(default_factory=MeasurementTable)

    def __post_init__(self) -> None:
        """Compare the images with the training images."""
        described = [member.record.data.statistics for member in self.members if member.record]
        training = next((statistics for statistics in described if statistics), None)
        self.comparison = compare_images(
            self.headers,
            training,
            getattr(self.model, "select", "auto"),
            planes=self.outputs.planes,
            reason=NOT_RECORDED if described else NO_RECORD,
        )

    @property
    def common_files(self) -> dict[str, Path]:
        """Files about all images, by kind."""
        files = {"record": self.outputs.folder / RECORD_FILE}
        if self.outputs.table:
            files[TABLE] = self.outputs.table
        if len(self.members) > 1:
            files["card"] = self.outputs.folder / CARD_FILE
        return files

    def run(
        self, progress: Progress | None = None, cluster: Cluster | None = None
    ) -> Iterator[FolderPrediction]:
        """Segment the images; then compare the objects, and write table and record.

        If the prediction is interrupted, the table and the record list what was finished.

        Args:
            progress: called after each part of an image that is too large to be kept in memory.
            cluster: a Dask cluster that segments images larger than a tile.

        Yields:
            One result per image, in order.

        Raises:
            InputError: if no image fits the model, or the disk is full or cannot be written.
        """
        results: list[FolderPrediction] = []
        with open_journal(self.model, self.outputs, tile_mismatch=self.tile_mismatch) as journal:
            around = Surroundings(
                partial(self._observe, progress), self._restore, progress, cluster, journal, self.options
            )
            predicted = predict_outputs(self.model, self.outputs, self.headers, self.errors, around)
            try:
                for result in predicted:
                    results.append(result)
                    yield result
            except BaseException:  # Ctrl-C, too
                if any(result.labels for result in results):
                    with suppress(InputError):
                        self._finish(results, journal)
                raise
            self._finish(results, journal)

    def _observe(self, progress: Progress | None, result: Segmented | SegmentedParts) -> dict[str, Any]:
        """Measure an image; what is returned restores it when the command is repeated."""
        if self.comparison.training is None:
            sizes: list[float | None] = []
        elif isinstance(result, SegmentedParts):
            sizes = [typical_of_areas(instance_areas(result.instances))]
        else:
            sizes = [typical_diameter(labels) for labels in result.instances]
        found = [size for size in sizes if size is not None]
        self._diameters += found
        table = to_json(self._table.add(result)) if self.outputs.table else []
        kept = {"diameters": found, TABLE: table}
        if self.tile_mismatch:
            measured = self.mismatches[result.name] = self._measure_mismatch(result, progress)
            kept["tile_mismatch"] = {result.name: measured and asdict(measured)}
        return kept

    def _measure_mismatch(
        self, result: Segmented | SegmentedParts, progress: Progress | None
    ) -> ImageMismatch | None:
        from finetune.inference.image_mismatch import measure_image  # it imports torch
        from finetune.inference.tiling import TILE

        tile = self.options.tile if self.options and isinstance(result, SegmentedParts) else TILE
        images = (
            [result.windows]
            if isinstance(result, SegmentedParts)
            else [windows_of(plane) for plane in result.pixels]
        )
        return measure_image(cast("Model", self.model), images, tile, report=progress)

    def mismatch_entry(self, result: FolderPrediction) -> dict[str, Any]:
        """The tile mismatch of an image, as results state it.

        Args:
            result: of the image.

        Returns:
            The entry `tile_mismatch`; empty if it is not measured.
        """
        measured = self.mismatches.get(result.image.name)
        return {"tile_mismatch": measured and asdict(measured)} if self.tile_mismatch else {}

    def _restore(self, kept: dict[str, Any]) -> None:
        from finetune.inference.image_mismatch import ImageMismatch  # it imports torch

        self._diameters += kept["diameters"]
        self._table.restore(kept[TABLE])
        for name, measured in kept.get("tile_mismatch", {}).items():
            self.mismatches[name] = ImageMismatch(**measured) if measured else None

    def _finish(self, results: list[FolderPrediction], journal: Journal | None) -> None:
        self.comparison.compare_objects(self._diameters)
        listed: dict[str, str] = {}

        def announce(path: Path, content: Path) -> None:
            listed[path.name] = sha256_file(content)
            if journal:
                journal.add_hash(path.name, listed[path.name])

        images = [self._image(result) for result in results]
        earlier = self._earlier(images)
        if table := self.outputs.table:
            names = {image["image"] for one in earlier["predictions"] for image in one["images"]}
            self._table.keep(table, names - {image["image"] for image in images if image["labels"]})
            replace = table in self.outputs.replace
            write_new(table, self._table.write, replace, partial(announce, table))
        if card := self.common_files.get("card"):
            text = render_card(self.members, symmetries=self.symmetries)
            replace = card in self.outputs.replace
            write_new(card, partial(_write_text, text), replace, partial(announce, card))
        elif not any(len(one["models"]) > 1 for one in earlier["predictions"]):
            self._delete_card(earlier)
        path = self.outputs.folder / RECORD_FILE
        files = {name: sha for name, sha in earlier["files"].items() if name not in listed} | listed
        predictions = [*earlier["predictions"], self._entry(images)]
        record = {MARK: software(), "files": files, "predictions": predictions}
        content = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        with disk_errors(path, OTHER_FOLDER):
            write_file(path, content)

    def _delete_card(self, earlier: dict[str, Any]) -> None:
        """Delete the card of an ensemble whose label images were all replaced."""
        card = self.outputs.folder / CARD_FILE
        if is_ours(card):
            card.unlink()
            earlier["files"].pop(CARD_FILE, None)

    def _earlier(self, images: list[dict[str, Any]]) -> dict[str, Any]:
        """The record of earlier predictions in the folder, without images that were segmented again."""
        path = self.outputs.folder / RECORD_FILE
        earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        written = {image["labels"] for image in images if image["labels"]}
        predictions = []
        for one in earlier.get("predictions", []):
            kept = [image for image in one["images"] if image["labels"] and image["labels"] not in written]
            if kept:
                predictions.append(one | {"images": kept})
        return {"files": earlier.get("files", {}), "predictions": predictions}

    def _entry(self, images: list[dict[str, Any]]) -> dict[str, Any]:
        """This prediction, as the record states it."""
        return {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "finetune_version": version("finetune"),
            "models": [member.to_json() for member in self.members],
            "symmetries": self.symmetries,
            "planes": self.outputs.planes,
            **({"channels": list(self.channels)} if self.channels else {}),
            "comparison": self.comparison.to_json(),
            "images": images,
        }

    def _image(self, result: FolderPrediction) -> dict[str, Any]:
        """Entry of the record; it holds no path of this machine."""
        folder = self.outputs.folder
        error = result.error and _without_folder(result.error.removeprefix(f"{result.image}: "), result.image)
        return {
            "image": as_utf8(result.image.name),
            "labels": result.labels.relative_to(folder).as_posix() if result.labels else None,
            "instances": result.instances,
            "files": {kind: path.relative_to(folder).as_posix() for kind, path in result.files.items()},
            "error": error and as_utf8(error),
            **self.mismatch_entry(result),
        }


def _without_folder(text: str, image: Path) -> str:
    """Remove the folder of an image from the paths in a message."""
    folder = re.escape(str(image.parent))
    return text if image.parent == Path() else re.sub(rf"(?<![\w./-]){folder}{re.escape(os.sep)}", "", text)


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
