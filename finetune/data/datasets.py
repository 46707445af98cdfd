"""Named data sets: description, license, citation and download."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cards.base import LabelKind
from cards.errors import DataError
from cards.fingerprint import data_digest
from cards.record import DataFile
from finetune.data.sample_dataset import make_sample
from finetune.downloads.archive import cache_folder, download
from finetune.errors import unknown

CAICEDO = (
    "Caicedo, J. C. et al. Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl. "
    "Nature Methods 16, 1247–1253 (2019). https://doi.org/10.1038/s41592-019-0612-7"
)
SCHMIDT = (
    "Schmidt, U., Weigert, M., Broaddus, C. & Myers, G. Cell detection with star-convex polygons. "
    "MICCAI 2018, LNCS 11071, 265–273. https://doi.org/10.1007/978-3-030-00934-2_30"
)


@dataclass(frozen=True)
class NamedData:
    """A data set that recipes select by name.

    Attributes:
        id: name in recipes.
        title: title for cards.
        license: SPDX id.
        citation: references to cite.
        source: web page.
        labels: type of the labels.
        note: remark for the reader of a card.
        hub_id: id on the Hugging Face Hub, if published there.
        url: address of a zip archive; None if it cannot be downloaded.
        sha256: hash of the archive; None if unknown.
        pixels: `cards.fingerprint.data_digest` of all images and masks; None if not measured.
    """

    id: str
    title: str
    license: str
    citation: tuple[str, ...]
    source: str
    labels: LabelKind
    note: str | None = None
    hub_id: str | None = None
    url: str | None = None
    sha256: str | None = None
    pixels: str | None = None


DATASETS: dict[str, NamedData] = {
    data.id: data
    for data in (
        NamedData(
            id="dsb2018",
            title="2018 Data Science Bowl, StarDist's selection of fluorescence images",
            license="CC0-1.0",
            citation=(CAICEDO, SCHMIDT),
            source="https://bbbc.broadinstitute.org/BBBC038",
            labels="instances",
            note="Nuclei in fluorescence microscopy: 447 images to train on, 50 to test on.",
            url="https://github.com/stardist/stardist/releases/download/0.1.0/dsb2018.zip",
            pixels="97e1f996357689df4745c538401c0ef71eb90cb7fb42d64104438d19134e6176",
        ),
        NamedData(
            id="mdck_zo1",
            title="Cell boundaries of MDCK epithelium, ZO-1",
            license="MIT",
            citation=(
                "JahnJ. U-Net-based image quantification of epithelial cell shapes. GitHub, commit 016453a. "
                "https://github.com/JahnJ/U-Net-based-image-quantification-of-epithelial-cell-shapes",
            ),
            source="https://github.com/JahnJ/U-Net-based-image-quantification-of-epithelial-cell-shapes",
            labels="boundary",
            note=(
                "The masks are the output of that laboratory's own network, not drawn by hand. Ten fields of "
                "wild-type cells, cut into tiles of 256 × 256 pixels: fields 1 to 8 to train on, 9 and 10 to "
                "test on."
            ),
            pixels="ec9a70ab72d1cbc7d0dcadaf0652b16eaac99bfd2118bb8af2c6a123a93091b3",
        ),
        NamedData(
            id="sample",
            title="One fluorescence image of nuclei, as shipped with StarDist",
            license="BSD-3-Clause",
            citation=(SCHMIDT, CAICEDO),
            source="https://github.com/stardist/stardist",
            labels="instances",
            note=(
                "One image of the 2018 Data Science Bowl, cut into regions that do not overlap: the upper "
                "half to train on, the lower left quarter for validation, the lower right quarter to test "
                "on. All regions come from one image, so the scores say little about other images."
            ),
            pixels="232db4c3e4c6d50d09da642172b685ff01f1a507bb8f6cd15659d80aa28c8794",
        ),
    )
}


def named(name: str) -> NamedData:
    """Look up a data set by name.

    Args:
        name: value of `data.name`.

    Returns:
        Its description.

    Raises:
        RecipeError: if there is none; the message suggests the nearest name.
    """
    if name not in DATASETS:
        raise unknown("data.name", name, DATASETS)
    return DATASETS[name]


def fetch(data: NamedData) -> Path:
    """Locate the folder of a data set; generate or download it if it is not in the cache.

    Args:
        data: description of the data set.

    Returns:
        The folder.

    Raises:
        DataError: if it cannot be downloaded.
    """
    folder = cache_folder() / data.id
    if folder.is_dir():
        return folder
    if data.id == "sample":
        return make_sample(folder)
    if data.url is None:
        raise DataError(
            f"{data.id}: cannot be downloaded: create it from {data.source} in {folder}, "
            "or set data.root=PATH"
        )
    return download(data.url, folder, data.sha256, lambda found: _must_match(data, found))


def is_published(data: NamedData, files: Iterable[DataFile]) -> bool | None:
    """Compare the pixels of data with those of the published data set.

    Args:
        data: description of the data set.
        files: images and masks with their pixel hashes.

    Returns:
        Whether all pixels are equal; None if the published data were not measured.
    """
    return None if data.pixels is None else data_digest(files) == data.pixels


def _must_match(data: NamedData, folder: Path) -> None:
    """Raise an error if a download has other pixels than the published data set."""
    from finetune.data.inspection import check_data
    from finetune.data.pairs import find_pairs
    from finetune.data.splits import assign_splits

    pairs, _ = assign_splits(find_pairs(folder), validation=0, test=0)
    files, _ = check_data(pairs, data.labels, "instances", "auto", folder)
    if is_published(data, files) is False:
        raise DataError(
            f"{data.url}: contains other images than the published data set {data.id}: check them, "
            "and set data.root=PATH to use them"
        )
