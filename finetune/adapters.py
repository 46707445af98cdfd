"""Adapters choose what is trained: all parameters (`full`), all but the encoder (`head`) or `lora`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pydantic import Field, field_validator

from cards.errors import RecipeError
from finetune.errors import unknown
from finetune.utils.optional import require
from finetune.utils.options import Options, build_options, option_errors
from finetune.utils.registration import Registry

if TYPE_CHECKING:
    from torch import nn

ALL = "all-linear"  # peft's name for every layer that can be adapted
ADAPTER = "lora_"  # prefix of the parameter names that peft adds


class Adapter(Protocol):
    """Chooses the parameters that are trained.

    An adapter is a pydantic model (`finetune.utils.options.Options`); its fields are `model.adapt_options`.
    """

    def apply(self, network: nn.Module, encoder: tuple[str, ...]) -> nn.Module:
        """Set `requires_grad` of the parameters in place; may add parameters.

        Args:
            network: the network.
            encoder: names of the submodules that form its encoder; empty if unknown.

        Returns:
            The network.
        """


class Full(Options):
    """Train every parameter that the network itself does not freeze."""

    def apply(self, network: nn.Module, encoder: tuple[str, ...]) -> nn.Module:
        """Leave the network unchanged.

        Args:
            network: the network.
            encoder: not used.

        Returns:
            The network.
        """
        return network


class Head(Options):
    """Freeze the encoder: for few images, or a target that the encoder was not trained for."""

    def apply(self, network: nn.Module, encoder: tuple[str, ...]) -> nn.Module:
        """Freeze the encoder.

        Args:
            network: changed in place.
            encoder: names of the submodules to freeze.

        Returns:
            The network.

        Raises:
            RecipeError: if the encoder is unknown.
        """
        if not encoder:
            raise RecipeError(
                "model.adapt: head needs a model whose repository names its encoder; "
                "this one does not: set model.adapt=full or lora"
            )
        frozen = tuple(f"{name}." for name in encoder)
        for name, parameter in network.named_parameters():  # TorchScript has no requires_grad_ for a module
            if name.startswith(frozen):
                parameter.requires_grad_(False)
        return network


class Lora(Options):
    """Low-rank adaptation of each layer's weights, W + alpha / rank · B A (Hu et al. 2021).

    https://arxiv.org/abs/2106.09685; the layers are those of the package peft. At first the adapters change
    nothing (B = 0); after training they are merged into the weights, so the network has its original
    architecture. Parts that start from random weights are trained in full, because a low-rank change of
    random weights is of no use: the decoder of an `EncoderDecoder` and the parts in `trained_whole`.
    """

    rank: int = Field(8, ge=1, description="rank of the change")
    alpha: float = Field(16, gt=0, description="scale of the change, as in the formula")
    layers: str | list[str] = Field(
        ALL,
        description=f"{ALL}: every Linear and Conv2d layer; or names of layers, of the last parts of their "
        "names or of modules that contain them",
    )

    @field_validator("layers")
    @classmethod
    def _named(cls, layers: str | list[str]) -> str | list[str]:
        if not layers or not all(layers):
            raise ValueError(f"must be {ALL} or a list of names")
        return layers

    def apply(self, network: nn.Module, encoder: tuple[str, ...]) -> nn.Module:
        """Add adapters, with random A from torch's current generator, and freeze everything else.

        Args:
            network: changed in place.
            encoder: not used.

        Returns:
            The network.

        Raises:
            RecipeError: if no layer can be adapted, or a name matches no layer.
        """
        from finetune.utils.lora import adaptable_layers, inject, select_layers

        require("peft", "lora")

        whole: tuple[str, ...] = getattr(network, "trained_whole", ())
        within = tuple(f"{name}." for name in whole)
        layers = [name for name in adaptable_layers(network) if not f"{name}.".startswith(within)]
        network = inject(network, select_layers(layers, self.layers), self.rank, self.alpha)
        for name in whole:
            network.get_submodule(name).requires_grad_(True)
        return network


ADAPTERS: Registry[type[Any]] = Registry(
    "adapter", {"full": Full, "head": Head, "lora": Lora}, needs=("apply", "model_fields")
)


def register_adapter(name: str, adapter: type[Any]) -> None:
    """Add an adapter.

    Args:
        name: value of `model.adapt` in recipes.
        adapter: a subclass of `finetune.utils.options.Options` with the method of `Adapter`.

    Raises:
        InputError: if the name is taken, or the class is no adapter.
    """
    ADAPTERS.register(name, adapter)


class Count(NamedTuple):
    """Numbers of parameters.

    Attributes:
        trainable: parameters that are trained; for `lora`, those of the adapters.
        total: parameters of the exported network, without adapters, which are merged into its weights.
    """

    trainable: int
    total: int


def build_adapter(name: str, options: dict[str, Any] | None = None) -> Adapter:
    """Build an adapter.

    Args:
        name: a key of `ADAPTERS`.
        options: values by option name.

    Returns:
        The adapter.

    Raises:
        RecipeError: if the adapter or an option is unknown.
        InputError: if the value of an option is not allowed.
    """
    return build_options(_find(name), options, f"model.adapt {name}")


def adapter_option_errors(name: str, options: dict[str, Any]) -> dict[str, str]:
    """Validate the options of an adapter without building it.

    Args:
        name: a key of `ADAPTERS`.
        options: values by option name.

    Returns:
        One message per option that is wrong, by option name.

    Raises:
        RecipeError: if the adapter is unknown.
    """
    return option_errors(_find(name), options, f"model.adapt {name}")


def describe(name: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe an adapter for the run record.

    Args:
        name: a key of `ADAPTERS`.
        options: values by option name.

    Returns:
        Name and all options, defaults included.
    """
    return {"name": name, "options": build_options(_find(name), options, f"model.adapt {name}").model_dump()}


def apply(
    network: nn.Module,
    adapt: str,
    options: dict[str, Any] | None = None,
    encoder: tuple[str, ...] = (),
    seed: int = 0,
) -> nn.Module:
    """Choose the parameters of a network that are trained.

    Args:
        network: changed in place: `requires_grad` of its parameters, and for `lora` some of its layers.
        adapt: a key of `ADAPTERS`.
        options: options of the adapter.
        encoder: names of the submodules that `head` freezes.
        seed: seed of the adapter's weights; the state of torch's global generator is preserved.

    Returns:
        The network.

    Raises:
        RecipeError: if the adapter or an option is unknown, it does not fit this network, or no trainable
            parameter is left.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_adapter(adapt, options).apply(network, encoder)
    if not count(network).trainable:
        raise RecipeError(f"model.adapt: {adapt} leaves nothing of this network to train")
    return network


def count(network: nn.Module) -> Count:
    """Count the parameters of a network.

    Args:
        network: the network, with or without adapters.

    Returns:
        Numbers of trainable and of all parameters.
    """
    named = list(network.named_parameters())
    return Count(
        trainable=sum(parameter.numel() for _, parameter in named if parameter.requires_grad),
        total=sum(parameter.numel() for name, parameter in named if ADAPTER not in name),
    )


def merge(network: nn.Module) -> nn.Module:
    """Merge the adapters into the weights of their layers.

    Args:
        network: a network with adapters (see `apply`); not changed.

    Returns:
        A network with the original architecture and keys, whose output is the same up to rounding; the
        network itself if it has no adapters.
    """
    if not any(ADAPTER in name for name, _ in network.named_parameters()):
        return network
    network = copy.deepcopy(network)
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted = [name for name, module in network.named_modules() if isinstance(module, BaseTunerLayer)]
    for name in adapted:
        layer: Any = network.get_submodule(name)
        layer.merge()
        network.set_submodule(name, layer.get_base_layer())
    del network.peft_config
    return network


def freeze_statistics(network: nn.Module) -> None:
    """Put frozen modules in evaluation mode after a switch to training mode: BatchNorm keeps its statistics.

    Args:
        network: changed in place.
    """
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def _find(name: str) -> type[Any]:
    if name not in ADAPTERS:
        raise unknown("adapter", name, ADAPTERS)
    return ADAPTERS[name]
