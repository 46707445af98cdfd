"""BioImage.IO: the module in `REPOSITORIES`, see `finetune.repositories.base.Repository`."""

from finetune.repositories.bioimageio.counting import count_models, fetch_models
from finetune.repositories.bioimageio.options import options_model
from finetune.repositories.bioimageio.repository import build, load, models, save
from finetune.repositories.bioimageio.weights import fetch_weights

__all__ = [
    "fetch_weights",
    "build",
    "load",
    "models",
    "options_model",
    "save",
    "count_models",
    "fetch_models",
]
