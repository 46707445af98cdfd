"""StarDist: the module in `REPOSITORIES`, see `finetune.repositories.base.Repository`."""

from finetune.repositories.stardist.published import published
from finetune.repositories.stardist.repository import NATIVE, build, load, models, options_model, save
from finetune.repositories.stardist.weights import fetch_weights

__all__ = ["NATIVE", "fetch_weights", "build", "load", "models", "options_model", "published", "save"]
