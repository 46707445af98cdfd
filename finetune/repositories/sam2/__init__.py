"""SAM2: the module in `REPOSITORIES`, see `finetune.repositories.base.Repository`."""

from finetune.repositories.sam2 import promptable as interactive
from finetune.repositories.sam2.published import published
from finetune.repositories.sam2.published_weights import fetch_weights
from finetune.repositories.sam2.repository import NATIVE, build, load, models, options_model, reload, save

__all__ = [
    "NATIVE",
    "fetch_weights",
    "build",
    "load",
    "models",
    "options_model",
    "published",
    "reload",
    "save",
    "interactive",
]
