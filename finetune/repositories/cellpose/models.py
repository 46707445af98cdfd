"""Models of Cellpose, with their licenses and citations."""

from __future__ import annotations

from dataclasses import dataclass

from finetune.repositories.base import PIXEL_TARGETS, ModelInfo
from finetune.repositories.cellpose.options import CPnetOptions, NucleiOptions
from finetune.utils.options import NoOptions, Options

LICENSE = "BSD-3-Clause"


TERMS = (
    "Its authors state that it learned from data under CC-BY-NC, and leave open whether its weights inherit "
    "those terms: ask before any commercial use (https://github.com/MouseLand/cellpose/issues/192)."
)


CELLPOSE = "Stringer et al. 2021, Nature Methods 18, 100, https://doi.org/10.1038/s41592-020-01018-x"


CELLPOSE_2 = "Pachitariu & Stringer 2022, Nature Methods 19, 1634, https://doi.org/10.1038/s41592-022-01663-4"
CELLPOSE_3 = "Stringer & Pachitariu 2025, Nature Methods 22, 592, https://doi.org/10.1038/s41592-025-02595-5"
CELLPOSE_SAM = "Pachitariu, Rariden & Stringer 2025, bioRxiv, https://doi.org/10.1101/2025.04.28.651001"


TISSUENET = "Greenwald et al. 2022, Nature Biotechnology 40, 555, https://doi.org/10.1038/s41587-021-01094-0"
LIVECELL = "Edlund et al. 2021, Nature Methods 18, 1038, https://doi.org/10.1038/s41592-021-01249-6"
TRANSFORMER = "finetune has no network for its SegFormer backbone, which only cellpose 3 has"


@dataclass(frozen=True)
class _Model:
    """A model with the properties that `ModelInfo` does not have."""

    info: ModelInfo
    kind: str  # of network: "cpnet" or "sam"
    citation: tuple[str, ...]
    options: type[Options]  # diam_mean: https://cellpose.readthedocs.io/en/v3.1.1.1/models.html
    file: str  # on the server; cellpose.models.model_path in cellpose 3.1.1.3


def _classic(
    name: str,
    title: str,
    citation: tuple[str, ...],
    *objects: str,
    options: type[Options] = CPnetOptions,
    file: str | None = None,
    why_not: str | None = None,
) -> tuple[str, _Model]:
    info = ModelInfo(
        name=name,
        title=title,
        task="instance segmentation",
        license=LICENSE,
        learning_rate=5e-3,  # cellpose 3.1.1.3, train.train_seg with AdamW
        learning_rates=(1e-6, 2e-2),
        fine_tunable=why_not is None,
        why_not=why_not,
        parameters=None if why_not else 6_600_843,
        terms=TERMS,
        objects=objects,
        targets=() if why_not else PIXEL_TARGETS,
    )
    return name, _Model(info, "cpnet", citation, options, file or name)


def _cp3(name: str, title: str, *objects: str) -> tuple[str, _Model]:
    return _classic(f"{name}_cp3", f"Cellpose 3, {title}", (CELLPOSE, CELLPOSE_3), *objects)


def _subset(name: str, data: str, citation: str) -> tuple[str, _Model]:
    title = f"Cellpose 2, a subset of similar images of {data}"
    return _classic(name, title, (CELLPOSE, CELLPOSE_2, citation), "cells")


_SAM_INFO = ModelInfo(
    name="cpsam",
    title="Cellpose-SAM: cells and nuclei of any size, a ViT-L at 8 pixels a token",
    task="instance segmentation",
    license=LICENSE,
    learning_rate=1e-5,  # cellpose 4.2.1, train.train_seg with AdamW
    learning_rates=(1e-7, 1e-3),
    parameters=304_628_930,
    terms=TERMS,
    objects=("cells", "nuclei"),
)

# All names in cellpose.models.MODEL_NAMES of cellpose 3.1.1.3, and Cellpose-SAM of cellpose 4.
MODELS = dict(
    (
        _classic(
            "cyto3", "Cells and nuclei of many kinds of images", (CELLPOSE, CELLPOSE_3), "cells", "nuclei"
        ),
        _classic(
            "cyto2",
            "Cells, also trained on images of users",
            (CELLPOSE, CELLPOSE_2),
            "cells",
            file="cyto2torch_0",
        ),
        _classic("cyto", "Cells, the first model of Cellpose", (CELLPOSE,), "cells", file="cytotorch_0"),
        _classic("nuclei", "Nuclei", (CELLPOSE,), "nuclei", options=NucleiOptions, file="nucleitorch_0"),
        _cp3("cyto2", "the images of cyto2", "cells"),
        _cp3("tissuenet", "TissueNet: cells of tissue sections", "cells", "tissue"),
        _cp3("livecell", "LIVECell: cells in phase contrast", "cells"),
        _cp3("yeast_PhC", "yeast in phase contrast", "yeast"),
        _cp3("yeast_BF", "yeast in brightfield", "yeast"),
        _cp3("bact_phase", "bacteria in phase contrast", "bacteria"),
        _cp3("bact_fluor", "bacteria in fluorescence", "bacteria"),
        _cp3("deepbacs", "DeepBacs: bacteria", "bacteria"),
        _classic("CP", "Cellpose 2, trained on the images of Cellpose 1", (CELLPOSE, CELLPOSE_2), "cells"),
        _classic("CPx", "Cellpose 2, of the Cellpose images", (CELLPOSE, CELLPOSE_2), "cells"),
        _subset("TN1", "TissueNet", TISSUENET),
        _subset("TN2", "TissueNet", TISSUENET),
        _subset("TN3", "TissueNet", TISSUENET),
        _subset("LC1", "LIVECell", LIVECELL),
        _subset("LC2", "LIVECell", LIVECELL),
        _subset("LC3", "LIVECell", LIVECELL),
        _subset("LC4", "LIVECell", LIVECELL),
        _classic(
            "neurips_grayscale_cyto2", "Challenge NeurIPS 2022, gray images", (CELLPOSE, CELLPOSE_3), "cells"
        ),
        _classic(
            "neurips_cellpose_default",
            "Challenge NeurIPS 2022, color images",
            (CELLPOSE, CELLPOSE_3),
            "cells",
        ),
        _classic(
            "neurips_cellpose_transformer",
            "Challenge NeurIPS 2022, transformer",
            (CELLPOSE, CELLPOSE_3),
            "cells",
            why_not=TRANSFORMER,
        ),
        _classic(
            "transformer_cp3", "Cellpose 3, transformer", (CELLPOSE, CELLPOSE_3), "cells", why_not=TRANSFORMER
        ),
        ("cpsam", _Model(_SAM_INFO, "sam", (CELLPOSE_SAM,), NoOptions, "cpsam")),
    )
)
