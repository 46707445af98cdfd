"""What the trainer expects of a LightningModule."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from finetune.data.feature_cache import FeatureStore


@runtime_checkable
class TrainableModule(Protocol):
    """What the trainer reads from a `pl.LightningModule` besides Lightning's own hooks.

    Attributes:
        monitor: name of the logged validation metric that checkpoints and early stopping maximize; a field
            of `cards.training.Epoch`.
        features: precomputed outputs of a frozen encoder, or None if every layer runs in each step.
        found_nothing: whether the last validation predicted background everywhere, although the references
            contain instances.
    """

    monitor: str
    features: FeatureStore | None
    found_nothing: bool
