"""Models of SAM2, with license and citation."""

from __future__ import annotations

from finetune.repositories.base import PIXEL_TARGETS, ModelInfo

LICENSE = "Apache-2.0"


SAM2 = "Ravi et al. 2024, SAM 2: Segment Anything in Images and Videos, https://arxiv.org/abs/2408.00714"


LEARNING_RATE = 1e-4  # more than the 5e-6 of sam2's own fine-tuning: the light decoder begins at random


def _info(name: str, title: str, parameters: int) -> ModelInfo:
    return ModelInfo(
        name=name,
        title=title,
        task="segmentation, mask generation",
        license=LICENSE,
        learning_rate=LEARNING_RATE,
        learning_rates=(1e-6, 5e-3),
        parameters=parameters,
        targets=(*PIXEL_TARGETS, "prompts"),
        objects=("photographs",),
    )


SIZES = {
    "tiny": ("the smallest encoder", 27_219_136),
    "small": ("a small encoder", 34_316_992),
    "base-plus": ("a large encoder", 69_106_816),
    "large": ("the largest encoder", 212_703_280),
}
# Parameters are those of the image encoder, in both versions. The decoder's are few, and follow its width;
# those of the rest of SAM 2, 11.7 million, are kept and not run.
MODELS = {
    f"{version}-hiera-{size}": _info(
        f"{version}-hiera-{size}", f"{title}, {encoder}, automatic in one pass", parameters
    )
    for version, title in (("sam2.1", "SAM 2.1"), ("sam2", "SAM 2.0"))
    for size, (encoder, parameters) in SIZES.items()
}
