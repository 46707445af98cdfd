"""The models of a prediction: loaded, and described by their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.errors import InputError, ModelError
from cards.fingerprint import sha256_file
from cards.integrity import HUB
from cards.metrics import PRIMARY
from cards.paths import expand_user
from cards.record import RunRecord
from finetune.downloads.hub import HUB_ID
from finetune.downloads.records import fetch_record
from finetune.inference.protocol import Predictor
from finetune.loading import load, load_members
from finetune.loading.precision import AskedPrecision
from finetune.loading.published import published_name
from finetune.weights.checkpoint import WEIGHTS


@dataclass(frozen=True)
class Member:
    """A model as a prediction names it.

    Attributes:
        name: of the run, of the model on the Hub or in a repository, or of the package; never a local path.
        record: its run record; None if it has none.
        weights_sha256: hash of the file with the weights; None if it is not known.
        license: SPDX id; None if it is not stated.
        precision: in which its network runs.
    """

    name: str
    record: RunRecord | None
    weights_sha256: str | None = None
    license: str | None = None
    precision: str = "float32"

    @property
    def accuracy(self) -> tuple[float, float | None, int] | None:
        """Mean and standard deviation of Dice, and the number of test images; None if not measured."""
        accuracy = self.record.accuracy if self.record else None
        if accuracy is None:
            return None
        dice = accuracy.after.summary[PRIMARY]
        return dice.mean, dice.std, accuracy.images

    def to_json(self) -> dict[str, Any]:
        """The model for other programs.

        Returns:
            Name, hashes of weights and record, precision, and Dice on the test images; None for what is not
            known.
        """
        mean, std, images = self.accuracy or (None, None, None)
        return {
            "name": self.name,
            "weights_sha256": self.weights_sha256,
            "record_sha256": self.record.digest() if self.record else None,
            "precision": self.precision,
            "dice": {"mean": mean, "std": std, "test_images": images} if images else None,
        }


def load_models(
    sources: Sequence[str],
    *,
    trust: bool = False,
    target: str | None = None,
    symmetries: bool = False,
    precision: AskedPrecision = "auto",
    channels: Sequence[int] = (),
) -> tuple[Predictor, list[Member]]:
    """Load one model, or several as an ensemble.

    Args:
        sources: what `finetune.load` takes.
        trust: allow TorchScript that could read or write files.
        target: target that decodes the maps of packages that finetune did not write.
        symmetries: average the maps over the 8 rotations and reflections of an image.
        precision: in which the networks run; see `finetune.load`.
        channels: of the images that the models see, by index from 0; those of the training if empty.

    Returns:
        The model and the description of each source.

    Raises:
        ModelError: if a model cannot be loaded, or the maps of the models cannot be averaged.
    """
    models = load_members(sources, trust=trust, target=target, precision=precision)
    members = [describe(source, model) for source, model in zip(sources, models, strict=True)]
    for model in models:
        choose_channels(model, channels)
    if symmetries:
        from finetune.inference.symmetries import SymmetricModel

        models = [SymmetricModel(model) for model in models]
    if len(models) == 1:
        return models[0], members
    from finetune.inference.ensemble import EnsembleModel

    return EnsembleModel(models, list(sources)), members


def choose_channels(model: Predictor, channels: Sequence[int]) -> None:
    """Let a model, or the members of an ensemble, see other channels of an image than in training.

    Args:
        model: changed in place.
        channels: indices from 0; empty to change nothing.

    Raises:
        ModelError: if the model takes another number of channels, or does not select channels.
    """
    if not channels:
        return
    if not hasattr(model, "select"):
        raise ModelError("channels: a package of another tool takes all channels; save those that it takes")
    if len(channels) != model.channels:
        raise ModelError(f"channels: {len(channels)} chosen, but the model takes {model.channels}")
    for member in (model, *getattr(model, "members", ())):
        member.select = list(channels)


def load_with_channels(source: str, channels: Sequence[int], **options: Any) -> Predictor:
    """Load a model that sees other channels of an image than in training.

    Args:
        source: what `finetune.load` takes.
        channels: see `choose_channels`.
        **options: of `finetune.load`.

    Returns:
        The model.
    """
    model = load(source, **options)
    choose_channels(model, channels)
    return model


def describe(source: str, model: Predictor) -> Member:
    """Describe a model by its record, its files and its package.

    Args:
        source: what `finetune.load` takes.
        model: what it returned.

    Returns:
        Its name and what is known of it.
    """
    record = None
    if not published_name(source):
        try:
            record = fetch_record(source)
        except InputError:  # the model was loaded: it has no record, or none that can be read
            record = None
    path = expand_user(source)
    if record:
        name = record.name
    elif path.exists() or not (published_name(source) or HUB_ID.fullmatch(source)):
        name = path.resolve().name
    else:
        name = source
    package: Any = getattr(model, "package", None)
    license_id = record.card.license if record else package.description.license if package else None
    return Member(
        name,
        record,
        _weights(path, record, package),
        str(license_id) if license_id else None,
        getattr(model, "precision", "float32"),
    )


def _weights(path: Path, record: RunRecord | None, package: Any) -> str | None:
    """Hash of the weights: from the record, the file itself, or the description of a package."""
    listed = {file.path: file.sha256 for file in record.files} if record else {}
    if found := listed.get(f"{HUB}/{WEIGHTS}"):
        return found
    file = next((place for place in (path / HUB / WEIGHTS, path / WEIGHTS) if place.is_file()), None)
    if file:
        return sha256_file(file)
    weights = package.description.weights if package else None
    entry = getattr(weights, "torchscript", None) or getattr(weights, "onnx", None)
    return str(entry.sha256) if entry and entry.sha256 else None
