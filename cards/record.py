"""The run record: everything a card says, and the only road by which a number reaches one.

`RunRecord` is written as `record.json` in every run folder. A figure that was not measured is
`None` here and "not measured" on the card.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from cards.base import LabelKind, NetworkSpec, RecordModel, RelativePath, Spec, Split, Task, Url
from cards.errors import InputError
from cards.fingerprint import data_digest
from cards.metrics import MetricDescription
from cards.scores import Accuracy, PromptScore, Timing

SCHEMA_VERSION: Final = 1


class Origin(RecordModel):
    """The base model: what the run started from."""

    repository: str = Field(description="which of our repositories it came from, e.g. 'wipp'")
    id: str = Field(description="the model's name in that repository")
    weights: Literal["pretrained", "random"]
    revision: str | None = None
    sha256: str | None = Field(None, description="of the weights file; None for random weights")
    license: str | None = Field(None, description="SPDX id; inherited by what is trained from it")
    terms: str | None = Field(None, description="what its authors say beside the license, in a sentence")
    part: str | None = Field(None, description="the part of the network that had weights; None for all of it")
    citation: list[str] = []
    hub_id: str | None = Field(None, description="Hugging Face id, when the base model is on the Hub")
    bioimageio_id: str | None = Field(None, description="BioImage.IO id, when the base model has one")


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
    """The network and the target that were trained, and how to build them again."""

    base: Origin
    architecture: NetworkSpec
    target: TargetSpec
    normalize: Spec
    channels: int = Field(description="channels of the input image")
    maps: int = Field(description="maps the network predicts")
    divisor: int = Field(description="height and width of the input are multiples of this, in pixels")
    parameters: int
    trainable: int = Field(description="parameters that were trained; an adapter's come on top of the others")
    adapt: Spec | None = Field(None, description="which parameters were trained, e.g. 'lora' and its options")


class DataFile(RecordModel):
    """One image with its labels, and the hashes by which they are known again."""

    name: str
    split: Split
    image: RelativePath = Field(description="path relative to the data's root, never absolute")
    label: RelativePath
    page: int | None = None
    shape: list[int] = Field(description="channels, height, width in pixels")
    dtype: str
    instances: int
    image_sha256: str = Field(description="of the file")
    label_sha256: str
    image_pixels: str = Field(description="of the decoded pixels: survives re-encoding")
    label_pixels: str


class Data(RecordModel):
    """The images, where they come from, and how they were split."""

    id: str
    license: str | None = None
    citation: list[str] = []
    source: Url | None = Field(None, description="where the images are on the web, never a local path")
    hub_id: str | None = None
    note: str | None = None
    labels: LabelKind
    split_by: str = Field(description="how the split was made, in words")
    files: list[DataFile]

    def count(self, split: Split) -> int:
        """Number of images in a split."""
        return sum(file.split == split for file in self.files)

    def digest(self) -> str:
        """SHA-256 that identifies the data set by its pixels: see `cards.fingerprint.data_digest`."""
        return data_digest(self.files)


class Epoch(RecordModel):
    """What one epoch gave."""

    epoch: int
    loss: float
    validation_dice: float | None = None
    validation_iou: float | None = Field(None, description="with prompts: mean IoU of a point and of a box")

    @model_validator(mode="before")
    @classmethod
    def _as_it_was(cls, content: Any) -> Any:
        """Records of the first days hold a `validation_loss`, which was never measured."""
        if isinstance(content, dict) and content.get("validation_loss", 0) is None:
            content = {key: value for key, value in content.items() if key != "validation_loss"}
        return content


class Training(RecordModel):
    """How the network was trained."""

    epochs_planned: int
    epochs: int
    best_epoch: int | None = Field(None, description="epoch whose weights were kept, from 1")
    steps: int
    images_seen: int
    batch_size: int
    patch: int = Field(description="side of a training patch, in pixels")
    optimizer: str
    learning_rate: float
    schedule: str
    weight_decay: float
    loss: str
    augmentation: str
    precision: str
    seed: int
    seconds: float
    device: str | None = Field(None, description="the hardware that trained, by name")
    images_per_second: float | None = None
    resumed: int = Field(0, description="how often the run was taken up again after a stop")
    stopped_early: bool = False
    history: list[Epoch] = []


class Environment(RecordModel):
    """Where the run took place."""

    python: str
    platform: str
    cpu: str
    cores: int
    memory_bytes: int | None
    gpus: list[str] = []
    packages: dict[str, str]
    git_commit: str | None = None
    git_dirty: bool | None = None


class ExportCheck(RecordModel):
    """An artifact that was loaded again and scored on test images."""

    artifact: RelativePath = Field(description="path in the run folder")
    format: str = Field(description="e.g. 'safetensors', 'torchscript', 'onnx', 'pytorch_state_dict'")
    loaded_by: str = Field(description="the tool that loaded it, with version")
    images: int
    dice: float = Field(description="mean over those images")
    trained_dice: float = Field(description="of the trained model on the same images")
    equal: bool = Field(description="whether every image's Dice agrees within the tolerance")
    tolerance: float


class File(RecordModel):
    """A file the run wrote."""

    path: RelativePath = Field(description="path in the run folder")
    sha256: str
    bytes: int


class Card(RecordModel):
    """What only the author knows."""

    title: str
    description: str
    authors: list[str] = []
    license: str | None = None
    intended_use: str | None = None
    limits: list[str] = []
    tags: list[str] = []


class RunRecord(RecordModel):
    """The single source of truth of a run."""

    schema_version: Literal[1] = 1
    name: str
    created: str = Field(description="ISO 8601, UTC")
    finetune_version: str
    task: Task = Field("automatic", description="'interactive' if the model segments what prompts point at")
    recipe: dict[str, Any] = Field(description="the resolved recipe, local paths cut to their last part")
    card: Card
    model: Model
    data: Data
    training: Training
    metrics: list[MetricDescription] = Field(description="of accuracy, in the order of tables and columns")
    accuracy: Accuracy | None = Field(None, description="None when there were no test images")
    prompts: list[PromptScore] = Field([], description="one a kind, of a model that answers prompts")
    timing: Timing | None = None
    environment: Environment
    warnings: list[str] = Field([], description="what the guards saw, in words")
    exports: list[ExportCheck] = []
    files: list[File] = []

    def dumps(self) -> str:
        """Canonical JSON: sorted keys, two spaces, UTF-8, a newline at the end."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def digest(self) -> str:
        """SHA-256 of the record as it is written."""
        return hashlib.sha256(self.dumps().encode()).hexdigest()

    @classmethod
    def read(cls, path: Path | str) -> RunRecord:
        """Read `record.json`, or the one in a run folder.

        Raises:
            InputError: if there is no such file, or it is not a record.
        """
        path = Path(path)
        path = path / "record.json" if path.is_dir() else path
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: cannot read the record: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            if where == "schema_version":
                raise InputError(
                    f"{path}: schema_version is {first['input']!r}, this finetune reads {SCHEMA_VERSION}: "
                    "use the version that wrote it"
                ) from error
            raise InputError(f"{path}: not a run record: {where}: {first['msg']}") from error


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `record.json`, shipped as `cards/schema/run-record-1.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunRecord.model_json_schema()}
