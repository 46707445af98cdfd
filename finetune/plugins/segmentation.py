"""Execution of the inference plugins: images in, label images out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import DataError, InputError, ModelError
from cards.formatting import counted
from finetune.plugins.collection import check_alike, select
from finetune.plugins.definition import Job
from finetune.repositories.missing_weights import advise

if TYPE_CHECKING:
    from finetune.inference.protocol import Predictor

OUTPUT = "outputDir"
UNET = "unet"  # the one model of the StarDist/U-Net plugin that has no published weights
WEIGHTS = (".pt", ".pth", ".safetensors")


def segment(job: Job, repository: str) -> None:
    """Segment the images of a collection.

    Args:
        job: the execution of an inference plugin.
        repository: of the published models.

    Raises:
        InputError: if the images or the model cannot be used.
    """
    from finetune.inference.preprocess import check_channels
    from finetune.inference.segment import segment_file
    from finetune.plugins.ome_tiff import label_file, write_labels

    values = job.values
    images = select(values["imageDir"], values["filePattern"], "imageDir")
    check_alike(images, "imageDir")
    predictor = load_model(values, repository)
    if getattr(predictor, "select", "auto") == "auto":  # otherwise the model selects channels
        from finetune.data.headers import read_header

        try:
            check_channels(read_header(images[0]).channels, predictor.channels)
        except DataError as error:
            raise DataError(f"--imageDir: {images[0].name}: {error}") from error
    out = job.outputs[OUTPUT]
    out.mkdir()
    for index, image in enumerate(images, start=1):
        start = time.perf_counter()
        result = segment_file(predictor, image)
        write_labels(result, out / label_file(image), image)
        seconds = time.perf_counter() - start
        objects = counted(int(result.labels.max(initial=0)), "object")
        job.log(f"image {index} of {len(images)}: {image.name}: {objects} ({seconds:.1f} s)")


def load_model(values: Mapping[str, Any], repository: str) -> Predictor:
    """Load the model of an inference plugin.

    Args:
        values: of the inputs.
        repository: of the published models.

    Returns:
        The model, on a GPU if there is one.

    Raises:
        ModelError: if there is no such model, or its weights cannot be downloaded.
    """
    import torch

    from finetune.loading import load
    from finetune.loading.published import PublishedName, load_published

    folder, name = values["modelDir"], values["model"]
    trust, target = values.get("trust") or False, values.get("target")
    if folder is not None and is_run(folder):
        predictor = load(folder, trust=trust)
    elif folder is not None and repository == "bioimageio":
        predictor = load(weights_in(folder, repository), trust=trust, target=target)
    elif folder is None and name in (None, UNET):
        raise InputError(
            "--modelDir: missing; name a model folder" + ("" if name else ", or a model with --model")
        )
    elif repository == "stardist" and name == UNET:
        raise ModelError(f"--modelDir: {folder}: holds no model that finetune trained")
    else:
        weights = weights_in(folder, repository) if folder else None
        named = PublishedName(repository, name or str(weights))
        size = values.get("imageSize")
        with advise("name a folder that holds the weights with --modelDir", where="--model: "):
            predictor = load_published(named, checkpoint=weights, trust=trust, target=target, image_size=size)
    if symmetric := values["symmetries"]:
        from finetune.inference.symmetries import SymmetricModel

    network = getattr(predictor, "network", None)
    if torch.cuda.is_available() and network is not None:
        network.to("cuda")
    return SymmetricModel(predictor) if symmetric else predictor


def is_run(folder: Path) -> bool:
    """Whether a model folder holds a model that finetune trained.

    Args:
        folder: the model folder.

    Returns:
        True for a run folder, or the huggingface folder of a run.
    """
    return (folder / "huggingface" / "config.json").is_file() or (folder / "record.json").is_file()


def weights_in(folder: Path, repository: str) -> Path:
    """Weights in a model folder that finetune did not write.

    Args:
        folder: the model folder.
        repository: which decides what it holds: files, or a folder as the package of the repository saves it.

    Returns:
        The weights.

    Raises:
        ModelError: if there are none, or several.
    """
    if not folder.is_dir():
        raise ModelError(f"--modelDir: {folder}: no such folder")
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    if repository == "bioimageio" and not any(
        path.name.endswith(("rdf.yaml", "bioimageio.yaml")) for path in files
    ):
        files = [path for path in files if path.suffix == ".zip"]
    elif repository in ("cellpose", "sam2"):  # Cellpose's files have no ending
        files = [path for path in files if path.suffix in WEIGHTS] or files
    else:
        return folder
    if len(files) != 1:
        found = (
            "holds no weights"
            if not files
            else f"holds {len(files)} files that could be the weights; keep one"
        )
        raise ModelError(f"--modelDir: {folder}: {found}")
    return files[0]
