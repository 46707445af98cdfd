"""Models of SAM2, with license and citation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune.repositories.base import ModelInfo

if TYPE_CHECKING:
    pass


LICENSE = "Apache-2.0"


SAM2 = "Ravi et al. 2024, SAM 2: Segment Anything in Images and Videos, https://arxiv.org/abs/2408.00714"


LEARNING_RATE = 1e-4  # more than the 5e-6 of sam2's own fine-tuning: the light decoder begins at random


def _info(name: str, title: str, parameters: int) -> ModelInfo:
    return ModelInfo(
        name=name,
        title=title,
        task="segmentation",
        license=LICENSE,
        learning_rate=LEARNING_RATE,
        learning_rates=(1e-6, 5e-3),
        parameters=parameters,
    )


# Parameters are those of the image encoder. The decoder's are few, and follow its width; those of the rest of
# SAM2, 11.7 million, are kept and not run.
MODELS = {
    info.name: info
    for info in (
        _info("sam2.1-hiera-tiny", "SAM 2.1, the smallest encoder, automatic in one pass", 27_219_136),
        _info("sam2.1-hiera-small", "SAM 2.1, a small encoder, automatic in one pass", 34_316_992),
        _info("sam2.1-hiera-base-plus", "SAM 2.1, a large encoder, automatic in one pass", 69_106_816),
        _info("sam2.1-hiera-large", "SAM 2.1, the largest encoder, automatic in one pass", 212_703_280),
    )
}
