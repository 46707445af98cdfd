"""The models of a prediction: loaded, and described by their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.errors import InputError
from cards.metrics import PRIMARY
from cards.record import RunRecord
from finetune.downloads.hub import HUB_ID
from finetune.downloads.records import fetch_record
from finetune.inference.protocol import Predictor
from finetune.loading import load
from finetune.loading.published import published_name

WEIGHTS = "huggingface/model.safetensors"


@dataclass(frozen=True)
class Member:
    """A model as a prediction names it.

    Attributes:
        name: of the run, of the model on the Hub or in a repository, or of the package; never a local path.
        record: its run record; None if it has none.
    """

    name: str
    record: RunRecord | None

    @property
    def weights_sha256(self) -> str | None:
        """Hash of the weights, from the record; None if it is not recorded."""
        files = self.record.files if self.record else []
        return next((file.sha256 for file in files if file.path == WEIGHTS), None)

    @property
    def accuracy(self) -> tuple[float, float, int] | None:
        """Mean and standard deviation of Dice, and the number of test images; None if not measured."""
        accuracy = self.record.accuracy if self.record else None
        if accuracy is None:
            return None
        dice = accuracy.after.summary[PRIMARY]
        return dice.mean, dice.std, accuracy.images

    def to_json(self) -> dict[str, Any]:
        """The model for other programs.

        Returns:
            Name, hashes of weights and record, and Dice on the test images; None for what is not known.
        """
        mean, std, images = self.accuracy or (None, None, None)
        return {
            "name": self.name,
            "weights_sha256": self.weights_sha256,
            "record_sha256": self.record.digest() if self.record else None,
            "dice": {"mean": mean, "std": std, "test_images": images} if images else None,
        }


def load_models(
    sources: Sequence[str], *, trust: bool = False, target: str | None = None, symmetries: bool = False
) -> tuple[Predictor, list[Member]]:
    """Load one model, or several as an ensemble.

    Args:
        sources: what `finetune.load` takes.
        trust: allow TorchScript that could read or write files.
        target: target that decodes the maps of packages that finetune did not write.
        symmetries: average the maps over the 8 rotations and reflections of an image.

    Returns:
        The model and the description of each source.

    Raises:
        ModelError: if a model cannot be loaded, or the maps of the models cannot be averaged.
    """
    models = [load(source, trust=trust, target=target) for source in sources]
    if symmetries:
        from finetune.inference.symmetries import SymmetricModel

        models = [SymmetricModel(model) for model in models]
    members = [describe(source) for source in sources]
    if len(models) == 1:
        return models[0], members
    from finetune.inference.ensemble import EnsembleModel

    return EnsembleModel(models, list(sources)), members


def describe(source: str) -> Member:
    """Describe a model by its record.

    Args:
        source: what `finetune.load` takes.

    Returns:
        Its name, and its record if it has one.
    """
    record = None
    if not published_name(source):
        try:
            record = fetch_record(source)
        except InputError:  # the model was loaded: it has no record, or none that can be read
            record = None
    path = Path(source).expanduser()
    if record:
        name = record.name
    elif path.exists() or not (published_name(source) or HUB_ID.fullmatch(source)):
        name = path.resolve().name
    else:
        name = source
    return Member(name, record)
