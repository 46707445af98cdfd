"""Classification networks of torchvision as encoders: how their weights files are read."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from finetune.repositories.base import encoder_share
from finetune.weights.checkpoint import Checkpoint, load_strictly

if TYPE_CHECKING:
    from torch import nn

PREFIX = "encoder.backbone."
AUXILIARY = ("aux1.", "aux2.")  # classifiers that GoogLeNet has in training only
# Names in DenseNet's files, which are older than the class (torchvision.models.densenet, _load_state_dict).
OLD_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)")
COUNTER = "num_batches_tracked"


def load_encoder(network: nn.Module, name: str, found: Checkpoint) -> str:
    """Load the weights of a classification network into an encoder; the decoder stays random.

    Args:
        network: result of `build_classifier_features`; modified in place.
        name: of the model.
        found: weights under torchvision's names, with the classifier.

    Returns:
        Description of the part that was loaded.

    Raises:
        ModelError: if the weights are not those of this network.
    """
    from finetune.networks.torchvision_encoder import LAYOUTS, family

    heads = (*(f"{head}." for head in LAYOUTS[family(name)].head), *AUXILIARY)
    expected = network.state_dict()
    # Files from before PyTorch 0.4.1 have no counters of batches; nothing reads them here.
    rest = {
        key: value for key, value in expected.items() if not key.startswith(PREFIX) or key.endswith(COUNTER)
    }
    state = {
        PREFIX + _current_name(key): value for key, value in found.state.items() if not key.startswith(heads)
    }
    load_strictly(network, dataclasses.replace(found, state=rest | state))
    return encoder_share(network)


def _current_name(key: str) -> str:
    match = OLD_NAME.fullmatch(key)
    return match[1] + match[2] if match else key
