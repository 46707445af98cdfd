"""The plugin that compares label images with a reference."""

from __future__ import annotations

import csv
from dataclasses import replace

from cards.formatting import counted
from finetune.plugins.collection import check_partners, link, select
from finetune.plugins.definition import Input, Job, Output, Plugin
from finetune.plugins.inference import FILE_PATTERN, IMAGES, OPTIONS
from finetune.plugins.sources import Commands, from_command

NAME = "dice-segmentationaccuracy"
OUTPUT = "scores"
FILE = "scores.csv"


def dice_plugin(commands: Commands) -> Plugin:
    """Define the plugin.

    Args:
        commands: commands of finetune by name.

    Returns:
        The plugin.
    """
    evaluate = commands["evaluate"]
    return Plugin(
        name=NAME,
        title="Dice and other accuracies of a segmentation",
        description="Compares label images with reference label images: Dice, AP, PQ and boundary distance "
        "of each image.",
        inputs=(
            Input(
                "predictionDir",
                "collection",
                "Segmented images",
                "Label images that a model predicted.",
                IMAGES,
                required=True,
            ),
            Input(
                "referenceDir",
                "collection",
                "Reference",
                "Reference label images (ground truth) with the same names.",
                IMAGES,
                required=True,
            ),
            FILE_PATTERN,
            from_command(
                evaluate, "labels", name="labels", label="Content of the label images", section=OPTIONS
            ),
            replace(
                from_command(
                    evaluate, "pixel_size", name="pixelSize", label="Pixel size in µm", section=OPTIONS
                ),
                above=0,
            ),
        ),
        outputs=(Output(OUTPUT, "table", "Scores", "scores.csv: one row per image, one column per metric."),),
        run=compare,
        memory=2048,
        operations=("evaluation",),
    )


def compare(job: Job) -> None:
    """Compare two collections and write one row per image.

    Args:
        job: the execution of the plugin.

    Raises:
        DataError: if a label image has no partner, or two cannot be compared.
    """
    from cards.result_tables import spread
    from cards.scores import csv_text
    from finetune.evaluation.labels import evaluate

    values, names = job.values, ("predictionDir", "referenceDir")
    predictions, reference = (select(values[name], values["filePattern"], name) for name in names)
    check_partners(predictions, reference, names)
    size = values["pixelSize"]
    result = evaluate(
        link(predictions, job.scratch / names[0]),
        link(reference, job.scratch / names[1]),
        labels=values["labels"],
        pixel_size=1.0 if size is None else size,
    )
    out = job.outputs[OUTPUT]
    out.mkdir()
    with (out / FILE).open("x", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image", *next(iter(result.images.values()))])
        for image, metrics in result.images.items():
            rows.writerow([csv_text(image), *metrics.values()])
    dice = result.summary["dice"]
    job.log(f"Dice {spread(dice)} over {counted(len(result.images), 'image')}")
