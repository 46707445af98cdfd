"""Hugging Face: semantic segmentation models, Mask2Former, SAM and SAM 2 of transformers, automatic.

A recipe names a model by its id on the Hub, or a local folder with `model.checkpoint`. The configuration
determines the architecture (`architectures.KINDS`). Weights are safetensors; code in a model repository is
never executed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.record import Origin
from finetune.repositories.base import Built, Loaded, LoadOptions
from finetune.repositories.capabilities import NativeFile
from finetune.repositories.huggingface.files import (
    CONFIG,
    Files,
    from_folder,
    from_hub,
    read_json,
    read_model,
)
from finetune.repositories.huggingface.models import ANY_MODEL, NAMED
from finetune.repositories.huggingface.options import ImageOptions, complete
from finetune.utils.atomic import write_safetensors
from finetune.utils.optional import require
from finetune.weights.checkpoint import (
    Checkpoint,
    load_strictly,
    options_of,
    origin,
    read_checkpoint,
    refuse_prompts,
)

if TYPE_CHECKING:
    from torch import nn

NORMALIZE = {"name": "percentile", "low": 1.0, "high": 99.8}  # to about 0..1, which mean and std are of
SEGFORMER = "Xie et al. 2021, SegFormer, https://arxiv.org/abs/2105.15203"
SAM = "Kirillov et al. 2023, Segment Anything, https://arxiv.org/abs/2304.02643"
SAM2 = "Ravi et al. 2024, SAM 2, https://arxiv.org/abs/2408.00714"
MASK2FORMER = "Cheng et al. 2022, Mask2Former, https://arxiv.org/abs/2112.01527"
CITATIONS = {"segformer": SEGFORMER, "mask2former": MASK2FORMER, "sam": SAM, "sam2": SAM2}
DECODER = "decoder.safetensors"
NATIVE = NativeFile("model.safetensors", "safetensors")


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
    return _build(name, in_channels, out_channels, options)[0]


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a network with weights from the Hub, a folder or a run, or with random ones.

    Args:
        name: id on the Hub.
        start: initialization options. Images have at most 3 channels; a single channel is repeated. Options:
            `config`, content of `config.json`, for random weights; `mean` and `std` of the pretraining
            images, three numbers each, by default those in the repository. A checkpoint is a run of finetune,
            or a folder written by `save_pretrained`. No code is executed, whatever `trust` says.

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    require("transformers", "huggingface")
    import torch

    files, found = find_weights(name, start)
    options, base = start.options, Origin(repository="huggingface", id=name, weights="random")
    if found:
        refuse_prompts(found)
        options, base = options_of(found, "huggingface", name, options), origin(found, "huggingface", name)
    if files:
        options = options_of_files(files, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        built, part = _build(name, start.in_channels, start.out_channels, options, files)
    if found:
        load_strictly(built.network, found)
    if files:
        base = origin_of(name, files, part, built.architecture, on_hub=start.checkpoint is None)
    return Loaded(
        **vars(built),
        origin=base,
        learning_rate=next((info for info in NAMED if info.name == name), ANY_MODEL).learning_rate,
        normalize=NORMALIZE,
        encoder=(_encoder(built),),
    )


def save(
    network: nn.Module, architecture: NetworkSpec, folder: Path, target: dict[str, Any] | None = None
) -> list[Path]:
    """Write a folder for `from_pretrained` of the model class in transformers.

    Prompt encoder and mask decoder are included: with trained weights and a processor for promptable
    networks, else unchanged. The lightweight decoder, which transformers does not know, is written to
    `decoder.safetensors`.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network.
        folder: the folder `native/` of the run; created if something is written.
        target: name and options of the target.

    Returns:
        The files.
    """
    from finetune.repositories.huggingface import architectures as kinds
    from finetune.repositories.huggingface import conversion, messages

    config = architecture.options["config"]
    kind = kinds.kind_of(config, architecture.name)
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    own = {key: value for key, value in state.items() if kind.to_transformers(key) is None}
    folder.mkdir(parents=True, exist_ok=True)
    if "image_size" in architecture.options:
        from finetune.repositories.huggingface.mask_generation import save_processor

        save_processor(architecture, folder)
    with messages.quiet():
        read = kinds.read_config(kind, config, config.get("num_labels"), architecture.name)
        conversion.back_to_transformers(kind, read, state).save_pretrained(folder)
    if own:
        write_safetensors(folder / DECODER, own, {"format": "pt"})
    return sorted(path for path in folder.iterdir() if path.is_file())


def reload(path: Path, architecture: NetworkSpec, in_channels: int, out_channels: int) -> nn.Module:
    """Load a network from a file that `save` wrote; see `finetune.repositories.capabilities.ReloadsWeights`.

    Args:
        path: the file.
        architecture: specification of the network.
        in_channels: number of image channels.
        out_channels: number of maps.

    Returns:
        The network.

    Raises:
        ModelError: if the file cannot be read, or belongs to another network.
    """
    from safetensors.torch import load_file

    # The folder has its own configuration.
    options = {key: value for key, value in architecture.options.items() if key != "config"}
    start = LoadOptions(in_channels, out_channels, options, checkpoint=path.parent)
    network = load(architecture.name, start).network
    decoder = path.with_name(DECODER)
    if decoder.is_file():
        network.load_state_dict(load_file(decoder), strict=False)
    return network


def find_weights(name: str, start: LoadOptions) -> tuple[Files | None, Checkpoint | None]:
    """Locate the initial weights.

    Args:
        name: id on the Hub.
        start: initialization options.

    Returns:
        Files of transformers, or the checkpoint of a run; both None for random weights.

    Raises:
        ModelError: if there are no weights, or a download fails.
    """
    if start.checkpoint is None:
        return (from_hub(name, start.revision) if start.pretrained else None), None
    if _is_theirs(start.checkpoint):
        return from_folder(start.checkpoint, str(start.checkpoint)), None
    return None, read_checkpoint(start.checkpoint)


def _is_theirs(checkpoint: Path) -> bool:
    """Whether a checkpoint is a folder of transformers rather than one of finetune."""
    if (checkpoint / "huggingface").is_dir() or not (checkpoint / CONFIG).is_file():
        return False
    return "architecture" not in read_json(checkpoint / CONFIG, str(checkpoint))


def options_of_files(files: Files, options: dict[str, Any]) -> dict[str, Any]:
    """Complete the options of the recipe with those of the files.

    Args:
        files: files of the model.
        options: options of the recipe.

    Returns:
        All known options.

    Raises:
        ModelError: if the recipe sets `config`.
    """
    if "config" in options:
        raise ModelError(
            "model.options.config: pretrained weights have their own configuration; remove the option, "
            "or set model.pretrained=false"
        )
    says = {"mean": files.mean, "std": files.std}
    return {"config": files.config} | {key: value for key, value in says.items() if value} | options


def _build(
    name: str, in_channels: int, out_channels: int, options: dict[str, Any], files: Files | None = None
) -> tuple[Built, str | None]:
    """Build the network, with weights from files if there are any; describe the pretrained part."""
    from finetune.repositories.huggingface import architectures as kinds
    from finetune.repositories.huggingface import conversion
    from finetune.repositories.huggingface.network import build_network

    options = complete(name, in_channels, options, ImageOptions)
    kind = kinds.kind_of(options["config"], name)
    config = kinds.read_config(kind, options["config"], out_channels, name)
    model, fresh = (None, []) if files is None else read_model(files, kind, config, name)
    network, divisor = build_network(kind, config, out_channels, options["mean"], options["std"], model)
    options["config"] = kinds.write_config(kind, config)
    built = Built(
        network=network,
        architecture=NetworkSpec(repository="huggingface", name=name, options=options),
        divisor=divisor,
    )
    return built, None if files is None else conversion.part(kind, network, fresh)


def _encoder(built: Built) -> str:
    """Name of the submodule that `adapt: head` freezes."""
    from finetune.networks.hf_semantic import Semantic
    from finetune.networks.mask2former import Mask2Former
    from finetune.repositories.huggingface.architectures import encoder_of, kind_of

    if not isinstance(built.network, Mask2Former | Semantic):
        return "encoder"
    architecture = built.architecture
    return f"model.{encoder_of(kind_of(architecture.options['config'], architecture.name))}"


def origin_of(name: str, files: Files, part: str | None, architecture: NetworkSpec, on_hub: bool) -> Origin:
    """Describe the origin of the weights for the record.

    Args:
        name: id on the Hub.
        files: files of the model.
        part: description of the pretrained part.
        architecture: specification of the network.
        on_hub: whether the weights are from the Hub.

    Returns:
        The origin.
    """
    model_type = architecture.options["config"]["model_type"]
    return Origin(
        repository="huggingface",
        id=name,
        weights="pretrained",
        revision=files.revision,
        sha256=files.sha256,
        license=files.license,
        terms=files.terms,
        part=part,
        citation=[CITATIONS[model_type]] if model_type in CITATIONS else [],
        hub_id=name if on_hub else None,
    )
