"""torchvision: the module in `REPOSITORIES`, see `finetune.repositories.base.Repository`."""

from finetune.repositories.torchvision.models import MODELS, models, options_model
from finetune.repositories.torchvision.repository import NATIVE, build, load, save
from finetune.repositories.torchvision.weights import fetch_weights

__all__ = ["NATIVE", "fetch_weights", "MODELS", "build", "load", "models", "options_model", "save"]
