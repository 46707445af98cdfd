"""What of a network is trained: all of it (`full`), all but its encoder (`head`), or an adapter (`lora`)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cards.errors import RecipeError
from finetune.errors import unknown

if TYPE_CHECKING:
    from torch import nn

ALL = "all-linear"  # peft's own word for every layer that takes an adapter
ADAPTER = "lora_"  # how peft begins the names of what it adds


class Adapt(Protocol):
    """One way to choose what is trained; its fields are `model.adapt_options`."""

    def apply(self, network: nn.Module, encoder: tuple[str, ...]) -> nn.Module:
        """Say which parameters are trained, in place; may add some."""


@dataclass(frozen=True)
class Full:
    """Every parameter that the network does not itself keep fixed."""

    def apply(self, network: nn.Module, encoder: tuple[str, ...]) -> nn.Module:
        """Nothing to change."""
        return network


@dataclass(frozen=True)
class Head:
    """All but the encoder, which stays as it is: for few images, or a target the encoder was not made for."""

    def apply(self, network: nn.Module, encoder: tuple[str, ...]) -> nn.Module:
        """Freeze the submodules named.

        Raises:
            RecipeError: if none are named.
        """
        if not encoder:
            raise RecipeError(
                "model.adapt: head needs a model whose repository says which part is its encoder; "
                "this one does not: take full or lora"
            )
        frozen = tuple(f"{name}." for name in encoder)
        for name, parameter in network.named_parameters():  # TorchScript has no requires_grad_ for a module
            if name.startswith(frozen):
                parameter.requires_grad_(False)
        return network


@dataclass(frozen=True)
class Lora:
    """A low-rank change of each layer's weights, W + alpha / rank · B A (Hu et al. 2021).

    https://arxiv.org/abs/2106.09685; the layers are those of the package peft. It begins as no change at all
    (B = 0), and once trained it is added to the weights, so that a network of the old form is left. The light
    decoder of an `EncoderDecoder` begins at random, where a small change is of no use: it is trained whole,
    as are the parts that a network itself names as `trained_whole`.

    Attributes:
        rank: of the change.
        alpha: how much it counts, as in the formula.
        layers: "all-linear": every Linear and Conv2d; or names: of layers, of the last parts of their
            names, or of parts of the network in which they lie.
    """

    rank: int = 8
    alpha: float = 16
    layers: str | list[str] = ALL

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if type(self.rank) is not int or self.rank < 1:
            raise RecipeError(f"model.adapt_options.rank is a whole number from 1 on, not {self.rank!r}")
        if not (isinstance(self.alpha, int | float) and self.alpha > 0):
            raise RecipeError(f"model.adapt_options.alpha is a number above 0, not {self.alpha!r}")
        names = self.layers if isinstance(self.layers, list) else [self.layers]
        if not names or not all(isinstance(name, str) and name for name in names):
            raise RecipeError(f"model.adapt_options.layers is {ALL} or a list of names, not {self.layers!r}")

    def apply(self, network: nn.Module, encoder: tuple[str, ...]) -> nn.Module:
        """Add the adapters, with random A from torch's generator as it stands; nothing else is trained.

        Raises:
            RecipeError: if there is no layer that takes one, or a name matches none.
        """
        import re

        from peft import LoraConfig, inject_adapter_in_model

        whole: tuple[str, ...] = getattr(network, "trained_whole", ())
        within = tuple(f"{name}." for name in whole)
        layers = [name for name in _adaptable(network) if not f"{name}.".startswith(within)]
        chosen = self._choose(layers)
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]
            lora_dropout=0.0,
            # One pattern: peft would take a bare name for the end of any other, and "0" ends many.
            target_modules="|".join(map(re.escape, chosen)),
        )
        network = inject_adapter_in_model(config, network)
        for name in whole:
            network.get_submodule(name).requires_grad_(True)
        return network

    def _choose(self, layers: list[str]) -> list[str]:
        if not layers:
            raise RecipeError(
                "model.adapt: lora needs Linear or Conv2d layers, and this network shows none "
                "(TorchScript hides them): take full or head"
            )
        if self.layers == ALL:
            return layers
        chosen: dict[str, None] = {}
        for name in [self.layers] if isinstance(self.layers, str) else self.layers:
            found = [layer for layer in layers if f".{name}." in f".{layer}."]
            if not found:
                parts = dict.fromkeys(part for layer in layers for part in layer.split("."))
                words = [part for part in parts if not part.isdigit()]
                raise unknown("layer in model.adapt_options.layers", name, [ALL, *(words or layers)])
            chosen |= dict.fromkeys(found)
        return [layer for layer in layers if layer in chosen]


ADAPTS: dict[str, type[Full] | type[Head] | type[Lora]] = {"full": Full, "head": Head, "lora": Lora}


class Count(NamedTuple):
    """Numbers of parameters.

    Attributes:
        trainable: that training changes: for `lora`, those of the adapter.
        total: of the network as it is exported: without an adapter, which is added to its weights.
    """

    trainable: int
    total: int


def build_adapt(name: str, options: dict[str, Any] | None = None) -> Full | Head | Lora:
    """The way of that name.

    Raises:
        RecipeError: if there is none, it has no such option, or an option is impossible.
    """
    if name not in ADAPTS:
        raise unknown("way to adapt", name, ADAPTS)
    known = inspect.signature(ADAPTS[name]).parameters
    for option in options or {}:
        if option not in known:
            raise unknown(f"option of model.adapt {name}", option, known)
    return ADAPTS[name](**options or {})


def describe(name: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """For the record: name and all options, those not given included."""
    return {"name": name, "options": asdict(build_adapt(name, options))}


def apply(
    network: nn.Module,
    adapt: str,
    options: dict[str, Any] | None = None,
    encoder: tuple[str, ...] = (),
    seed: int = 0,
) -> nn.Module:
    """Say which parameters of a network are trained.

    Args:
        network: changed in place: `requires_grad` of its parameters, and for `lora` some of its layers.
        adapt: a key of `ADAPTS`.
        options: of that way.
        encoder: names of the submodules that `head` keeps as they are.
        seed: of the adapter's weights; torch's own generator stays as it is.

    Returns:
        The network.

    Raises:
        RecipeError: if there is no such way or option, it does not go with this network, or nothing would
            be left to train.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_adapt(adapt, options).apply(network, encoder)
    if not count(network).trainable:
        raise RecipeError(f"model.adapt: {adapt} leaves nothing of this network to train")
    return network


def count(network: nn.Module) -> Count:
    """How many parameters there are, and how many of them are trained."""
    named = list(network.named_parameters())
    return Count(
        trainable=sum(parameter.numel() for _, parameter in named if parameter.requires_grad),
        total=sum(parameter.numel() for name, parameter in named if ADAPTER not in name),
    )


def merge(network: nn.Module) -> nn.Module:
    """The network without adapters: each is added to the weights of its layer.

    Args:
        network: as `apply` gave it and training left it; not changed.

    Returns:
        A network of the architecture and with the keys that there were before `apply`; the same network
        if it has no adapters. Its output is the same up to rounding.
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
    """Put what is not trained in evaluation mode: a BatchNorm's running statistics are weights, too.

    To be called whenever a network was put in training mode.
    """
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def _adaptable(network: nn.Module) -> Iterator[str]:
    """Names of the layers that peft can adapt and merge again.

    Not convolutions of several groups, which it cannot merge, nor those with dilation or with other padding
    than zeros, of which its adapter knows nothing; nor the last layer of torch's own attention, which takes
    its weights and passes over what would stand in its place.
    """
    from torch import nn
    from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

    for name, module in network.named_modules():
        if isinstance(module, NonDynamicallyQuantizableLinear):
            continue
        if isinstance(module, nn.Linear) or (
            isinstance(module, nn.Conv2d)
            and module.groups == 1
            and set(module.dilation) == {1}
            and module.padding_mode == "zeros"
        ):
            yield name
