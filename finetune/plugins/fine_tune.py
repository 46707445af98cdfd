"""The plugin that fine-tunes a model on a collection of images with masks."""

from __future__ import annotations

import shutil

from finetune.adapters import ADAPTERS, Lora
from finetune.plugins.definition import Input, Job, Output, Plugin
from finetune.plugins.inference import FILE_PATTERN, IMAGES, MODEL
from finetune.plugins.sources import from_key
from finetune.plugins.training_data import link_data
from finetune.plugins.training_recipe import AUTO, build_recipe
from finetune.recipe.schema import DataSection, ModelSection, TrainingSection
from finetune.repositories.base import ANY
from finetune.repositories.catalog import list_models
from finetune.repositories.missing_weights import advise
from finetune.targets.registry import TARGETS

NAME = "fine-tune"
MODEL_OUTPUT, LOGS, SCORES = "outputDir", "tensorboardDir", "scores"
TRAINING = "Training"
OPERATIONS = ("segmentation", "supervised learning", "fine-tuning")
FRAMEWORK = {"framework": "PyTorch", "architecture": "see the model card"}
"""WIPP reads both from the options of the output `outputDir` (WIPP-backend, AiModelDataHandler.java)."""


def fine_tune_plugin() -> Plugin:
    """Define the plugin. Its parameters are keys of a recipe, which `finetune run` takes.

    Returns:
        The plugin.
    """
    return Plugin(
        name=NAME,
        title="Fine-tuning of a segmentation model",
        description="Trains a published segmentation model further on images with masks, measures its "
        "accuracy on test images before and after, and writes model cards.",
        inputs=(*_images(), *_model(), *_training()),
        outputs=(
            Output(
                MODEL_OUTPUT,
                "model",
                "Fine-tuned model",
                "The fine-tuned model with its model cards, its record and packages for other programs.",
                FRAMEWORK,
            ),
            Output(
                LOGS,
                "logs",
                "Training logs",
                "Accuracy and loss during training, for TensorBoard and for WIPP's model card.",
            ),
            Output(
                SCORES,
                "table",
                "Scores",
                "scores.csv: one row per test image, before and after training.",
            ),
        ),
        run=fine_tune,
        memory=8192,
        network=True,
        extras=("all",),
        operations=OPERATIONS,
    )


def _images() -> tuple[Input, ...]:
    return (
        Input(
            "imageDir", "collection", "Training images", "The images to learn from.", IMAGES, required=True
        ),
        Input(
            "maskDir",
            "collection",
            "Training masks",
            "Label images with the same names: 0 is background, each object has its own label.",
            IMAGES,
            required=True,
        ),
        Input(
            "testImageDir",
            "collection",
            "Test images",
            "Images to measure the accuracy on. Without them, a tenth of the training images is set aside.",
            IMAGES,
        ),
        Input("testMaskDir", "collection", "Test masks", "Label images of the test images.", IMAGES),
        FILE_PATTERN,
        from_key(
            DataSection,
            "labels",
            name="labels",
            label="Content of the masks",
            section=IMAGES,
            help="instances: each object has its own label. foreground or boundary: all pixels that are "
            "not 0.",
            default="instances",
        ),
    )


def _model() -> tuple[Input, ...]:
    names = tuple(
        f"{listed.repository}:{listed.info.name}"
        for listed in list_models(fine_tunable=True, stored=False)
        if listed.info.name != ANY
    )
    return (
        Input(
            "model",
            "choice",
            "Model to start from",
            "A published model. wipp:unet is trained from scratch and needs no download.",
            MODEL,
            default=names[0],
            choices=names,
        ),
        Input(
            "modelDir",
            "model",
            "Model to continue from",
            "A model that this plugin trained before. It replaces the published model and the target.",
            MODEL,
        ),
        Input(
            "target",
            "choice",
            "What the model predicts",
            "auto: what the model was made for. foreground_boundary, flows and rays separate touching "
            "objects; boundary is for cell borders.",
            MODEL,
            default=AUTO,
            choices=(AUTO, *TARGETS),
        ),
        from_key(
            ModelSection,
            "adapt",
            name="adapt",
            label="What is trained",
            section=MODEL,
            help="full: all weights. head: all except the encoder, for few images. lora: low-rank adapters, "
            "for large models.",
            choices=tuple(ADAPTERS),
        ),
        from_key(
            Lora,
            "rank",
            name="rank",
            label="LoRA rank",
            section=MODEL,
            help="Rank of the adapters; a larger rank trains more parameters.",
            condition=("adapt", "lora"),
        ),
    )


def _training() -> tuple[Input, ...]:
    return (
        from_key(
            TrainingSection,
            "epochs",
            name="epochs",
            label="Epochs",
            section=TRAINING,
            help="Number of passes over the training images.",
        ),
        from_key(
            TrainingSection,
            "learning_rate",
            name="learningRate",
            label="Learning rate",
            section=TRAINING,
            help="Step size of the optimizer. Leave it empty for the default of the model.",
        ),
        from_key(
            TrainingSection,
            "seed",
            name="seed",
            label="Random seed",
            section=TRAINING,
            help="The same seed gives the same result on the same machine.",
        ),
    )


def fine_tune(job: Job) -> None:
    """Fine-tune a model; write the run folder, logs and scores.

    Args:
        job: the execution of the plugin.

    Raises:
        InputError: if images, masks, model or parameters do not fit together.
    """
    from cards.formatting import counted
    from cards.result_tables import spread
    from finetune.pipeline.runner import run
    from finetune.plugins.metadata import about
    from finetune.plugins.progress import log_console
    from finetune.plugins.tensorboard_logs import write_logs
    from finetune.plugins.wipp_card import write_card

    root = link_data(job.values, job.values["filePattern"], job.scratch / "images")
    recipe = build_recipe(job.values, root)
    folder = job.outputs[MODEL_OUTPUT]
    with advise("choose wipp:unet, which needs none, or a model folder with --modelDir", where="--model: "):
        record = run(recipe, out=folder, console=log_console(job.log))
    assert record is not None
    write_logs(folder, record, job.outputs[LOGS])
    job.outputs[SCORES].mkdir()
    shutil.copyfile(folder / "scores.csv", job.outputs[SCORES] / "scores.csv")
    write_card(job.values, record, job.outputs[LOGS], author=about().author, operations=OPERATIONS)
    if record.accuracy:
        dice = record.accuracy.after.summary["dice"]
        job.log(f"Dice {spread(dice)} on {counted(record.accuracy.images, 'test image')}")
