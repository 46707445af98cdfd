"""What every run does with the network that it starts from, before anything is trained."""

from __future__ import annotations

from torch import nn

from finetune.adapters import apply
from finetune.data.normalization import Normalize, build_normalize
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import Loaded, LoadOptions

PERCENTILE = {"name": "percentile", "low": 1.0, "high": 99.8}  # where neither recipe nor model say otherwise


def load_options(recipe: Recipe, channels: int, maps: int) -> LoadOptions:
    """What a recipe asks of a network that takes so many channels and gives so many maps."""
    section = recipe.model
    return LoadOptions(
        in_channels=channels,
        out_channels=maps,
        options=section.options,
        checkpoint=section.checkpoint,
        pretrained=section.pretrained,
        revision=section.revision,
        trust=section.trust,
        seed=recipe.training.seed,
    )


def normalize_of(recipe: Recipe, loaded: Loaded) -> Normalize:
    """The recipe's normalization, or else what the weights were trained with."""
    return build_normalize(recipe.data.normalize or loaded.normalize or PERCENTILE)


def adapted(recipe: Recipe, loaded: Loaded) -> nn.Module:
    """The network, of which only what `model.adapt` says is trained."""
    section = recipe.model
    return apply(loaded.network, section.adapt, section.adapt_options, loaded.encoder, recipe.training.seed)


def warn_about_frozen_random_weights(recipe: Recipe, loaded: Loaded) -> list[str]:
    """A warning where `model.adapt` keeps weights as they are of which none has learned anything."""
    adapt = recipe.model.adapt
    if adapt == "full" or loaded.origin.weights != "random":
        return []
    return [f"model.adapt: {adapt} keeps weights as they are that are random"]
