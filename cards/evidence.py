"""The parts of the record that relate a run to its data, its base model and the time it was planned."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cards.base import RecordModel, RelativePath, Split, is_unset

RelationKind = Literal["exact", "near", "crop", "same field"]
"""How two images are related: equal pixels; a copy that was re-encoded, brightened, rotated or mirrored; one
image is part of the other; both are adjacent tiles of one field of view."""


class Relation(RecordModel):
    """An image outside the training split and the training image to which it is most closely related."""

    image: str
    split: Split
    related_to: str = Field(description="name of the training image")
    kind: RelationKind
    evidence: str = Field(description="what shows it, e.g. 'right border continues, correlation 0.994'")


class Leakage(RecordModel):
    """Result of comparing validation and test images with the training images."""

    method: str = Field(description="which comparisons were made, in one sentence")
    relations: list[Relation] = []
    base_model_exposure: Literal["seen", "selected on", "not seen", "unknown"] = Field(
        "unknown", description="whether the base model was trained or selected on the test images"
    )
    exposure_source: str | None = Field(None, description="where that is documented")

    def related(self, split: Split) -> set[str]:
        """Names of the images of a split that are related to a training image.

        Args:
            split: "validation" or "test".

        Returns:
            Names of images.
        """
        return {relation.image for relation in self.relations if relation.split == split}


class Selection(RecordModel):
    """Something that was chosen by its score on images, which therefore are *selected on*."""

    what: str = Field(description="'epoch', or the name of a target option, e.g. 'threshold'")
    value: str = Field(description="what was chosen")
    metric: str = Field(description="the score by which it was chosen, e.g. 'Dice'")
    split: Split
    images: int


class Registration(RecordModel):
    """A target value that was stated before training."""

    metric: str = Field(description="name of a metric of the record, e.g. 'dice'")
    value: float = Field(description="mean over the test images that the run should reach")
    test_images: str = Field(description="`data_digest` of the test images and their label images")
    recipe_sha256: str = Field(description="`cards.fingerprint.recipe_digest` of the recipe")
    registered: str = Field(description="ISO 8601, UTC; before training began")


class Parent(RecordModel):
    """A model in the line of descent of the base model."""

    name: str
    repository: str
    revision: str | None = None
    record_sha256: str | None = Field(None, description="of its run record, if it has one")
    weights_sha256: str | None = None


class RuntimeCheck(RecordModel):
    """Test of the BioImage.IO package in one environment."""

    package: str = Field(description="path in the run folder")
    environment: str = Field(description="name, e.g. 'BioImage.IO zoo'")
    packages: dict[str, str] = Field(description="versions of the packages that decide the outcome")
    passed: bool
    detail: str | None = Field(None, description="the first failure")


class Energy(RecordModel):
    """Energy of the training, measured by codecarbon."""

    kilowatt_hours: float
    co2_kilograms: float
    region: str | None = None
    provider: str | None = Field(None, description="cloud provider; None if there is none or it is unknown")
    source: str = Field(description="package that measured it, with version")


class Tiling(RecordModel):
    """How labels predicted in tiles relate to those of the whole image."""

    receptive_field: int | Literal["image"] | None = Field(
        None,
        description="distance in pixels from an output pixel to the farthest input pixel on which it "
        "depends, measured by gradient; 'image' if every pixel counts; None if not measured",
    )
    halo: int = Field(description="pixels of context around the part of a tile that is kept")
    image_statistics: bool = Field(
        False,
        exclude_if=is_unset,
        description="whether layers that depend on the whole image, such as group normalization, use its "
        "statistics in all tiles",
    )
    tile: int | None = Field(None, description="height and width of the tiles that were compared, in pixels")
    images: int = Field(0, description="images larger than a tile that were compared")
    pixels: int = Field(0, description="pixels of these images")
    mismatch: float | None = Field(
        None,
        ge=0,
        le=1,
        description="tile mismatch: fraction of pixels that are foreground in one label image only, or of "
        "instances that do not match at an IoU above 0.5; None if no image is larger than a tile",
    )
    mismatch_range: tuple[float, float] | None = Field(
        None, exclude_if=is_unset, description="smallest and largest tile mismatch of an image"
    )
    side: int | None = Field(
        None,
        exclude_if=is_unset,
        description="height or width of the largest image that was compared, in pixels",
    )


class InferencePrecision(RecordModel):
    """The precision in which the trained model predicts, and what shows that bfloat16 may be used.

    Labels of both precisions were compared on the validation images.
    """

    precision: Literal["float32", "bf16"] = Field(description="of the test images, and of later predictions")
    reason: str = Field(description="why this precision was chosen, e.g. 'set by the recipe'")
    images: int = Field(0, description="validation images that were predicted in both precisions")
    gain: float | None = Field(
        None, description="network time in float32 divided by that in bf16, median over images"
    )
    agreement: float | None = Field(
        None,
        ge=0,
        le=1,
        description="fraction of pixels that are background in both label images, or of instances that "
        "match at an IoU above 0.5",
    )
    dice_change: float | None = Field(None, description="mean Dice in bf16 minus that in float32")
    ap50_change: float | None = Field(None, description="mean AP50 in bf16 minus that in float32")


EXPORT_TOLERANCE = 1e-3
"""By how much the Dice of an exported file may differ from that of the trained model, on every image."""


class ExportCheck(RecordModel):
    """Verification of an exported file: reloaded and re-scored on test images."""

    artifact: RelativePath = Field(description="path in the run folder")
    format: str = Field(description="e.g. 'safetensors', 'torchscript', 'onnx', 'pytorch_state_dict'")
    loaded_by: str = Field(description="package that reloaded it, with version")
    images: int
    dice: float = Field(description="mean over those images")
    trained_dice: float = Field(description="of the trained model on the same images")
    equal: bool = Field(description="whether every image's Dice agrees within the tolerance")
    tolerance: float
