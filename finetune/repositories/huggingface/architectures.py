"""Supported architectures of transformers, and conversion of parameter names in both directions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cards.errors import ModelError
from finetune.errors import unknown
from finetune.networks.mask2former import TASK_SPECIFIC
from finetune.repositories.huggingface.messages import first_lines
from finetune.utils.optional import require


@dataclass(frozen=True)
class Architecture:
    """A supported architecture, selected by `model_type` in `config.json`.

    Attributes:
        config_type: `model_type` that selects the configuration class in transformers.
        model: model class in transformers.
        network: function in `finetune.networks.hf_encoders` that builds our network.
        parts: prefixes of parameter names: ours to those of transformers.
        divisor: divisor of height and width in pixels.
        fresh: prefixes, in transformers, of parameters that may be initialized randomly, if not all behind
            the encoder may.
        unused: prefixes, in transformers, of parameters that do not affect the output and may be missing.
    """

    config_type: str
    model: str
    network: str
    parts: dict[str, str]
    divisor: int
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def to_transformers(self, name: str) -> str | None:
        """Convert one of our parameter names to transformers.

        Args:
            name: name in our network.

        Returns:
            Name in transformers; None for parameters of our own decoder.
        """
        return _renamed(name, self.parts)

    @property
    def semantic(self) -> bool:
        """Whether the model's own output layer predicts the maps."""
        return self.network in ("segformer", "semantic")

    @property
    def queries(self) -> bool:
        """Whether the model predicts one map per query."""
        return self.network == "mask2former"

    def may_be_fresh(self, name: str, base: str) -> bool:
        """Whether a parameter behind the encoder may be initialized randomly.

        Args:
            name: parameter name in transformers.
            base: name of the encoder in transformers.

        Returns:
            True if random initialization is allowed.
        """
        if self.fresh:
            return name.startswith(tuple(f"{part}." for part in (*self.fresh, *self.unused)))
        return self.semantic and not name.startswith(f"{base}.")

    def from_transformers(self, name: str) -> str:
        """Convert a parameter name of transformers to our network.

        Args:
            name: name in transformers.

        Returns:
            Name in our network.
        """
        return _renamed(name, {after: before for before, after in self.parts.items()}) or name


# Keys of a configuration that do not describe the network: labels of another task, custom classes, paths.
LEFT_OUT = (
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "id2label",
    "label2id",
    "num_labels",
    "torch_dtype",
    "transformers_version",
)

# Promptable networks use the names of transformers; automatic ones store these weights under `kept`.
_PROMPTABLE = {
    "encoder.model.": "vision_encoder.",
    "prompt_encoder.": "prompt_encoder.",
    "mask_decoder.": "mask_decoder.",
    "shared_image_embedding.": "shared_image_embedding.",
    "no_memory_embedding": "no_memory_embedding",
    "kept.": "",
}

# Hiera: coarsest stride 32; windows of 8 tokens of 4 pixels.
_SAM2 = Architecture("sam2", "Sam2Model", "sam2", _PROMPTABLE, 32)

KINDS: dict[str, Architecture] = {
    "segformer": Architecture(
        "segformer",
        "SegformerForSemanticSegmentation",
        "segformer",
        {"encoder.model.": "segformer.", "decoder.head.": "decode_head."},
        32,
    ),
    "mask2former": Architecture(
        "mask2former",
        "Mask2FormerForUniversalSegmentation",
        "mask2former",
        {"model.": ""},
        32,
        TASK_SPECIFIC,
        ("criterion", "model.pixel_level_module.encoder.swin.layernorm"),
    ),
    "sam": Architecture("sam", "SamModel", "sam", _PROMPTABLE, 16),
    "sam2": _SAM2,
    "sam2_video": _SAM2,  # model_type of sam2 and sam2.1 on the Hub; Sam2Model is the image part
}


def kind_of(config: dict[str, Any], where: str) -> Architecture:
    """Look up the architecture of a model.

    Args:
        config: content of its `config.json`.
        where: source of the model, for error messages.

    Returns:
        The architecture.

    Raises:
        ModelError: if the `model_type` is not supported.
    """
    require("transformers", "huggingface")
    from transformers.models.auto import modeling_auto

    semantic = modeling_auto.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES
    name = str(config.get("model_type"))
    if name in KINDS:
        return KINDS[name]
    if name in semantic:
        return Architecture(name, semantic[name], "semantic", {"model.": ""}, 32)
    raise unknown(f"model_type of {where}", name, [*KINDS, *semantic], ModelError)


def read_config(kind: Architecture, config: dict[str, Any], out_channels: int | None, where: str) -> Any:
    """Build the configuration object of transformers.

    Args:
        kind: architecture.
        config: content of `config.json`.
        out_channels: K, if the model's own output layer or queries predict the maps; None keeps the
            configured number.
        where: source of the model, for error messages.

    Returns:
        The configuration.

    Raises:
        ModelError: if transformers rejects the configuration.
    """
    from transformers import CONFIG_MAPPING

    settings = {key: value for key, value in config.items() if key not in LEFT_OUT}
    try:
        known = CONFIG_MAPPING[kind.config_type]
        if kind is _SAM2:  # of a model for video, only what images need
            parts = ("vision_config", "prompt_encoder_config", "mask_decoder_config", "initializer_range")
            settings = {key: settings[key] for key in parts if key in settings}
        result = known.from_dict(settings | {"model_type": kind.config_type})
        if kind.semantic and out_channels is not None:
            result.num_labels = out_channels
        if kind.queries:  # of one class: an object
            result.num_labels, result.num_queries = 1, out_channels or result.num_queries
    except Exception as error:  # of transformers' own checks, of a dozen kinds
        raise ModelError(f"{where}: transformers rejects this configuration: {first_lines(error)}") from error
    return result


def write_config(kind: Architecture, config: Any) -> dict[str, Any]:
    """Convert a configuration object to a dictionary that `read_config` accepts.

    Args:
        kind: architecture.
        config: configuration of transformers.

    Returns:
        Content for `config.json`.
    """
    content = _without(json.loads(config.to_json_string(use_diff=True)))
    return content | ({"num_labels": config.num_labels} if kind.semantic else {})


def _without(settings: dict[str, Any]) -> dict[str, Any]:
    """Remove the keys in `LEFT_OUT` from a dictionary and its nested dictionaries."""
    kept = {key: value for key, value in settings.items() if key not in LEFT_OUT}
    return {key: _without(value) if isinstance(value, dict) else value for key, value in kept.items()}


def encoder_of(kind: Architecture) -> str:
    """Name of the encoder in a model of transformers.

    Args:
        kind: architecture.

    Returns:
        Submodule name. For Mask2Former it is the backbone; `adapt: head` trains the pixel decoder.
    """
    if kind.queries:
        return "model.pixel_level_module.encoder"
    return model_class(kind).base_model_prefix or "backbone"


def model_class(kind: Architecture) -> Any:
    """Look up the model class in transformers.

    Args:
        kind: architecture.

    Returns:
        The class.
    """
    import transformers

    return getattr(transformers, kind.model)


def _renamed(name: str, beginnings: dict[str, str]) -> str | None:
    for before, after in sorted(beginnings.items(), key=lambda pair: -len(pair[0])):
        if name.startswith(before):
            return after + name.removeprefix(before)
    return None
