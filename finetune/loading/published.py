"""Published models as their authors use them, without fine-tuning: "repository:name@revision"."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cards.base import Spec
from cards.errors import ModelError
from finetune.data.normalization import PERCENTILE
from finetune.loading.builders import automatic_model, prompted_model
from finetune.loading.packages import package_model
from finetune.targets.tasks import task_of

if TYPE_CHECKING:
    from finetune.inference.protocol import Predictor


@dataclass(frozen=True)
class PublishedName:
    """Name of a published model.

    Attributes:
        repository: a key of `REPOSITORIES`.
        name: of the model in the repository.
        revision: of the weights; the latest if None.
    """

    repository: str
    name: str
    revision: str | None = None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.repository}:{self.name}{revision}"


def published_name(source: str | Path) -> PublishedName | None:
    """Parse "repository:name" or "repository:name@revision".

    Args:
        source: what a user calls a model.

    Returns:
        The parts; None for any other source, such as a path.
    """
    from finetune.repositories.registry import REPOSITORIES

    repository, separator, name = source.partition(":") if isinstance(source, str) else ("", "", "")
    if not separator or not name or repository not in REPOSITORIES or Path(source).exists():
        return None
    name, _, revision = name.partition("@")
    return PublishedName(repository, name, revision or None)


def load_published(
    model: PublishedName,
    *,
    checkpoint: Path | None = None,
    trust: bool = False,
    target: str | None = None,
    image_size: int | None = None,
) -> Predictor:
    """Load a model of a repository as its authors published it.

    Args:
        model: its name.
        checkpoint: a file with its weights, instead of a download.
        trust: allow TorchScript of a BioImage.IO package that could read or write files.
        target: target that decodes the maps of a BioImage.IO package; if None, what a package of finetune
            states, or the connected components of one probability map.
        image_size: side of the square to which a mask generator resizes images, in pixels; that of the
            pretraining if None. A smaller one is faster and less accurate.

    Returns:
        The model. Images with several channels are converted to gray, but for a BioImage.IO package, which
        states its channels.

    Raises:
        ModelError: if there is no such model, it needs fine-tuning, or a download fails.
    """
    from finetune.repositories.registry import LoadOptions, load, promptable, published

    if model.repository == "bioimageio":
        from finetune.repositories.bioimageio.collection import open_package

        package = open_package(checkpoint or model.name, model.revision)
        return package_model(package, trust=trust, target=target)
    if target is not None:
        raise ModelError(f"{model}: has a target of its own; leave target out")
    use = published(model.repository, model.name)
    network_options = use.options if image_size is None else use.options | {"image_size": image_size}
    options = LoadOptions(
        1, 1, options=network_options, checkpoint=checkpoint, revision=model.revision, trust=trust
    )
    if task_of(use.target.name) == "interactive":
        loaded = promptable(model.repository).load(model.name, options)
        return prompted_model(loaded, use.target, loaded.normalize or PERCENTILE, "gray", 1)
    from finetune.targets.registry import build_target

    maps = build_target(use.target.name, use.target.options).channels
    loaded = load(model.repository, model.name, replace(options, out_channels=maps))
    if loaded.origin.weights != "pretrained" or loaded.origin.part:
        part = loaded.origin.part or "none"
        raise ModelError(f"{model}: pretrained weights: {part}; fine-tune the model first")
    spec = Spec(name=use.target.name, options=use.target.options | loaded.suggests)
    return automatic_model(loaded, spec, loaded.normalize or PERCENTILE, "gray", 1)
