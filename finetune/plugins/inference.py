"""Plugins that segment a collection of images with a published or a fine-tuned model."""

from __future__ import annotations

from dataclasses import replace

from cards.errors import ModelError
from finetune.plugins.definition import Input, Output, Plugin
from finetune.plugins.segmentation import OUTPUT, UNET, segment
from finetune.plugins.sources import Commands, from_command, from_key
from finetune.repositories.catalog import list_models
from finetune.repositories.registry import promptable, published

IMAGES, MODEL, OPTIONS = "Images", "Model", "Options"
PATTERN = ".*"
SAM = "facebook/sam-vit-base"

FILE_PATTERN = Input(
    "filePattern",
    "text",
    "File name pattern",
    "Only files whose whole name matches are used: a regular expression, in which {r:ddd} stands for three "
    "digits. .* uses all files.",
    IMAGES,
    default=PATTERN,
)


def inference_plugins(commands: Commands) -> list[Plugin]:
    """Define the inference plugins.

    Args:
        commands: commands of finetune by name.

    Returns:
        One plugin per repository.
    """
    predict = commands["predict"]
    trust = from_command(predict, "trust", name="trust", label="Trust the model's code", section=OPTIONS)
    target = from_command(
        predict,
        "target",
        name="target",
        label="Output of the model",
        section=OPTIONS,
        help="How the output of the model becomes objects. Leave it empty unless a message asks for it.",
    )
    return [
        _plugin(
            commands,
            "huggingface-maskgeneration",
            "Hugging Face mask generation",
            "Segments all objects in images with Segment Anything (SAM or SAM 2) from the Hugging Face Hub.",
            "huggingface",
            _free(
                "Id of the model on the Hugging Face Hub, such as facebook/sam-vit-base.",
                SAM,
            ),
            _image_size("huggingface", SAM),
            memory=8192,
        ),
        _plugin(
            commands,
            "bioimageio",
            "BioImage.IO",
            "Segments images with a model of the BioImage Model Zoo.",
            "bioimageio",
            _free(
                "Id, nickname or DOI of the model in the BioImage Model Zoo, such as affable-shark. "
                "Leave it empty to use a model folder.",
                None,
            ),
            target,
            trust,
            extras=("onnx",),
        ),
        _plugin(
            commands,
            "sam2",
            "SAM 2",
            "Segments all objects in images with Segment Anything 2 of Meta.",
            "sam2",
            _listed("sam2", "tiny is the smallest and fastest, large the largest."),
            _image_size("sam2", published_names("sam2")[0]),
            memory=8192,
        ),
        _plugin(
            commands,
            "cellpose",
            "Cellpose",
            "Segments cells or nuclei with a model of Cellpose.",
            "cellpose",
            _listed(
                "cellpose", "cyto models find whole cells, nuclei finds nuclei, cpsam finds both at any size."
            ),
        ),
        _plugin(
            commands,
            "stardist-unet",
            "StarDist and U-Net",
            "Segments nuclei with StarDist, or any objects with a U-Net that was trained before.",
            "stardist",
            _listed(
                "stardist",
                f"The models named 2D find nuclei. Choose {UNET} for a U-Net in a model folder.",
                UNET,
            ),
        ),
    ]


def _plugin(
    commands: Commands,
    name: str,
    title: str,
    description: str,
    repository: str,
    model: Input,
    *more: Input,
    memory: int = 4096,
    extras: tuple[str, ...] = (),
) -> Plugin:
    images = Input(
        "imageDir",
        "collection",
        "Images to segment",
        "Microscopy images, one file each. All have the same channels.",
        IMAGES,
        required=True,
    )
    folder = Input(
        "modelDir",
        "model",
        "Model folder",
        "A fine-tuned model, or weights that were downloaded before. It replaces the published model.",
        MODEL,
    )
    symmetries = from_command(
        commands["predict"],
        "symmetries",
        name="symmetries",
        label="Average over rotations",
        section=OPTIONS,
    )
    output = Output(
        OUTPUT, "collection", "Label images", "0 is background, each object has a number of its own."
    )
    return Plugin(
        name=f"inference-{name}",
        title=f"Segmentation with {title}",
        description=description,
        inputs=(images, FILE_PATTERN, model, folder, *more, symmetries),
        outputs=(output,),
        run=lambda job: segment(job, repository),
        memory=memory,
        network=True,
        extras=(*(extras or (repository,)), "formats"),
        operations=("segmentation",),
    )


def _free(help: str, default: str | None) -> Input:
    return Input("model", "text", "Model", help, MODEL, default=default)


def _listed(repository: str, help: str, *more: str) -> Input:
    names = (*published_names(repository), *more)
    return Input("model", "choice", "Model", help, MODEL, default=names[0], choices=names)


def _image_size(repository: str, name: str) -> Input:
    """The size at which a mask generator was trained, from the repository's own options."""
    model = promptable(repository).options_model(name)
    assert model is not None
    one = from_key(
        model,
        "image_size",
        name="imageSize",
        label="Size of the image for the model",
        section=MODEL,
        help="Images are resized to a square with a side of this many pixels. Smaller is faster, and small "
        "objects are lost. It does not apply to a model that finetune trained.",
    )
    return replace(one, default=published(repository, name).options["image_size"])


def published_names(repository: str) -> tuple[str, ...]:
    """Models of a repository that segment without fine-tuning.

    Args:
        repository: a key of `REPOSITORIES`.

    Returns:
        Their names.
    """
    names = []
    for listed in list_models(repository, stored=False):
        try:
            published(repository, listed.info.name)
        except ModelError:  # no published weights
            continue
        names.append(listed.info.name)
    return tuple(names)
