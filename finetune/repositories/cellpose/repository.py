"""Cellpose: the classic networks (cellpose 1 to 3) and Cellpose-SAM (cellpose 4), trained to predict flows.

License of the weights according to the authors: the files have the license of the code, BSD-3-Clause
(https://github.com/MouseLand/cellpose/issues/192; the model card of mouseland/cellpose-sam on the Hub). All
of these models were trained on data under CC-BY-NC (README of cellpose 3.1.1.3 and of 4); whether the weights
inherit those terms is open (the same issue). The record states both.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.record import Origin
from finetune.errors import unknown
from finetune.repositories.base import Built, Loaded, LoadOptions, ModelInfo
from finetune.repositories.capabilities import NativeFile
from finetune.repositories.cellpose import download as store
from finetune.repositories.cellpose.models import LICENSE, MODELS, TERMS, _Model
from finetune.repositories.options import complete
from finetune.utils.optional import require
from finetune.weights.checkpoint import Checkpoint, options_of, origin, read_checkpoint

if TYPE_CHECKING:
    import torch
    from torch import nn


# cellpose.transforms.normalize99, in all versions
NORMALIZE = {"name": "percentile", "low": 1.0, "high": 99.0}
NATIVE = NativeFile("*.pth", "pytorch")
MAPS = 3  # flow y, flow x and cell logit: what `cellpose` itself can read back
FIRST_CONV = "downsample.down.res_down_0.conv.conv_0.2.weight"
LAST = {"cpnet": "output.2.weight", "sam": "W2"}
HEAD = {"cpnet": ("output.",), "sam": ("out.", "W2")}


def models() -> list[ModelInfo]:
    """List the models.

    Returns:
        Descriptions of all models that have a name.
    """
    return [model.info for model in MODELS.values()]


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model.

    Args:
        name: of the model.

    Returns:
        A pydantic model; None if there is no such model.
    """
    return MODELS[name].options if name in MODELS else None


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
        InputError: if there is no such model, an option is invalid, or the model does not accept so many
            channels.
    """
    model = _find(name)
    if not model.info.fine_tunable:
        raise ModelError(f"model {name}: {model.info.why_not}")
    options = _complete(model, options)
    max_channels = options.get("nchan", 3)
    if in_channels > max_channels:
        raise ModelError(
            f"model {name} accepts at most {max_channels} channels, but the images have {in_channels}; "
            "select them with data.channels, such as [0] or [0, 1]: the objects to segment, then nuclei"
        )
    network: nn.Module
    if model.kind == "cpnet":
        from finetune.networks.cpnet import CPnet

        network = cpnet = CPnet(in_channels, out_channels, **options)
        divisor = cpnet.divisor
    else:
        network, divisor = _build_sam(in_channels, out_channels)
    architecture = NetworkSpec(repository="cellpose", name=name, options=options)
    return Built(network=network, architecture=architecture, divisor=divisor)


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a network with Cellpose's weights, those of a checkpoint, or random ones.

    Args:
        name: a key of `MODELS`.
        start: initialization options. Channels: for the classic models the objects to segment and,
            optionally, nuclei; for cpsam up to three in any order. If the number of maps is not 3, the last
            layer is initialized randomly, as in cellpose. Options of the classic models: `diameter` of the
            objects in pixels (images are resized so that it becomes `diam_mean`; None: no resizing),
            `diam_mean` and `nchan`, by default those of the checkpoint. A checkpoint is a file trained with
            `cellpose`, a file with parts of the network (see `state_dict.load_part`), or a run of finetune.
            Only cpsam has revisions, on the Hub.

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    import torch

    from finetune.weights.state_dict import load_part

    model = _find(name)
    found, base = _weights(model, start)
    options = _options(model, found, start.options) if found else start.options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        built = build(name, in_channels=start.in_channels, out_channels=start.out_channels, options=options)
    if found:
        without = _drop_head(model, found, start.out_channels)
        base = base.model_copy(update={"part": load_part(built.network, without) or base.part})
    if model.kind == "cpnet":
        completed = built.architecture.options
        # What `cellpose --diameter 0` resizes by: nothing, or as here.
        built.network.get_buffer("diam_labels").fill_(completed["diameter"] or completed["diam_mean"])
    return Loaded(
        **vars(built),
        origin=base,
        learning_rate=model.info.learning_rate,
        normalize=NORMALIZE,
        encoder=("downsample",) if model.kind == "cpnet" else ("encoder",),
    )


def save(
    network: nn.Module, architecture: NetworkSpec, folder: Path, target: dict[str, Any] | None = None
) -> list[Path]:
    """Write a file for `cellpose --pretrained_model FILE`: cellpose 3 for the classic models, 4 for cpsam.

    With `--diameter 0` cellpose 3 resizes images as in training.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network.
        folder: the folder `native/` of the run; created if something is written.
        target: name and options of the target.

    Returns:
        The file; none if the network does not predict flows, which cellpose cannot decode.
    """
    import torch

    state = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
    state = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    if _maps(_find(architecture.name), state) != MAPS:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{architecture.name}_finetuned.pth"
    torch.save(state, path)
    return [path]


def _find(name: str) -> _Model:
    if name not in MODELS:
        raise unknown("cellpose model", name, MODELS)
    return MODELS[name]


def _build_sam(in_channels: int, out_channels: int) -> tuple[nn.Module, int]:
    import logging

    require("cellpose", "cellpose")
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # cellpose warns of a package that only its DINO models need
    try:
        from finetune.networks.cellpose_sam import STEP, CellposeSAM
    finally:
        logging.disable(before)
    return CellposeSAM(in_channels, out_channels), STEP


def _complete(model: _Model, options: dict[str, Any]) -> dict[str, Any]:
    """Validate the options and add defaults; "auto" must have been replaced by a diameter before."""
    options = complete(model.info.name, options, model.options)
    if options.get("diameter") == "auto":
        raise ModelError(
            f"model {model.info.name}: diameter: auto is measured by recipes only; set a number of pixels"
        )
    return options


def _weights(model: _Model, start: LoadOptions) -> tuple[Checkpoint | None, Origin]:
    """Read the initial weights and describe their origin."""
    from finetune.weights.state_dict import read_state_dict

    name, checkpoint = model.info.name, start.checkpoint
    if checkpoint is None and not start.pretrained:
        return None, Origin(repository="cellpose", id=name, weights="random")
    base = Origin(
        repository="cellpose",
        id=name,
        weights="pretrained",
        license=LICENSE,
        terms=TERMS,
        citation=list(model.citation),
    )
    if checkpoint is None:
        fetched = store.fetch(name, start.revision)
        found = read_state_dict(fetched.path)
        base = base.model_copy(update={"revision": fetched.revision, "hub_id": fetched.hub_id})
    elif checkpoint.is_dir() or checkpoint.suffix == ".safetensors":
        found = read_checkpoint(checkpoint)
        return found, origin(found, "cellpose", name)
    else:
        found = read_state_dict(checkpoint)
    return found, base.model_copy(update={"sha256": found.sha256})


def _options(model: _Model, found: Checkpoint, options: dict[str, Any]) -> dict[str, Any]:
    """Options of the recipe, completed with those of the checkpoint."""
    if model.kind != "cpnet":
        return options_of(found, "cellpose", model.info.name, options)
    # The diameter is that of the images at hand, so it may be another than the checkpoint's.
    structure = {key: value for key, value in options.items() if key != "diameter"}
    recorded = options_of(found, "cellpose", model.info.name, structure)
    if found.architecture is None:
        if FIRST_CONV in found.state:
            recorded = {"nchan": found.state[FIRST_CONV].shape[1]} | recorded
        if "diam_mean" in found.state:
            recorded = {"diam_mean": float(found.state["diam_mean"][0])} | recorded
    return recorded | options


def _maps(model: _Model, state: dict[str, torch.Tensor]) -> int | None:
    """Number of output channels implied by a state dict, or None if it has no output layer."""
    last = state.get(LAST[model.kind])
    if last is None:
        return None
    return last.shape[0] if model.kind == "cpnet" else last.shape[1]


def _drop_head(model: _Model, found: Checkpoint, out_channels: int) -> Checkpoint:
    """Drop the output layer from a state dict if its channel count differs."""
    from dataclasses import replace

    if _maps(model, found.state) in (None, out_channels):
        return found
    state = {key: value for key, value in found.state.items() if not key.startswith(HEAD[model.kind])}
    return replace(found, state=state)
