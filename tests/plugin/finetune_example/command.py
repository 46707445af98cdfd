"""A command: `finetune count FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finetune.cli.console import print_line


def count(folder: Annotated[Path, typer.Argument(help="Folder with label images (TIFF).")]) -> None:
    """Count the instances in each label image of a folder."""
    from finetune.data.images import read_labels

    for path in sorted(folder.glob("*.tif")):
        labels = read_labels(path)
        print_line(f"{path.name}: {len(set(labels[labels > 0].tolist()))} instances")
