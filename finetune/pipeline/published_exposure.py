"""What is published about the training images of public models, and about the named data sets among them.

Each entry names its source. A model is "not seen" only if the list of its training images is published and
does not contain the data set. If the publication does not say which images were used, it is "unknown".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from cards.record import Origin
from finetune.data.datasets import DATASETS
from finetune.repositories.torchvision.models import MODELS

Exposure = Literal["seen", "selected on", "not seen", "unknown"]


class Documented(NamedTuple):
    """What is published about a base model and the test images of a named data set.

    Attributes:
        exposure: "unknown" if the publication does not say which images were used.
        source: where that is documented.
    """

    exposure: Exposure
    source: str


STARDIST_PAPER = (
    "README of this data set by the authors of the model: its images as trained and tested on in the "
    "paper, https://arxiv.org/abs/1806.03535"
)
STARDIST_MODELS = (
    "list of pretrained models in the README of StarDist, https://github.com/stardist/stardist: trained "
    "on this selection of the 2018 Data Science Bowl, not stated on which of its images"
)
CELLPOSE_NUCLEI = (
    "Stringer et al., Nature Methods 18, 2021, https://doi.org/10.1038/s41592-020-01018-x: its images of "
    "nuclei include the 2018 Data Science Bowl, of which these are a part; not stated which ones are for "
    "training"
)
CYTO3 = (
    "Stringer & Pachitariu, Nature Methods 22, 2025, https://doi.org/10.1038/s41592-025-02595-5: trained "
    "on nine data sets. One is Cellpose's images of nuclei, which include the 2018 Data Science Bowl, of "
    "which these are a part; not stated which ones are for training"
)
CELLPOSE_SAM = (
    "Pachitariu, Rariden & Stringer 2025, https://doi.org/10.1101/2025.04.28.651001: trained on 18 data "
    "sets. One is Cellpose's images of nuclei, which include the 2018 Data Science Bowl, of which these "
    "are a part; not stated which ones are for training"
)
AFFABLE_SHARK = (
    "training script of its authors, "
    "https://github.com/constantinpape/torch-em/tree/main/experiments/unet-segmentation/dsb "
    "(train_boundaries.py): trained on the folder train of this data set; the loss on its folder test is "
    "the metric by which torch-em selects the best weights"
)
SAM = "Kirillov et al. 2023, https://arxiv.org/abs/2304.02643: trained on SA-1B, 11 million photographs"
SAM2 = (
    "Ravi et al. 2024, https://arxiv.org/abs/2408.00714: trained on the photographs of SA-1B and on "
    "videos (SA-V and licensed videos)"
)
SEGFORMER = (
    "Xie et al. 2021, https://arxiv.org/abs/2105.15203: encoder pretrained on the photographs of "
    "ImageNet-1K, model trained on those of ADE20K"
)
MIT = (
    "Xie et al. 2021, https://arxiv.org/abs/2105.15203: encoder pretrained on the photographs of ImageNet-1K"
)
MASK2FORMER = (
    "Cheng et al. 2022, https://arxiv.org/abs/2112.01527: encoder pretrained on the photographs of "
    "ImageNet, model trained on those of COCO"
)
TORCHVISION = (
    "https://docs.pytorch.org/vision/stable/models.html: trained on photographs of COCO with the "
    "categories of Pascal VOC, encoder pretrained on those of ImageNet-1K"
)
CLASSIFIERS = "https://docs.pytorch.org/vision/stable/models.html: trained on the photographs of ImageNet-1K"

DATA_SETS: dict[tuple[str, str], dict[str, Documented]] = {
    ("stardist", "2D_paper_dsb2018"): {"dsb2018": Documented("not seen", STARDIST_PAPER)},
    ("stardist", "2D_versatile_fluo"): {"dsb2018": Documented("unknown", STARDIST_MODELS)},
    ("cellpose", "nuclei"): {"dsb2018": Documented("unknown", CELLPOSE_NUCLEI)},
    ("cellpose", "cyto3"): {"dsb2018": Documented("unknown", CYTO3)},
    ("cellpose", "cpsam"): {"dsb2018": Documented("unknown", CELLPOSE_SAM)},
    ("bioimageio", "affable-shark"): {"dsb2018": Documented("selected on", AFFABLE_SHARK)},
    ("bioimageio", "10.5281/zenodo.5764892"): {"dsb2018": Documented("selected on", AFFABLE_SHARK)},
}
"""By repository and name of a model, then by id of a named data set."""

PHOTOGRAPHS: dict[tuple[str, str], str] = {
    ("sam2", "sam2.1-hiera-"): SAM2,
    ("sam2", "sam2-hiera-"): SAM2,
    ("huggingface", "facebook/sam2.1-hiera-"): SAM2,
    ("huggingface", "facebook/sam2-hiera-"): SAM2,
    ("huggingface", "facebook/sam-vit-"): SAM,
    ("huggingface", "nvidia/mit-b"): MIT,
    ("huggingface", "nvidia/segformer-b0-finetuned-ade-512-512"): SEGFORMER,
    ("huggingface", "facebook/mask2former-swin-tiny-coco-instance"): MASK2FORMER,
    ("torchvision", "deeplabv3_"): TORCHVISION,
    ("torchvision", "fcn_"): TORCHVISION,
    ("torchvision", "lraspp_"): TORCHVISION,
    **{("torchvision", name): CLASSIFIERS for name, model in MODELS.items() if model.is_encoder},
}
"""Models that were trained on photographs and videos only, by repository and first letters of the name. All
named data sets are micrographs."""


def published(origin: Origin, data_id: str | None) -> Documented:
    """Look up what is published about a model and the test images of a named data set.

    Args:
        origin: the model.
        data_id: id of the named data set, if the images are exactly those.

    Returns:
        The exposure and its source; "unknown" without a source if nothing is published.
    """
    if data_id not in DATASETS:
        return Documented("unknown", "")
    for name in _names(origin):
        for (repository, start), source in PHOTOGRAPHS.items():
            if origin.repository == repository and name.startswith(start):
                return Documented("not seen", source)
        if found := DATA_SETS.get((origin.repository, name), {}).get(data_id):
            return found
    return Documented("unknown", "")


def _names(origin: Origin) -> list[str]:
    """Names of a model: the id of a package on BioImage.IO may end in its version."""
    package = origin.bioimageio_id
    return [origin.id, *([package, package.rpartition("/")[0]] if package else [])]


def published_for_all(repository: str, name: str) -> dict[str, Documented]:
    """Look up what is published about a model and every named data set.

    Args:
        repository: a key of `finetune.repositories.registry.REPOSITORIES`.
        name: of the model.

    Returns:
        What is published, by id of the data set; data sets without a publication are left out.
    """
    origin = Origin(repository=repository, id=name, weights="pretrained")
    known = {data: published(origin, data) for data in DATASETS}
    return {data: documented for data, documented in known.items() if documented.source}
