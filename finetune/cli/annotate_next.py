"""`finetune annotate-next`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cards.paths import expand_user
from finetune.cli.arguments import Offline
from finetune.cli.console import print_note, printable
from finetune.cli.progress import image_progress


def annotate_next(
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run folder, or any other model that `finetune predict` takes; without a run record, the "
            "distance from the training images is not measured.",
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            help='Unlabeled images, folders of images, or patterns such as "images/*.tif".',
            metavar="IMAGES...",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the page and the table.")] = Path(
        "annotate-next"
    ),
    number: Annotated[int, typer.Option(min=1, max=500, help="How many images to suggest.")] = 20,
    trust: Annotated[
        bool, typer.Option("--trust", help="Allow TorchScript that could read or write files.")
    ] = False,
    offline: Offline = None,
) -> None:
    """Suggest which images to annotate next.

    The suggestions are the images from which the model would learn most. Prints one line per suggestion: its
    rank, the path of the image, disagreement and distance, separated by tabs. A page with the predicted
    outlines and a table of all images are written to DIR. An image that cannot be segmented is reported, the
    others are processed, and the exit code is 1.
    """
    from finetune.inference.inputs import find_images
    from finetune.pipeline.suggestions import PAGE, TABLE, Suggestions, check_new

    out = expand_user(out)
    paths, notes = find_images(images)
    check_new(out)
    for note in notes:
        print_note(note)

    from finetune.pipeline.prediction_models import load_models

    predictor, (member,) = load_models([model], trust=trust)
    suggestions = Suggestions(predictor, member.name, member.record, paths, out, number)
    failed = []
    with image_progress(len(paths), "scoring") as (advance, _):
        for row in suggestions.run():
            if row.score.error:
                failed.append(row.name)
                print_note(row.score.error, "finetune")
            advance()
    for row in suggestions.rows:
        if row.rank:
            distance = "not measured" if row.score.distance is None else f"{row.score.distance:.3f}"
            print(f"{row.rank}\t{printable(str(row.path))}\t{row.score.disagreement:.3f}\t{distance}")
    for note in suggestions.notes():
        print_note(note)
    print(f"page: {out / PAGE}\ntable: {out / TABLE}", file=sys.stderr)
    if failed:
        print_note(f"{len(failed)} of {len(paths)} images failed: {', '.join(failed)}", "finetune")
        raise typer.Exit(1)
