"""Cellpose: the module in `REPOSITORIES`, see `finetune.repositories.base.Repository`."""

from finetune.repositories.cellpose.published import published
from finetune.repositories.cellpose.repository import build, load, models, options_model, save

__all__ = ["build", "load", "models", "options_model", "published", "save"]
