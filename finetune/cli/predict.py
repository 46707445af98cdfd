"""`finetune predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cards.errors import InputError
from finetune.cli.console import print_line


def predict(
    model: Annotated[str, typer.Argument(help="A run folder, or the id of a model on the Hugging Face Hub.")],
    images: Annotated[Path, typer.Argument(help="An image, or a folder of images.")],
    out: Annotated[Path, typer.Option(help="Folder to write label images to.")] = Path("labels"),
) -> None:
    """Segment images with a trained model and write one label image (TIFF) per image."""
    import tifffile

    from finetune.data.images import is_image, read_image
    from finetune.inference.model import load

    paths = [images] if images.is_file() else sorted(filter(is_image, images.glob("*")))
    if not paths:
        raise InputError(f"{images}: no images here")
    predictor = load(model)
    out.mkdir(parents=True, exist_ok=True)
    for path in paths:
        labels = predictor.predict(read_image(path))
        target = out / f"{path.stem}.tif"
        dtype = "uint16" if labels.max() < 2**16 else "int32"
        tifffile.imwrite(target, labels.astype(dtype), compression="zlib")
        print_line(f"{target}: {labels.max()} instances")
