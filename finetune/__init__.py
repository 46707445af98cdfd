"""Fine-tune public segmentation models on your own microscopy images, with auditable model cards.

record = finetune.run("quickstart")
model = finetune.load("runs/quickstart")
labels = model.predict(image)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from finetune.utils.offline import use_variable

if TYPE_CHECKING:
    from cards.errors import DataError, DownloadError, InputError, ModelError, RecipeError
    from finetune.adapters import register_adapter
    from finetune.evaluation.labels import Evaluation, evaluate
    from finetune.export.registry import register_exporter
    from finetune.inference.protocol import Predictor
    from finetune.loading import load
    from finetune.metrics.registry import register_metric
    from finetune.pipeline.audit import audit
    from finetune.pipeline.prediction import predict
    from finetune.pipeline.runner import run
    from finetune.recipe.library import find_recipe as read_recipe
    from finetune.repositories.catalog import list_models
    from finetune.repositories.registry import register_repository
    from finetune.targets.registry import register_target

__all__ = [
    "DataError",
    "DownloadError",
    "Evaluation",
    "InputError",
    "ModelError",
    "Predictor",
    "RecipeError",
    "audit",
    "evaluate",
    "list_models",
    "load",
    "predict",
    "read_recipe",
    "register_adapter",
    "register_exporter",
    "register_metric",
    "register_repository",
    "register_target",
    "run",
]

use_variable()  # before huggingface_hub reads the environment

# Imported on first use: torch takes seconds, and `finetune --help` must not wait for it.
PUBLIC = {
    "DataError": "cards.errors",
    "DownloadError": "cards.errors",
    "Evaluation": "finetune.evaluation.labels",
    "InputError": "cards.errors",
    "ModelError": "cards.errors",
    "Predictor": "finetune.inference.protocol",
    "RecipeError": "cards.errors",
    "audit": "finetune.pipeline.audit",
    "evaluate": "finetune.evaluation.labels",
    "list_models": "finetune.repositories.catalog",
    "load": "finetune.loading",
    "predict": "finetune.pipeline.prediction",
    "read_recipe": "finetune.recipe.library:find_recipe",
    "register_adapter": "finetune.adapters",
    "register_exporter": "finetune.export.registry",
    "register_metric": "finetune.metrics.registry",
    "register_repository": "finetune.repositories.registry",
    "register_target": "finetune.targets.registry",
    "run": "finetune.pipeline.runner",
}


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'finetune' has no attribute '{name}'")
    module, _, attribute = PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute or name)


def __dir__() -> list[str]:
    return __all__
