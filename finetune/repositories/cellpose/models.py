"""Models of Cellpose, with their licenses and citations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune.repositories.base import ModelInfo
from finetune.repositories.cellpose.options import CPnetOptions, NucleiOptions
from finetune.utils.options import NoOptions, Options

if TYPE_CHECKING:
    pass

LICENSE = "BSD-3-Clause"


TERMS = (
    "Its authors state that it learned from data under CC-BY-NC, and leave open whether its weights inherit "
    "those terms: ask before any commercial use (https://github.com/MouseLand/cellpose/issues/192)."
)


CELLPOSE = "Stringer et al. 2021, Nature Methods 18, 100, https://doi.org/10.1038/s41592-020-01018-x"


CELLPOSE_2 = "Pachitariu & Stringer 2022, Nature Methods 19, 1634, https://doi.org/10.1038/s41592-022-01663-4"
CELLPOSE_3 = "Stringer & Pachitariu 2025, Nature Methods 22, 592, https://doi.org/10.1038/s41592-025-02595-5"
CELLPOSE_SAM = "Pachitariu, Rariden & Stringer 2025, bioRxiv, https://doi.org/10.1101/2025.04.28.651001"


@dataclass(frozen=True)
class _Model:
    """A model with the properties that `ModelInfo` does not have."""

    info: ModelInfo
    kind: str  # of network: "cpnet" or "sam"
    citation: tuple[str, ...]
    options: type[Options]  # diam_mean: https://cellpose.readthedocs.io/en/v3.1.1.1/models.html


def _classic(
    name: str, title: str, citation: tuple[str, ...], options: type[Options] = CPnetOptions
) -> _Model:
    info = ModelInfo(
        name=name,
        title=title,
        task="segmentation",
        license=LICENSE,
        learning_rate=5e-3,  # cellpose 3.1.1.3, train.train_seg with AdamW
        learning_rates=(1e-6, 2e-2),
        parameters=6_600_843,
    )
    return _Model(info, "cpnet", citation, options)


_SAM_INFO = ModelInfo(
    name="cpsam",
    title="Cellpose-SAM: cells and nuclei of any size, a ViT-L at 8 pixels a token",
    task="segmentation",
    license=LICENSE,
    learning_rate=1e-5,  # cellpose 4.2.1, train.train_seg with AdamW
    learning_rates=(1e-7, 1e-3),
    parameters=304_628_930,
)


MODELS = {
    "cyto3": _classic("cyto3", "Cells and nuclei of many kinds of images", (CELLPOSE, CELLPOSE_3)),
    "cyto2": _classic("cyto2", "Cells, learned from users' images, too", (CELLPOSE, CELLPOSE_2)),
    "nuclei": _classic("nuclei", "Nuclei", (CELLPOSE,), NucleiOptions),
    "cpsam": _Model(_SAM_INFO, "sam", (CELLPOSE_SAM,), NoOptions),
}
