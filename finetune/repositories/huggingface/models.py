"""Models of Hugging Face that are known without a download."""

from __future__ import annotations

from finetune.repositories.base import ANY, PIXEL_TARGETS, ModelInfo


def _info(
    name: str,
    title: str,
    license: str | None,
    parameters: int | None,
    rate: float,
    task: str = "segmentation",
    targets: tuple[str, ...] = PIXEL_TARGETS,
    terms: str | None = None,
) -> ModelInfo:
    return ModelInfo(
        name=name,
        title=title,
        task=task,
        license=license,
        learning_rate=rate,
        learning_rates=(1e-7, 1e-2),
        parameters=parameters,
        terms=terms,
        targets=targets,
        objects=() if name == ANY else ("photographs",),
    )


ANY_MODEL = _info(
    ANY,
    "any model for semantic segmentation, Mask2Former, SAM or SAM 2, by its id or model.checkpoint",
    None,
    None,
    1e-4,
)
PROMPTABLE = (*PIXEL_TARGETS, "prompts")
NVIDIA = (
    "NVIDIA Source Code License for SegFormer: for non-commercial use only "
    "(https://github.com/NVlabs/SegFormer/blob/master/LICENSE, section 3.3)."
)

# Parameters are those of the model as transformers has it. Licenses: of SAM and SAM 2, https://github.com/
# facebookresearch/segment-anything and …/sam2 (README); NVIDIA's has no SPDX id. That of Mask2Former's
# weights is not known here: what the model card on the Hub says goes into the record.
MIT_B0 = "nvidia/mit-b0"
SEGFORMER_B0 = "nvidia/segformer-b0-finetuned-ade-512-512"
MASK2FORMER_TINY = "facebook/mask2former-swin-tiny-coco-instance"
MASKS = "mask generation"
NAMED = [
    _info(MIT_B0, "SegFormer B0, encoder only", None, 3_752_694, 6e-4, terms=NVIDIA),
    _info(SEGFORMER_B0, "SegFormer B0, for scenes", None, 3_752_694, 6e-4, terms=NVIDIA),
    _info(MASK2FORMER_TINY, "Mask2Former, Swin tiny", None, 47_423_179, 1e-4, targets=("queries",)),
    *(
        _info(f"facebook/{name}", title, "Apache-2.0", parameters, 1e-4, MASKS, PROMPTABLE)
        for name, title, parameters in (
            ("sam-vit-base", "Segment Anything, ViT-B", 93_735_728),
            ("sam-vit-large", "Segment Anything, ViT-L", 312_343_088),
            ("sam-vit-huge", "Segment Anything, ViT-H", 641_090_864),
            ("sam2.1-hiera-tiny", "SAM 2.1, Hiera tiny", 31_440_721),
        )
    ),
]


def models() -> list[ModelInfo]:
    """List models that can be built without a download, and an entry for all others on the Hub.

    Returns:
        Descriptions of the models.
    """
    return [*NAMED, ANY_MODEL]
