"""Scores of unlabeled images: from which of them a model would learn most."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cards.base import Split
from cards.errors import DataError
from cards.fingerprint import sha256_file, sha256_pixels
from cards.record import RunRecord
from finetune.data.channels import select_channels
from finetune.data.formats.stack import PLANES_REMEDY
from finetune.data.headers import read_header
from finetune.data.images import check_finite
from finetune.data.labels import convert
from finetune.data.statistics import measure_image
from finetune.data.windows import open_windows
from finetune.inference.identity import identify
from finetune.inference.journal import file_state, read_entries
from finetune.inference.map_models import label_content
from finetune.inference.protocol import Predictor
from finetune.inference.segment import prediction_errors
from finetune.inference.symmetries import measure_disagreement
from finetune.inference.training_distance import training_distance
from finetune.utils.atomic import PREFIX, write_file

LARGEST = 2048  # pixels of each side; of a larger image, only the center is scored
JOURNAL = f"{PREFIX}scores.jsonl"


@dataclass(frozen=True)
class CandidateScore:
    """Score of one image.

    Attributes:
        instances: number of predicted instances.
        disagreement: of the predictions for the 8 symmetries, see `measure_disagreement`.
        distance: from the training images, see `training_distance`; None if it was not measured.
        labeled: the split of the run that holds the image; None if it is new.
        error: why the image was not scored.
    """

    instances: int | None = None
    disagreement: float | None = None
    distance: float | None = None
    labeled: Split | None = None
    error: str | None = None

    @property
    def value(self) -> float | None:
        """Mean of disagreement and distance, each at most 1; None if the image was not scored."""
        if self.disagreement is None:
            return None
        if self.distance is None:
            return self.disagreement
        return (self.disagreement + min(1.0, self.distance)) / 2


def score_images(
    model: Predictor, record: RunRecord | None, images: Sequence[Path], out: Path
) -> Iterator[tuple[Path, CandidateScore]]:
    """Score images one after the other.

    A score is kept in a hidden journal until `forget_scores`: if the process is killed, the same call
    continues. The journal of another model or record is started anew.

    Args:
        model: the model.
        record: of the run that trained it; None if it has none.
        images: the images.
        out: folder of the journal.

    Yields:
        Each image with its score.

    Raises:
        ModelError: if the model cannot predict any image.
        OSError: if the journal cannot be written.
    """
    path = out / JOURNAL
    identity = identify(model)
    key = {
        "finetune": version("finetune"),
        "model": identity,
        "record": record.digest() if record else None,
    }
    key = json.loads(json.dumps(key))
    found, entries = read_entries(path)
    continues = identity is not None and found == key
    labeled = _labeled(record)
    for image in images:
        name, state = str(image.absolute()), file_state(image)
        entry = entries.get(name) if continues else None
        if entry and entry["image"] == state:
            yield image, CandidateScore(**entry["score"])
            continue
        score = _score(model, record, image, labeled)
        if not score.error:
            if not continues:
                write_file(path, json.dumps(key))
                entries, continues = {}, True
            with path.open("a", encoding="utf-8") as file:
                # The line break comes first: it ends a line that a killed process left unfinished.
                file.write("\n" + json.dumps({"name": name, "image": state, "score": asdict(score)}))
        yield image, score


def forget_scores(out: Path) -> None:
    """Delete the journal, once all results are written.

    Args:
        out: its folder.
    """
    (out / JOURNAL).unlink(missing_ok=True)


def read_part(image: Path) -> np.ndarray:
    """Read an image; of a large one, the center.

    Args:
        image: the file, or the folder of an OME-Zarr image.

    Returns:
        (C, H, W), at most `LARGEST` pixels high and wide.

    Raises:
        DataError: if the image cannot be read, or has pixels that are not finite.
    """
    with open_windows(image) as windows:
        rows, columns = (_center(size) for size in windows.shape[1:])
        return check_finite(windows.read(rows, columns), image)


def _center(size: int) -> slice:
    start = max(0, size - LARGEST) // 2
    return slice(start, min(size, start + LARGEST))


def is_cut(image: Path) -> bool:
    """Whether an image is so large that only its center is scored.

    Args:
        image: the file, or the folder of an OME-Zarr image.

    Returns:
        True if a side exceeds `LARGEST`.
    """
    header = read_header(image)
    return max(header.height, header.width) > LARGEST


def _labeled(record: RunRecord | None) -> dict[str, Split]:
    """Splits of the images of a run, by the hashes of their pixels and files."""
    files = record.data.files if record else []
    return {digest: file.split for file in files for digest in (file.image_pixels, file.image_sha256)}


def _score(
    model: Predictor, record: RunRecord | None, image: Path, labeled: dict[str, Split]
) -> CandidateScore:
    try:
        cut = is_cut(image)
        pixels = read_part(image)
        if labeled:
            digest = (sha256_file(image) if image.is_file() else "") if cut else sha256_pixels(pixels)
            if split := labeled.get(digest):
                return CandidateScore(labeled=split)
        with prediction_errors(image):
            labels, disagreement = measure_disagreement(model, pixels)
            labels = convert(labels, label_content(model), "instances")
            selected = select_channels(pixels, getattr(model, "select", "auto"), str(image))
        distance = None
        if record and (training := record.data.statistics):
            distance = training_distance(measure_image(selected, image, labels), training)
        instances = int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
        return CandidateScore(instances, disagreement, distance)
    except DataError as error:
        return CandidateScore(error=str(error).replace(PLANES_REMEDY, "save each plane to its own file"))
