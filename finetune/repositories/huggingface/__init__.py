"""Hugging Face: the module in `REPOSITORIES`, see `finetune.repositories.base.Repository`."""

from finetune.repositories.huggingface import promptable as interactive
from finetune.repositories.huggingface.adapter import save_adapter
from finetune.repositories.huggingface.counting import count_models
from finetune.repositories.huggingface.options import options_model
from finetune.repositories.huggingface.published import published
from finetune.repositories.huggingface.repository import build, load, models, save

__all__ = [
    "build",
    "load",
    "models",
    "options_model",
    "published",
    "save",
    "interactive",
    "count_models",
    "save_adapter",
]
