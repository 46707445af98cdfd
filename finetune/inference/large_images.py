"""Which images are segmented part by part, and writing their label image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cards.errors import DataError
from finetune.data.calibration import read_calibration
from finetune.data.headers import Header
from finetune.data.windows import open_windows
from finetune.inference.cluster import Cluster
from finetune.inference.extras.registry import EXTRAS, SegmentedParts
from finetune.inference.identity import identify
from finetune.inference.journal import file_state
from finetune.inference.large_labels import write_large_tiff, write_large_zarr
from finetune.inference.map_models import label_content
from finetune.inference.outputs import OTHER_FOLDER, Outputs
from finetune.inference.protocol import Predictor
from finetune.inference.scratch_job import open_job
from finetune.inference.stream import LARGE, Stream, StreamOptions
from finetune.inference.streaming import Progress, segment_stream
from finetune.inference.views import can_tile, networks_of
from finetune.inference.write import move_new
from finetune.utils.atomic import disk_errors


def is_large(
    model: Predictor, image: Path, header: Header | None, outputs: Outputs, least: int = LARGE
) -> bool:
    """Whether an image is segmented part by part.

    Args:
        model: the model.
        image: the image.
        header: of the image.
        outputs: what is written.
        least: pixels of a large image.

    Returns:
        True for an image with more pixels, if the model's maps can be tiled and all optional outputs can be
        written part by part.
    """
    return (
        can_tile(model)
        and header is not None
        and header.height * header.width > least
        and not outputs.planes
        and all(EXTRAS[kind].in_parts for kind in outputs.extras.get(image, ()))
    )


def segment_large(
    model: Predictor,
    image: Path,
    path: Path,
    *,
    replace: bool = False,
    options: StreamOptions | None = None,
    progress: Progress | None = None,
    cluster: Cluster | None = None,
    write_more: Callable[[SegmentedParts], None] | None = None,
    finish: Callable[[int], None] | None = None,
) -> int:
    """Segment an image of any size and write its label image.

    Finished parts are kept in a hidden folder beside the label image until that is written: if the process is
    killed, the same call continues, and the label image is the same to the byte.

    Args:
        model: a model for which `finetune.inference.views.can_tile` is true.
        image: the image. OME-Zarr and most TIFF files are not read as a whole.
        path: of the label image: a tiled OME-TIFF, or an OME-Zarr folder if the name ends in `.zarr`.
        replace: replace an earlier label image of finetune, once the new one is complete.
        options: sizes of tiles and blocks.
        progress: called after each part.
        cluster: a Dask cluster that predicts and decodes; this process if None.
        write_more: writes optional outputs, before the label image gets its name.
        finish: called with the number of instances once the label image is written, before the finished parts
            are deleted.

    Returns:
        Number of instances.

    Raises:
        DataError: if the image cannot be read or does not fit the model, another process writes the label
            image, or a file was created meanwhile that may not be replaced.
        InputError: if the disk is full or cannot be written; finished parts are kept.
    """
    options = options or StreamOptions()
    with disk_errors(path, OTHER_FOLDER):
        key = job_key(model, image, options)
        with open_job(path, key) as job, open_windows(image) as windows:
            try:
                stream = Stream(model, windows, job, options)
                if cluster:
                    bands = cluster.segment(stream, image, options, progress)
                else:
                    bands = segment_stream(stream, progress)
            except DataError as error:
                if str(image) in str(error):
                    raise
                raise DataError(f"{image}: {error}") from error
            instances = bands.enclosed_regions() if label_content(model) == "boundary" else bands
            calibration = read_calibration(image)._replace(axes="", planes=())
            if write_more:
                write_more(SegmentedParts(image.name, calibration, windows, instances))
            work = job.new(path.name)
            if path.suffix == ".zarr":
                write_large_zarr(bands, windows, work, image.name, calibration)
            else:
                write_large_tiff(bands, work, image.name, calibration)
            move_new(work, path, replace)
            if finish:
                finish(instances.instances)
            job.remove()
            return instances.instances


def job_key(model: Predictor, image: Path, options: StreamOptions) -> dict[str, Any]:
    """Everything on which the parts of a prediction depend.

    Args:
        model: the model.
        image: the file, or the folder of an OME-Zarr image.
        options: sizes of tiles and blocks.

    Returns:
        JSON values: image (hash of names, sizes and times of its files), weights, configuration, sizes and
        version.
    """
    files = sorted(path for path in image.rglob("*") if path.is_file()) if image.is_dir() else [image]
    states = [[path.relative_to(image.parent).as_posix(), file_state(path)] for path in files]
    sizes = {name: size for name, size in asdict(options).items() if name != "large"}
    return {
        "image": [image.name, hashlib.sha256(json.dumps(states).encode()).hexdigest()],
        "model": identify(model),
        "halo": [network.halo for network in networks_of(model, options.tile)],
        "options": sizes,
        "finetune": version("finetune"),
    }
