"""Cellpose: the module in `REPOSITORIES`, see `finetune.repositories.base.Repository`."""

from finetune.repositories.cellpose.published import published
from finetune.repositories.cellpose.repository import NATIVE, build, load, models, options_model, save
from finetune.repositories.cellpose.weights import fetch_weights

__all__ = ["NATIVE", "fetch_weights", "build", "load", "models", "options_model", "published", "save"]
