"""Models on the Hugging Face Hub: their number, and the most downloaded of each task."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cards.errors import ModelError
from finetune.repositories import counts
from finetune.repositories.base import PIXEL_TARGETS, ModelInfo
from finetune.repositories.counts import Count, Row
from finetune.repositories.huggingface.models import ANY_MODEL, PROMPTABLE

LISTED = 30  # models of a task
FIELDS = ("config", "safetensors", "tags", "pipeline_tag")
NO_ENCODER = "not for segmentation; as encoder, use a classification network of repository torchvision"
UNSAFE = "it has no weights in the format safetensors, and others can execute code when loaded"


def count_models() -> Row:
    """Ask the Hub how many models have the pipeline tag of each kind.

    Returns:
        Number of models by kind (the keys of `finetune.repositories.counts.KINDS`).

    Raises:
        InputError: if the Hub does not answer.
    """
    from finetune.downloads import hub_listing

    with ThreadPoolExecutor() as pool:
        answers = {
            kind: pool.submit(hub_listing.count_models, tag, counts.MAX_COUNT)
            for kind, (tag, _) in counts.KINDS.items()
        }
        return {kind: Count(*answer.result()) for kind, answer in answers.items()}


def fetch_models() -> list[ModelInfo]:
    """Ask the Hub for the most downloaded models of each task.

    Returns:
        Descriptions; what the Hub does not state is None.

    Raises:
        InputError: if the Hub does not answer.
    """
    from finetune.downloads import hub_listing

    with ThreadPoolExecutor() as pool:
        answers = {
            kind: pool.submit(hub_listing.most_downloaded, tag, LISTED, FIELDS)
            for kind, (tag, _) in counts.KINDS.items()
        }
        return [_describe(model, kind) for kind, answer in answers.items() for model in answer.result()]


def _describe(model: dict[str, Any], kind: str) -> ModelInfo:
    config, tensors = model.get("config"), model.get("safetensors")
    model_type = config.get("model_type") if isinstance(config, dict) else None
    total = tensors.get("total") if isinstance(tensors, dict) else None
    tags = [tag for tag in model.get("tags") or [] if isinstance(tag, str)]
    licenses = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    why_not = _why_not(kind, model_type, total is not None)
    targets: tuple[str, ...] = PROMPTABLE if kind == "mask generation" else PIXEL_TARGETS
    if model_type == "mask2former":
        targets = ("queries",)
    return ModelInfo(
        name=model["id"],
        title=f"{model_type or 'unknown architecture'}, {kind}",
        task=kind,
        license=licenses[0] if len(licenses) == 1 and licenses[0] not in {"other", "unknown"} else None,
        learning_rate=ANY_MODEL.learning_rate,
        learning_rates=ANY_MODEL.learning_rates,
        fine_tunable=why_not is None,
        why_not=why_not,
        parameters=total if isinstance(total, int) else None,
        targets=() if why_not else targets,
    )


def _why_not(kind: str, model_type: Any, has_safetensors: bool) -> str | None:
    from finetune.repositories.huggingface.architectures import kind_of

    if kind == "image classification":
        return NO_ENCODER
    try:
        kind_of({"model_type": model_type}, "the model")
    except ModelError:
        return f"finetune has no network for its architecture ({model_type or 'not stated'})"
    return None if has_safetensors else UNSAFE
