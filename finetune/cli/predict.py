"""`finetune predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finetune.cli.console import print_line


def predict(
    model: Annotated[str, typer.Argument(help="A run folder, or the id of a model on the Hugging Face Hub.")],
    images: Annotated[Path, typer.Argument(help="An image, or a folder of images.")],
    out: Annotated[Path, typer.Option(help="Folder to write label images to.")] = Path("labels"),
) -> None:
    """Segment images with a trained model and write one label image (TIFF) per image."""
    from finetune.inference.folder import output_paths, predict_folder
    from finetune.loading import load

    output_paths(images, out)  # errors are reported before the model is loaded
    for result in predict_folder(load(model), images, out):
        print_line(f"{result.labels}: {result.instances} instances")
