"""Recipe schema: one pydantic model per section, with types, defaults and limits.

The options of components (network, target, adapter, normalization) are validated by the components' own
models, see `finetune.recipe.validation`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cards.authored import Card
from cards.base import LabelKind, Url
from finetune.data.augmentation_options import AugmentationSection

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Base class of the sections of a recipe. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ModelSection(Section):
    """Network, target, adapter and initial weights."""

    repository: str = Field(description="repository of the network, such as wipp or sam2")
    name: str = Field(description="name of the network in the repository")
    options: dict[str, Any] = Field({}, description="options of the network")
    target: str = Field(
        description="training target, such as foreground or flows; prompts for interactive use"
    )
    target_options: dict[str, Any] = Field({}, description="options of the target")
    adapt: str = Field("full", description="which parameters are trained: full, head or lora")
    adapt_options: dict[str, Any] = Field({}, description="options of model.adapt")
    pretrained: bool = Field(
        True, description="start from the repository's pretrained weights, if it has any"
    )
    checkpoint: Path | None = Field(
        None, description="start from these weights instead: a run folder or a file"
    )
    revision: str | None = Field(None, description="revision of the pretrained weights; the latest if unset")
    trust: bool = Field(False, description="allow the code that comes with the model to be executed")


class DataSection(Section):
    """Images, label images and how they are split."""

    name: str | None = Field(None, description="a named data set, with license, citation and source")
    root: Path | None = Field(None, description="folder with the images")
    csv: Path | None = Field(None, description="table of image pairs with columns image,label[,split]")
    layout: Literal["auto", "folders", "suffix", "csv"] = Field(
        "auto", description="how images and label images are matched"
    )
    labels: LabelKind | None = Field(None, description="content of the label images; instances if unset")
    channels: Literal["auto", "gray"] | list[Annotated[int, Field(ge=0)]] = Field(
        "auto", description="channels to read: auto (all), gray (their mean) or a list of indices"
    )
    normalize: dict[str, Any] | None = Field(
        None, description="intensity normalization; the model's own, or percentile, if unset"
    )
    split: Literal["random", "by-field"] = Field(
        "random",
        description="how images are drawn for validation and test: each by itself, or all related images "
        "(adjacent tiles of one field of view, copies, parts) together",
    )
    validation: Fraction = Field(0.1, description="fraction of the training images used for validation")
    test: Fraction = Field(0.1, description="fraction of the training images used for testing")
    train_fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        description="fraction of the training images to use; shows how many annotated images are enough",
    )
    split_seed: int = Field(0, description="seed of the draw")
    license: str | None = Field(None, description="SPDX license identifier of your own images")
    citation: list[str] = Field([], description="publications to cite for the images")
    source: Url | None = Field(None, description="URL where others find the images")

    @model_validator(mode="after")
    def _has_images(self) -> DataSection:
        if self.name is None and self.root is None and self.csv is None:
            raise ValueError("no images; set name, root or csv")
        if self.csv is not None and self.root is not None:
            raise ValueError("root and csv exclude each other; remove one of them")
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together leave nothing to train on; their sum must be < 1")
        return self


class TrainingSection(Section):
    """Training schedule and optimizer."""

    epochs: int = Field(50, ge=1)
    images_per_epoch: int | None = Field(
        None, ge=1, description="patches per epoch; one per training image if unset"
    )
    batch_size: int = Field(8, ge=1, description="patches per step, over all processes")
    patch: int = Field(256, ge=32, le=16384, description="side length of a training patch, in pixels")
    views: int | None = Field(
        None, ge=1, description="number of fixed patches per image; new random patches in each epoch if unset"
    )
    cache: bool = Field(
        True, description="with views: compute the features of a frozen encoder once per patch"
    )
    learning_rate: float | None = Field(
        None, gt=0, description="peak learning rate; the model's own if unset"
    )
    weight_decay: float = Field(0.01, ge=0)
    warmup: Fraction = Field(0.05, description="fraction of all steps with an increasing learning rate")
    gradient_clip: float | None = Field(1.0, gt=0, description="maximum norm of the gradient")
    average: float | None = Field(
        None, gt=0, lt=1, description="decay of the exponential moving average of the weights; off if unset"
    )
    validate_every: int = Field(1, ge=1, description="epochs between two validations")
    patience: int | None = Field(
        None, ge=1, description="validations without a better Dice until training stops; never if unset"
    )
    augmentation: AugmentationSection = AugmentationSection()
    workers: int = Field(
        1, ge=0, description="processes that read and augment images; not used for cached features on a CPU"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of initial weights, patches and augmentation")


class EvaluationSection(Section):
    """Evaluation on the test images."""

    bootstrap: int = Field(9999, ge=100, description="bootstrap resamples for the confidence interval")
    check_images: int = Field(5, ge=1, description="test images on which each export is verified")
    automatic_images: int = Field(
        2, ge=0, description="with prompts: test images that are also segmented without prompts (slow)"
    )


class ComputeSection(Section):
    """Hardware; the values are passed to Lightning's Trainer."""

    accelerator: str = "auto"
    devices: int | str | list[int] = 1
    nodes: int = Field(1, ge=1)
    strategy: str = "auto"
    precision: str = Field(
        "auto",
        description="Lightning's precision; auto: bf16-mixed where it is fast, else 32-true; a single GPU "
        "times a few steps in both",
    )
    inference: Literal["auto", "float32", "bf16"] = Field(
        "auto",
        description="precision of inference; auto: bf16 where it is fast and gives the labels of float32 on "
        "the validation images, else float32",
    )
    energy: bool = Field(False, description="measure energy and CO2 of the training with codecarbon")
    country: str | None = Field(
        None,
        pattern=r"^[A-Z]{3}$",
        description="country of the computer for the CO2 of its electricity: ISO 3166-1, such as DEU",
    )


class Recipe(Section):
    """A recipe: model, data, training, evaluation, hardware and model card of one run."""

    takes: str = Field("not measured", description="how long the run took, and on which hardware")
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100, description="the file's name if unset"
    )
    model: ModelSection
    data: DataSection
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    compute: ComputeSection = ComputeSection()
    card: Card
