"""StarDist 2D: its U-Net trained from scratch, its published models, and any folder saved by StarDist.

Weights are Keras files (.h5); `finetune.weights.keras_h5` converts them in both directions.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.record import Origin
from finetune.data.datasets import SCHMIDT
from finetune.downloads.archive import cache_folder, download
from finetune.errors import unknown
from finetune.repositories.base import Built, Loaded, LoadOptions, ModelInfo
from finetune.repositories.capabilities import NativeFile
from finetune.repositories.options import complete
from finetune.repositories.stardist.checkpoints import (
    add_foreground,
    check_channels,
    first_weights,
    keras_file,
    read_start,
)
from finetune.repositories.stardist.config import (
    REPOSITORY,
    StarDistOptions,
    read_thresholds,
    write_config,
    write_thresholds,
)
from finetune.utils.optional import require
from finetune.weights.checkpoint import load_strictly, origin
from finetune.weights.keras_h5 import write_weights
from finetune.weights.last_layer import all_but

if TYPE_CHECKING:
    from torch import nn

RELEASE = "v0.1"
URL = f"https://github.com/stardist/stardist-models/releases/download/{RELEASE}/python_{{name}}.zip"
LICENSE = "BSD-3-Clause"  # of github.com/stardist/stardist-models, which holds the weights

# Published models by name, with the hash of their archives, as `stardist.models` registers them (0.9.2).
PUBLISHED = {
    "2D_versatile_fluo": "4ad678d0758eed6e55625f1b5ae30771e59adb79f1239e09b9772eac8846c3dd",
    "2D_paper_dsb2018": "4c11cf68512341d9e8ce3d1278c64ceb8ac400582739f85fcab079a2e82840d2",
}
TITLES = {
    "unet": "StarDist's U-Net, trained from scratch",
    "2D_versatile_fluo": "Versatile (fluorescent nuclei), trained on a part of DSB 2018",
    "2D_paper_dsb2018": "DSB 2018, of the paper StarDist 2D",
}
PARAMETERS = 1_406_689  # of "unet" with 32 rays; a published model brings its own options
# StarDist trains with 3e-4 (`Config2D`), and normalizes so in its examples. With random weights,
# 1e-3 is better (benchmarks/tried.csv).
LEARNING_RATE, FROM_SCRATCH = 3e-4, 1e-3
NORMALIZE = {"name": "percentile", "low": 1.0, "high": 99.8}
NATIVE = NativeFile("weights_best.h5", "keras_hdf5")
# The way down; with it the resolutions above the U-Net that a grid adds.
ENCODER = ("grid", "down", "middle")


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model.

    Args:
        name: of the model.

    Returns:
        A pydantic model; None if there is no such model.
    """
    return StarDistOptions if name in TITLES else None


def models() -> list[ModelInfo]:
    """List the models.

    Returns:
        Descriptions of all models that have a name.
    """
    return [
        ModelInfo(
            name=name,
            title=title,
            task="instance segmentation",
            license=LICENSE if name in PUBLISHED else None,
            learning_rate=LEARNING_RATE if name in PUBLISHED else FROM_SCRATCH,
            learning_rates=(1e-6, 1e-2),
            parameters=PARAMETERS if name == "unet" else None,
            pretrained=name in PUBLISHED,
            targets=("rays",),
            objects=("nuclei",) if name in PUBLISHED else (),
        )
        for name, title in TITLES.items()
    ]


def build(name: str, *, in_channels: int, out_channels: int, options: dict[str, Any]) -> Built:
    """Build a network with random weights from torch's global generator.

    Args:
        name: model name.
        in_channels: number of image channels.
        out_channels: K, number of maps.
        options: options of the network, see `options_model`.

    Returns:
        The network.

    Raises:
        InputError: if there is no such model, an option is invalid, or there is only one map.
    """
    from finetune.networks.stardist_unet import StarDistUNet

    options = _complete(name, options)
    if out_channels < 2:
        raise ModelError(
            f"model {name} predicts a probability and distances, the target has {out_channels} map: "
            "set model.target=rays"
        )
    return Built(
        network=StarDistUNet(in_channels, out_channels, **options),
        architecture=NetworkSpec(repository=REPOSITORY, name=name, options=options),
        divisor=options["grid"] * 2 ** options["depth"],
    )


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a network with published weights, those of a checkpoint, or random ones.

    Args:
        name: "unet", which has no pretrained weights, or a published model.
        start: initialization options. The number of maps is 1 + the number of rays, and 1 for the foreground.
            Options are those of `StarDistOptions`; `foreground` adds its head to weights without one. A
            checkpoint is a folder saved by StarDist or its .h5 file; or a run, its `huggingface` folder, or a
            .safetensors file. The only revision is "v0.1".

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    require("h5py", "stardist")  # every run writes a Keras file for StarDist
    import torch

    options, checkpoint = start.options, start.checkpoint
    _complete(name, options)
    if start.revision not in (None, RELEASE):
        raise unknown(f"model.revision of repository {REPOSITORY}", str(start.revision), [RELEASE])
    base, found, suggests = Origin(repository=REPOSITORY, id=name, weights="random"), None, {}
    published = checkpoint is None and start.pretrained and name in PUBLISHED
    if published:
        checkpoint = fetch(name)
    if checkpoint is not None:
        file = keras_file(Path(checkpoint))
        if file:
            suggests = read_thresholds(file.parent)
        found, options = read_start(Path(checkpoint), name, start)
        base = origin(found, REPOSITORY, name)
    if published:
        stated = {"license": LICENSE, "citation": [SCHMIDT], "revision": RELEASE}
        base = base.model_copy(update=stated)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        built = build(name, in_channels=start.in_channels, out_channels=start.out_channels, options=options)
    if found:
        check_channels(found, start, options["foreground"])
        whole = add_foreground(found, built.network)
        load_strictly(built.network, whole)
        if added := whole.state.keys() - found.state.keys():
            part = all_but(built.network, added, "the head for the foreground")
            base = base.model_copy(update={"part": part})
    return Loaded(
        **vars(built),
        origin=base,
        learning_rate=FROM_SCRATCH if base.weights == "random" else LEARNING_RATE,
        normalize=NORMALIZE,
        encoder=ENCODER,
        suggests=suggests,
    )


def save(
    network: nn.Module,
    architecture: NetworkSpec,
    folder: Path,
    target: dict[str, Any] | None = None,
) -> list[Path]:
    """Write a model folder for StarDist: `StarDist2D(None, folder.name, folder.parent)` opens it.

    Tested with stardist 0.9.2, TensorFlow 2.21 and Keras 3.15, grid 1 and 2, with and without a foreground:
    outputs agree within 3e-7, labels pixel by pixel. The test suite has no TensorFlow; it reads the files
    with `load`.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network.
        folder: the folder `native/` of the run; created if something is written.
        target: name and options of the target.

    Returns:
        config.json, weights_best.h5 and, if a target is given, thresholds.json (StarDist's defaults are 0.5
        and 0.4). None if the network predicts fewer than three rays.
    """
    state, options = network.state_dict(), _complete(architecture.name, architecture.options)
    if len(state["dist.weight"]) < 3:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights_best.h5"
    write_weights(weights, state, options)
    channels, rays = first_weights(state).shape[1], len(state["dist.weight"])
    config = write_config(folder, options, channels=channels, rays=rays)
    if target is None:
        return [config, weights]
    return [config, weights, write_thresholds(folder, target["options"])]


def _complete(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Validate the options and add defaults."""
    if name not in TITLES:
        raise unknown(f"{REPOSITORY} model", name, TITLES)
    return complete(name, options, StarDistOptions)


def fetch(name: str) -> Path:
    """Locate the folder of a published model in the cache; download it if necessary.

    Args:
        name: a key of `PUBLISHED`.

    Returns:
        The folder.

    Raises:
        InputError: if the download fails.
    """
    folder = cache_folder() / REPOSITORY / name
    if folder.is_dir():
        return folder
    url = URL.format(name=name)
    check = functools.partial(_must_hold_weights, url)
    return download(url, folder, PUBLISHED[name], check, key="model.checkpoint")


def _must_hold_weights(url: str, folder: Path) -> None:
    if not (folder / "config.json").is_file() or not keras_file(folder):
        raise ModelError(f"{url}: contains no StarDist model: no config.json beside weights in .h5")
