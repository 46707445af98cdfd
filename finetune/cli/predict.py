"""`finetune predict`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.errors import InputError
from cards.formatting import counted
from cards.paths import expand_user
from finetune.cli.arguments import Offline
from finetune.cli.console import print_note, printable
from finetune.cli.progress import image_progress

if TYPE_CHECKING:
    from finetune.inference.cluster import Cluster
    from finetune.inference.folder import FolderPrediction
    from finetune.inference.outputs import Outputs
    from finetune.inference.protocol import Predictor
    from finetune.pipeline.prediction_job import PredictionJob


def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="A run folder, a BioImage.IO package, the id of a model on the Hugging Face Hub, or a "
            "published model as repository:name, such as cellpose:cyto3."
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            help='Images, folders of images, or patterns such as "images/*.tif": TIFF, PNG, JPEG, CZI, ND2, '
            "LIF or OME-Zarr.",
            metavar="INPUT...",
        ),
    ],
    ensemble: Annotated[
        list[str],
        typer.Option(
            "--ensemble",
            help="Another model with the same target, whose maps are averaged with those of MODEL. "
            "Repeatable.",
            metavar="MODEL",
        ),
    ] = [],  # noqa: B006  typer copies it
    trust: Annotated[
        bool, typer.Option("--trust", help="Allow TorchScript that could read or write files.")
    ] = False,
    target: Annotated[
        str | None,
        typer.Option(help="Target that decodes the maps of a package that finetune did not write."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write label images to.")] = Path("labels"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that finetune wrote, and no others.")
    ] = False,
    label_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Format of the label images: tiff (OME-TIFF), or ome-zarr (the image with its labels).",
        ),
    ] = "tiff",
    save: Annotated[
        str,
        typer.Option(
            help="Additional outputs, separated by commas: measurements (one table of all instances), "
            "overlays (the image with outlined instances), outlines, probabilities (the maps of the model), "
            "geojson (objects for QuPath), rois (regions for ImageJ), instances (label images of the regions "
            "that a predicted boundary encloses).",
        ),
    ] = "",
    planes: Annotated[
        bool,
        typer.Option("--planes", help="Segment each plane of a z-stack or time series by itself."),
    ] = False,
    channels: Annotated[
        str,
        typer.Option(
            metavar="N[,N...]",
            help="Channels of the images that the model sees, counted from 0; those of the training by "
            "default.",
        ),
    ] = "",
    symmetries: Annotated[
        bool,
        typer.Option(
            "--symmetries",
            help="Average the prediction over 8 rotations and reflections; takes 8 times as long.",
        ),
    ] = False,
    precision: Annotated[
        str,
        typer.Option(
            help="Precision of the network: auto (bf16 if the run verified it and this processor is fast in "
            "it, otherwise float32), float32 or bf16.",
        ),
    ] = "auto",
    dask: Annotated[
        str,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Segment images larger than 1024 × 1024 pixels on a Dask cluster: address of its scheduler, "
            "or local:N for N processes on this machine.",
        ),
    ] = "",
    tile_mismatch: Annotated[
        bool,
        typer.Option(
            "--tile-mismatch",
            help="Measure how many labels of an image larger than 1024 × 1024 pixels depend on the tiles, "
            "and state it in prediction.json. Predicts the image twice more, in tiles and in one piece.",
        ),
    ] = False,
    offline: Offline = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per image instead of text.")
    ] = False,
) -> None:
    """Segment images with a trained or published model.

    Writes one label image per image, and with --save tables and pictures of the instances. Prints one line
    per image: the path of the label image, a tab, and the number of instances. An image that cannot be
    segmented is reported; the others are segmented, and the exit code is 1.
    """
    from finetune.utils.startup import uncollected

    with uncollected():
        from finetune.inference.extras.registry import parse_kinds
        from finetune.inference.folder import check_headers, failure_summary
        from finetune.inference.outputs import parse_format, plan_outputs
        from finetune.loading.precision import parse_precision

        asked, chosen = parse_precision(precision), _parse_channels(channels)
        # Paths and headers are checked before the model is loaded.
        outputs = plan_outputs(
            images,
            expand_user(out),
            overwrite=overwrite,
            label_format=parse_format(label_format),
            save=parse_kinds(save),
            planes=planes,
            card=bool(ensemble),
        )
        headers, errors = check_headers(outputs)
        for note in outputs.notes:
            print_note(note)

        from finetune.inference.image_mismatch import check_can_measure, tiles_note
        from finetune.inference.memory_notes import memory_notes
        from finetune.pipeline.prediction_job import PredictionJob
        from finetune.pipeline.prediction_models import load_models

        predictor, members = load_models(
            [model, *ensemble],
            trust=trust,
            target=target,
            symmetries=symmetries,
            precision=asked,
            channels=chosen,
        )
        for note in memory_notes(predictor, outputs, headers):
            print_note(note)
        if tile_mismatch:
            check_can_measure(predictor)
        elif tiles := tiles_note(predictor, headers.values()):
            print_note(tiles)
    results: list[FolderPrediction] = []
    job = PredictionJob(
        predictor,
        members,
        outputs,
        headers,
        errors,
        symmetries,
        tile_mismatch=tile_mismatch,
        channels=chosen,
    )
    _warn(job.comparison.warnings)
    before = len(job.comparison.warnings)
    with (
        image_progress(len(outputs.paths)) as (advance, watch),
        _cluster(dask, model, predictor, trust, target, chosen) as cluster,
        _interruption(results, outputs),
    ):
        for result in job.run(watch, cluster):
            results.append(result)
            if result.error:
                print_note(result.error, "finetune")
            if as_json or not result.error:
                print(_json(result, job) if as_json else _line(result), flush=True)
            if measured := job.mismatches.get(result.image.name):
                print_note(f"{result.image}: {measured.sentence()}")
            advance()
    _warn(job.comparison.warnings[before:])
    if summary := failure_summary(results):
        print_note(summary, "finetune")
        raise typer.Exit(1)


def _parse_channels(text: str) -> list[int]:
    try:
        channels = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        channels = [-1]
    if min(channels, default=0) < 0:
        raise InputError(f"--channels: '{text}' is not a list of channels, such as 1 or 0,2")
    return channels


@contextmanager
def _interruption(results: Sequence[FolderPrediction], outputs: Outputs) -> Iterator[None]:
    """Say what was finished if the command is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        finished = sum(result.labels is not None for result in results)
        images = counted(len(outputs.paths), "image")
        print_note(f"stopped after {finished} of {images}; the same command continues", "finetune")
        raise


def _cluster(
    address: str,
    source: str,
    model: Predictor,
    trust: bool,
    target: str | None,
    channels: Sequence[int],
) -> AbstractContextManager[Cluster | None]:
    """The Dask cluster at an address; None if there is no address."""
    if not address:
        return nullcontext()
    from cards.errors import ModelError
    from finetune.inference.cluster import open_cluster
    from finetune.inference.model import Model
    from finetune.pipeline.prediction_models import load_with_channels

    if not isinstance(model, Model):
        raise ModelError("--dask: takes a single model with maps, without --ensemble and --symmetries")
    path = expand_user(source)
    where = str(path.resolve()) if path.exists() else source
    # Workers use the precision of this process, whatever their processors are fast in.
    options = {"trust": trust, "target": target, "precision": model.precision}
    return open_cluster(address, partial(load_with_channels, where, channels, **options))


def _line(result: FolderPrediction) -> str:
    return f"{printable(str(result.labels))}\t{counted(result.instances or 0, 'instance')}"


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        print_note(warning, "warning")


def _json(result: FolderPrediction, job: PredictionJob) -> str:
    return json.dumps(
        {
            "image": str(result.image),
            "labels": str(result.labels) if result.labels else None,
            "instances": result.instances,
            "seconds": round(result.seconds, 4) if result.seconds is not None else None,
            "files": {kind: str(path) for kind, path in (result.files | job.common_files).items()},
            **job.mismatch_entry(result),
            "warnings": job.comparison.warnings,
            "error": result.error,
        }
    )
