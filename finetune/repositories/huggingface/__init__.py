"""Hugging Face: the module in `REPOSITORIES`, see `finetune.repositories.base.Repository`."""

from finetune.repositories.huggingface import promptable as interactive
from finetune.repositories.huggingface.adapter import save_adapter
from finetune.repositories.huggingface.counting import count_models, fetch_models
from finetune.repositories.huggingface.models import models
from finetune.repositories.huggingface.options import options_model
from finetune.repositories.huggingface.published import published
from finetune.repositories.huggingface.repository import NATIVE, build, load, reload, save
from finetune.repositories.huggingface.weights import fetch_weights

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
    "count_models",
    "fetch_models",
    "save_adapter",
]
