"""Options of models of transformers, and configurations that are known without a download."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from cards.errors import ModelError
from finetune.repositories.options import complete as complete_options
from finetune.utils.options import Options

# Models that can be built without asking anyone: their `config.json`, where it is not transformers' default.
CONFIGS: dict[str, dict[str, Any]] = {
    "nvidia/mit-b0": {"model_type": "segformer"},
    "nvidia/segformer-b0-finetuned-ade-512-512": {"model_type": "segformer"},
    # By transformers' default its random weights are as good as 0 (1e-10), from which nothing is learned.
    "facebook/sam-vit-base": {"model_type": "sam", "vision_config": {"initializer_range": 0.02}},
    # Sizes of ViT-L and ViT-H: github.com/facebookresearch/segment-anything, build_sam_vit_l and _h.
    "facebook/sam-vit-large": {
        "model_type": "sam",
        "vision_config": {
            "initializer_range": 0.02,
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "global_attn_indexes": [5, 11, 17, 23],
        },
    },
    "facebook/sam-vit-huge": {
        "model_type": "sam",
        "vision_config": {
            "initializer_range": 0.02,
            "hidden_size": 1280,
            "num_hidden_layers": 32,
            "num_attention_heads": 16,
            "global_attn_indexes": [7, 15, 23, 31],
        },
    },
    "facebook/sam2.1-hiera-tiny": {"model_type": "sam2"},
    "facebook/mask2former-swin-tiny-coco-instance": {
        "model_type": "mask2former",
        "backbone_config": {
            "model_type": "swin",
            "depths": [2, 2, 6, 2],
            "embed_dim": 96,
            "num_heads": [3, 6, 12, 24],
            "window_size": 7,
            "drop_path_rate": 0.3,
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        },
    },
}

Positive = Annotated[float, Field(gt=0)]


class ImageOptions(Options):
    """Options of a model of transformers."""

    config: dict[str, Any] | None = Field(None, description="config.json of the model, for random weights")
    mean: list[float] = Field(
        [0.485, 0.456, 0.406],
        min_length=3,
        max_length=3,
        description="mean of the images that the weights were trained on, per channel, in 0 to 1",
    )
    std: list[Positive] = Field(
        [0.229, 0.224, 0.225],
        min_length=3,
        max_length=3,
        description="standard deviation of the images that the weights were trained on, per channel",
    )


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model.

    Args:
        name: id on the Hub; all models have the same options.

    Returns:
        A pydantic model.
    """
    return ImageOptions


def complete(
    name: str, in_channels: int, options: dict[str, Any], model: type[ImageOptions]
) -> dict[str, Any]:
    """Validate the options of a model and add defaults.

    Args:
        name: of the model.
        in_channels: channels of the images.
        options: values by option name.
        model: pydantic model of the options.

    Returns:
        All options.

    Raises:
        InputError: if an option is unknown or invalid, no configuration is known, or there are more than
            three channels.
    """
    options = complete_options(name, options, model)
    if options["config"] is None:
        if name not in CONFIGS:
            raise ModelError(
                f"{name}: random weights require a configuration, and none is built in for this model: set "
                f"model.options.config to its config.json, or use one of {', '.join(CONFIGS)}"
            )
        options["config"] = CONFIGS[name]
    if in_channels > 3:
        raise ModelError(
            f"model {name} accepts at most 3 channels, but the images have {in_channels}; "
            "select them with data.channels, such as [0, 1, 2]"
        )
    return options
