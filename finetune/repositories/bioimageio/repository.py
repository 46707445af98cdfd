"""BioImage.IO: fine-tuning of any 2D model package.

A recipe names a package by `model.name` (an id of the collection, or a web address) or `model.checkpoint` (a
zip, a folder, an rdf.yaml, or a run started from a package). TorchScript is preferred: it includes the
network and executes no Python. A state dict needs the package's own code, and so `model.trust`.

Dropout and batch normalization of scripted TorchScript behave as in Python. In traced TorchScript they are
fixed in the traced mode: running statistics stay, and only scale and offset are trained.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.integrity import check_files
from cards.record import Origin, RunRecord
from finetune.errors import unknown
from finetune.repositories.base import STRUCTURE, Built, Loaded, LoadOptions, ModelInfo
from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.bioimageio.description import PACKAGE, describe_package
from finetune.repositories.bioimageio.manifest import KNOWN
from finetune.repositories.bioimageio.operations import normalization, output
from finetune.repositories.bioimageio.options import PackageOptions
from finetune.repositories.bioimageio.package import TUNABLE, Package, read_file
from finetune.repositories.bioimageio.tensors import check_tensors, halo, own_test, steps
from finetune.repositories.options import complete
from finetune.weights.checkpoint import load_strictly, origin, read_checkpoint
from finetune.weights.last_layer import LAST_LAYER, all_but

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

# Relative tolerance of the test output: another machine or torch version changes the last digits of float32,
# wrong preprocessing the first.
TOLERANCE = 1e-2


def models() -> list[ModelInfo]:
    """List known models of the collection, and an entry that stands for all packages.

    Returns:
        The descriptions.
    """
    return [*KNOWN, PACKAGE]


def build(name: str, *, in_channels: int, out_channels: int, options: dict[str, Any]) -> Built:
    """Raise an error: the network is part of a package and cannot be built by name.

    Args:
        name: name of the package.
        in_channels: not used.
        out_channels: not used.
        options: not used.

    Returns:
        Never.

    Raises:
        ModelError: always.
    """
    raise ModelError(f"{name}: a BioImage.IO network cannot be built by name; load its package")


def load(name: str, start: LoadOptions) -> Loaded:
    """Load the network of a package with its weights.

    Args:
        name: id or web address of the package, unless there is a checkpoint.
        start: initialization options. The option `weights` is "torchscript" (the default if available) or
            "pytorch_state_dict", which needs `trust`. A checkpoint is a local package, a run started from
            one, or its `huggingface` folder. If the target has another number of maps, the last layer is
            initialized randomly. `pretrained=False` reinitializes the weights of the network. A revision is
            the version of the model, or the first characters of the SHA-256 of its description.

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    from finetune.repositories.bioimageio import network as networks

    checkpoint, in_channels = start.checkpoint, start.in_channels
    if checkpoint is not None and _is_run(checkpoint):
        return _load_run(checkpoint, name, start)
    if checkpoint is not None and not checkpoint.exists():
        raise ModelError(f"{checkpoint}: no such file or folder")
    package = open_package(name if checkpoint is None else checkpoint, start.revision)
    if why_not := describe_package(package).why_not:
        raise ModelError(f"{package.source}: {why_not}")
    check_tensors(package, in_channels)
    inputs, outputs = package.description.inputs[0], package.description.outputs[0]
    normalize = normalization(inputs.preprocessing, in_channels, package.source)
    output_type = output(outputs.postprocessing, package.source)
    network, sha256 = _network(package, _format(package, start.options), start.trust)
    divisor, maps = _sizes(package, network, in_channels)
    network = _logits(package, network, normalize, output_type)
    part = _adapt_maps(network, package.source, maps, divisor, start)
    if not start.pretrained:
        networks.randomize(network, start.seed)
    return Loaded(
        network=network,
        architecture=NetworkSpec(
            repository="bioimageio",
            name=package.name,
            options={"divisor": divisor, "halo": halo(package)},
        ),
        torchscript=True,
        divisor=divisor,
        halo=halo(package),
        origin=_origin(package, sha256, part, start.pretrained),
        learning_rate=PACKAGE.learning_rate,
        normalize=normalize,
        encoder=networks.encoder(network),
    )


def save(
    network: nn.Module, architecture: NetworkSpec, folder: Path, target: dict[str, Any] | None = None
) -> list[Path]:
    """Write nothing: the repository's format is the package that every run exports to `bioimageio/`.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network.
        folder: the folder `native/` of the run; created if something is written.
        target: name and options of the target.

    Returns:
        An empty list.
    """
    return []


def _format(package: Package, options: dict[str, Any]) -> str:
    """Select the weights format."""
    available = [name for name in TUNABLE if name in package.formats]
    selected = complete(package.name, options, PackageOptions)["weights"] or available[0]
    if selected not in available:
        raise unknown("weights format of this package", str(selected), available)
    return selected


def _network(package: Package, weights: str, trust: bool) -> tuple[nn.Module, str]:
    """Load the network, and compute the hash of its weights file."""
    from finetune.repositories.bioimageio.network import read_state_dict, read_torchscript

    if weights == "pytorch_state_dict":
        return read_state_dict(package, trust)
    entry = package.description.weights.torchscript
    assert entry is not None
    content, sha256 = read_file(package, entry)
    where = f"{package.source}/{Path(str(entry.source)).name}"
    return read_torchscript(content, where, trust), sha256


def _sizes(package: Package, network: nn.Module, in_channels: int) -> tuple[int, int]:
    """Determine the divisor of the image size, and the number of maps."""
    from finetune.repositories.bioimageio.network import fits

    found = fits(network, in_channels, steps(package))
    if found is None:
        sizes = {str(axis.id): axis.size for axis in package.description.inputs[0].axes}
        raise ModelError(
            f"{package.source}: takes {sizes['y']} × {sizes['x']} pixels and no other size that was tried; "
            "finetune requires a network for variable image sizes"
        )
    return found


def _recorded_normalization(record: RunRecord) -> dict[str, Any]:
    """The normalization of a record, as `data.normalize` in a recipe."""
    return {"name": record.model.normalize.name, **record.model.normalize.options}


def _adapt_maps(network: nn.Module, source: str, maps: int, divisor: int, start: LoadOptions) -> str | None:
    """Replace the last layer if the target has another number of maps; describe the part that is kept."""
    from finetune.repositories.bioimageio.last_layer import replace_last_layer

    if maps == start.out_channels:
        return None
    numbers = (maps, start.out_channels)
    replaced = replace_last_layer(network, start.in_channels, numbers, divisor, start.seed)
    if replaced is None:
        raise ModelError(
            f"{source}: the target has {start.out_channels} maps instead of {maps}, and the last layer "
            "cannot be replaced; set model.target to the target that the network was trained for"
        )
    return all_but(network, replaced, LAST_LAYER)


def _logits(package: Package, network: nn.Module, normalize: dict[str, Any], output_type: str) -> nn.Module:
    """Check the network against the package's test output, and make it output logits."""
    import torch

    from finetune.data.normalization import build_normalize
    from finetune.repositories.bioimageio.network import is_probability, logits_of

    test = own_test(package)
    if test is None:
        return network
    image, expected = test
    seen = torch.from_numpy(build_normalize(normalize)(image))
    kept = [step.id for step in package.description.outputs[0].postprocessing if step.id != "ensure_dtype"]
    if kept in ([], ["sigmoid"]):
        with torch.no_grad():
            got = network(seen[None])[0]
        got = got.sigmoid() if kept else got
        _check_test(package, got.numpy(), expected)
    return logits_of(network) if output_type == "as it is" and is_probability(network, seen) else network


def _check_test(package: Package, got: np.ndarray, expected: np.ndarray) -> None:
    import numpy as np

    difference = float(np.abs(got - expected).max()) if got.shape == expected.shape else float("inf")
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise ModelError(
            f"{package.source}: its test output is not reproduced (difference up to {difference:.2g}): "
            "its weights or processing steps do not match its description"
        )


def _origin(package: Package, sha256: str, part: str | None, pretrained: bool) -> Origin:
    return Origin(
        repository="bioimageio",
        id=package.name,
        weights="pretrained" if pretrained else "random",
        revision=package.revision,
        part=part if pretrained else None,
        sha256=sha256 if pretrained else None,
        license=package.license,
        citation=package.citations,
        bioimageio_id=package.id,
    )


def _is_run(path: Path) -> bool:
    """Whether a checkpoint is a run of finetune rather than a package."""
    if path.suffix == ".safetensors":
        return True
    return path.is_dir() and ((path / "config.json").is_file() or (path / "huggingface").is_dir())


def _load_run(checkpoint: Path, name: str, start: LoadOptions) -> Loaded:
    """Load the network of a run: its structure from TorchScript, its weights from safetensors."""
    from finetune.repositories.bioimageio import network as networks

    found = read_checkpoint(checkpoint)
    if found.architecture is None or found.architecture.repository != "bioimageio":
        raise ModelError(f"{checkpoint}: not a run that fine-tuned a BioImage.IO package")
    architecture = found.architecture
    structure = found.path.with_name(STRUCTURE)
    try:
        content = structure.read_bytes()
    except OSError as error:
        raise ModelError(f"{structure}: cannot read the network: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    check_files(structure.parent, [STRUCTURE], found.record, known={STRUCTURE: digest})
    network = networks.read_torchscript(content, str(structure), start.trust)
    load_strictly(network, found)
    divisor = architecture.options["divisor"]
    maps = networks.fits(network, start.in_channels, [divisor])
    if maps is None:
        raise ModelError(
            f"{checkpoint}: the network does not accept images with {start.in_channels} channels"
        )
    part = _adapt_maps(network, str(checkpoint), maps[1], divisor, start)
    base = origin(found, "bioimageio", name)
    return Loaded(
        network=network,
        architecture=architecture,
        torchscript=True,
        divisor=divisor,
        halo=architecture.options["halo"],
        origin=base.model_copy(update={"part": part or base.part}),
        learning_rate=PACKAGE.learning_rate,
        normalize=_recorded_normalization(found.record) if found.record else None,
        encoder=networks.encoder(network),
    )
