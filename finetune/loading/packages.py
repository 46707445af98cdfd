"""Models from BioImage.IO packages, those that finetune wrote with the target and thresholds of their run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cards.errors import InputError, ModelError
from finetune.loading.config import PackageConfig

if TYPE_CHECKING:
    from torch import nn

    from finetune.inference.model import Model
    from finetune.inference.protocol import Predictor
    from finetune.repositories.bioimageio.package import Package


def package_model(package: Package, *, trust: bool = False, target: str | None = None) -> Predictor:
    """Load the model of a package.

    Args:
        package: the package, from a file, a folder, the web or the collection.
        trust: allow TorchScript that uses operators which could read or write files.
        target: name of the target that converts the maps of the package to labels. It replaces what a
            package of finetune states.

    Returns:
        The model. The labels of a package that finetune wrote are those of its run.

    Raises:
        ModelError: if the package cannot be used.
    """
    from finetune.inference.bioimageio_model import PackageModel

    config = None if target else _config(package)
    return _build(config, package, trust) if config else PackageModel(package, trust, target)


def _config(package: Package) -> PackageConfig | None:
    """How finetune predicts with a package of its own; None for other packages."""
    finetune = (package.description.config.model_extra or {}).get("finetune")
    prediction = finetune.get("prediction") if isinstance(finetune, dict) else None
    if prediction is None or "torchscript" not in package.formats:
        return None
    try:
        return PackageConfig.model_validate(prediction)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("config.finetune.prediction", *map(str, first["loc"])))
        raise ModelError(f"{package.source}: {where}: {first['msg'].lower()}") from error


def _build(config: PackageConfig, package: Package, trust: bool) -> Model:
    from finetune.data.normalization import build_normalize
    from finetune.inference.model import Model
    from finetune.repositories.bioimageio.package import read_file
    from finetune.targets.registry import build_target
    from finetune.weights.checkpoint import check_finite
    from finetune.weights.torchscript_check import load_torchscript

    entry = package.description.weights.torchscript
    assert entry is not None
    content, _ = read_file(package, entry)
    where = f"{package.source}: {Path(str(entry.source)).name}"
    network: Any = load_torchscript(content, where, trust=trust)
    check_finite(network.state_dict(), where)
    try:
        target = build_target(config.target.name, config.target.options)
        normalize = build_normalize(config.normalize)
    except InputError as error:
        raise ModelError(f"{package.source}: config.finetune.prediction: {error}") from error
    if target.head() is not None:  # the package's network ends with the head, which the target applies itself
        network = getattr(network, "network", network)
    # Without a receptive field, layers may need statistics of the whole image, which TorchScript cannot use.
    rebuilt = None if isinstance(config.receptive_field, int) else _rebuild(config, network, target.channels)
    return Model(
        network=(rebuilt or network).eval(),
        target=target,
        normalize=normalize,
        select=config.select_channels,
        channels=config.channels,
        divisor=config.divisor,
        architecture=config.architecture,
        halo=config.halo,
        receptive_field=config.receptive_field,
        torchscript=rebuilt is None,
    )


def _rebuild(config: PackageConfig, script: nn.Module, maps: int) -> nn.Module | None:
    """The network of a package, built by finetune's own code with the weights of its TorchScript.

    Args:
        config: names the architecture.
        script: TorchScript, which was checked.
        maps: number of maps.

    Returns:
        The network; None if finetune has no code for it, or weights or output differ.
    """
    import torch

    from finetune.networks.encoder_decoder import EncoderDecoder
    from finetune.repositories.registry import build
    from finetune.weights.equivalence import agree
    from finetune.weights.without_initialization import WithoutInitialization

    architecture = config.architecture
    try:
        with WithoutInitialization():  # every weight comes from the file
            network = build(
                architecture.repository,
                architecture.name,
                in_channels=config.channels,
                out_channels=maps,
                options=architecture.options,
            ).network
        if isinstance(network, EncoderDecoder):  # packages leave out weights that never run
            network = EncoderDecoder(network.encoder, network.decoder)
        network.load_state_dict(script.state_dict())
        network = network.eval().to(memory_format=torch.channels_last)
        with torch.no_grad():
            agree("The package", network, script.eval(), config.channels, config.divisor)
    except (InputError, RuntimeError, ValueError, TypeError):
        return None
    return network
