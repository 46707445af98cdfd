"""The run record, `record.json` in every run folder: the single source of everything that a card states.

A value that was not measured is None in the record and "not measured" on the card.
"""

from __future__ import annotations

import hashlib
import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from cards.authored import Card
from cards.base import LabelKind, NetworkSpec, RecordModel, RelativePath, Spec, Split, TaskName, Url
from cards.errors import InputError
from cards.evidence import (
    ExportCheck,
    InferencePrecision,
    Leakage,
    Parent,
    Registration,
    RuntimeCheck,
    Tiling,
)
from cards.fingerprint import data_digest
from cards.image_statistics import ImageStatistics
from cards.metrics import MetricDescription
from cards.scores import Accuracy, PromptScore, Timing
from cards.training import Training

SCHEMA_VERSION: Final = 2


class Origin(RecordModel):
    """The base model, with which the run was initialized."""

    repository: str = Field(description="repository of the base model, e.g. 'wipp'")
    id: str = Field(description="name of the model in that repository")
    weights: Literal["pretrained", "random"]
    revision: str | None = None
    sha256: str | None = Field(None, description="of the weights file; None for random weights")
    license: str | None = Field(None, description="SPDX id; the trained model inherits it")
    terms: str | None = Field(None, description="further terms of its authors, in one sentence")
    part: str | None = Field(None, description="part of the network with pretrained weights; None for all")
    citation: list[str] = []
    hub_id: str | None = Field(None, description="Hugging Face id, when the base model is on the Hub")
    bioimageio_id: str | None = Field(None, description="BioImage.IO id, when the base model has one")
    parents: list[Parent] = Field([], description="models from which the base model descends, nearest first")
    record_sha256: str | None = Field(None, description="of its run record, if finetune trained it")


class TargetSpec(Spec):
    """The training target, with everything that a card states about it.

    A card decides by these fields and never by the name, so that a target of another package is
    described correctly, too.
    """

    labels: LabelKind = Field(description="what the predicted label image contains")
    map_names: list[str] = Field([], description="names of the maps that the network predicts")
    exports_labels: bool = Field(False, description="whether a BioImage.IO package returns a label image")
    exported_axes: str | None = Field(
        None, description="axes of the output of a BioImage.IO package, e.g. 'bcyx'; None without a package"
    )
    selected_on_validation: list[str] = Field(
        [], description="options whose values were selected on the validation images"
    )


class Model(RecordModel):
    """The trained network with target and normalization, sufficient to rebuild the model."""

    base: Origin
    architecture: NetworkSpec
    target: TargetSpec
    normalize: Spec
    channels: int = Field(description="channels of the input image")
    maps: int = Field(description="output maps of the network")
    divisor: int = Field(description="height and width of the input are multiples of this, in pixels")
    parameters: int
    trainable: int = Field(description="parameters that were trained, including those of an adapter")
    adapt: Spec | None = Field(None, description="which parameters were trained, e.g. 'lora' and its options")


class DataFile(RecordModel):
    """One image with its label image, and the hashes that identify both."""

    name: str
    split: Split
    image: RelativePath = Field(description="path relative to the root folder of the data")
    label: RelativePath
    page: int | None = None
    shape: list[int] = Field(description="channels, height, width in pixels")
    dtype: str
    instances: int
    image_sha256: str = Field(description="of the file")
    label_sha256: str
    image_pixels: str = Field(description="of the decoded pixels; independent of the file format")
    label_pixels: str


class Data(RecordModel):
    """The data set: images, source, license and split."""

    id: str
    license: str | None = None
    citation: list[str] = []
    source: Url | None = Field(None, description="web address of the images")
    hub_id: str | None = None
    note: str | None = None
    labels: LabelKind
    split_by: str = Field(description="how each split was made, in words")
    files: list[DataFile]
    statistics: ImageStatistics | None = Field(None, description="of the training images")

    def count(self, split: Split) -> int:
        """Count the images of a split.

        Args:
            split: "train", "validation" or "test".

        Returns:
            Number of images.
        """
        return sum(file.split == split for file in self.files)

    def digest(self) -> str:
        """Identify the data set by its pixels: see `cards.fingerprint.data_digest`.

        Returns:
            SHA-256 as 64 hexadecimal digits.
        """
        return data_digest(self.files)


class Environment(RecordModel):
    """Hardware and software of the run."""

    python: str
    platform: str
    cpu: str
    cores: int
    memory_bytes: int | None
    gpus: list[str] = []
    packages: dict[str, str]
    git_commit: str | None = None
    git_dirty: bool | None = None
    renderer_sha256: str | None = Field(None, description="of the code that rendered cards and package")


class File(RecordModel):
    """A file that the run wrote."""

    path: RelativePath = Field(description="path in the run folder")
    sha256: str
    bytes: int


class RunRecord(RecordModel):
    """Everything that was measured and decided in a run."""

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    name: str
    created: str = Field(description="ISO 8601, UTC")
    finetune_version: str
    task: TaskName = Field("automatic", description="'interactive' if points and boxes prompt the model")
    recipe: dict[str, Any] = Field(description="the resolved recipe; of local paths only the last part")
    card: Card
    model: Model
    data: Data
    training: Training
    metrics: list[MetricDescription] = Field(description="of accuracy, in the order of tables and columns")
    accuracy: Accuracy | None = Field(None, description="None when there were no test images")
    prompts: list[PromptScore] = Field([], description="accuracy with each kind of prompt, if interactive")
    timing: Timing | None = None
    tiling: Tiling | None = Field(None, description="None if not measured")
    inference: InferencePrecision | None = Field(None, description="None: float32, nothing was compared")
    leakage: Leakage | None = Field(None, description="None if the images were not compared")
    registration: Registration | None = Field(None, description="a target value stated before training")
    environment: Environment
    warnings: list[str] = Field([], description="problems found during the run, one sentence each")
    exports: list[ExportCheck] = []
    runtimes: list[RuntimeCheck] = Field([], description="environments in which the package was tested")
    files: list[File] = []

    def dumps(self) -> str:
        """Serialize as canonical JSON.

        Returns:
            Sorted keys, indentation of two spaces, a newline at the end.
        """
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def digest(self) -> str:
        """Hash the record as it is written to `record.json`.

        Returns:
            SHA-256 as 64 hexadecimal digits.
        """
        return hashlib.sha256(self.dumps().encode()).hexdigest()

    def recipe_section(self, name: str) -> dict[str, Any]:
        """A section of the recipe.

        Args:
            name: such as "data".

        Returns:
            Its keys and values; empty if the recipe has no such section.
        """
        section = self.recipe.get(name)
        return section if isinstance(section, dict) else {}

    @classmethod
    def read(cls, path: Path | str) -> RunRecord:
        """Read a record.

        Args:
            path: `record.json` or a folder that contains it.

        Returns:
            The validated record.

        Raises:
            InputError: if the file cannot be read or is not a record.
        """
        path = Path(path)
        path = path / "record.json" if path.is_dir() else path
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot read the record: {error.strerror}") from error
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: bytes | str, where: str) -> RunRecord:
        """Validate the content of a `record.json`.

        Args:
            content: JSON.
            where: name of the file, for the error message.

        Returns:
            The validated record.

        Raises:
            InputError: if the content is not a record.
        """
        if isinstance(content, bytes) and content.startswith((BOM_UTF8, BOM_UTF16_LE, BOM_UTF16_BE)):
            raise InputError(
                f"{where}: not a run record: starts with a byte order mark; save it as UTF-8 without one"
            )
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            # A newer schema comes with keys that this version does not know.
            first = min(error.errors(), key=lambda one: one["loc"] != ("schema_version",))
            key = ".".join(map(str, first["loc"])) or "the file"
            if key == "schema_version" and isinstance(first["input"], int):
                raise InputError(
                    f"{where}: schema_version is {first['input']!r}, this finetune reads up to "
                    f"{SCHEMA_VERSION}: use the version that wrote it"
                ) from error
            raise InputError(f"{where}: not a run record: {key}: {first['msg']}") from error


def json_schema() -> dict[str, Any]:
    """Build the JSON Schema of `record.json`, shipped as `cards/schema/run-record-2.json`.

    Returns:
        The schema.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunRecord.model_json_schema()}
