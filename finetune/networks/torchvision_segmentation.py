"""torchvision's networks for semantic segmentation: the backbone as encoder, the classifier as decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import get_model
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from cards.errors import RecipeError
from finetune.networks.encoder_decoder import EncoderDecoder
from finetune.networks.rgb_input import Rgb

# MobileNetV3 has 0.01, for trainings of hundreds of thousands of steps. In ours of hundreds its running
# statistics would still be those that it began with, and it would find nothing once it no longer trains.
MOMENTUM = 0.1  # torch's own default


class Backbone(nn.Module):
    """Images (N, C, H, W) of about 0..1, C at most 3 -> a tuple of features, the finest first."""

    def __init__(self, backbone: nn.Module) -> None:
        """Take a backbone of torchvision: images -> a dictionary of features."""
        super().__init__()
        self.rgb, self.backbone = Rgb(), backbone

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images (N, C, H, W) float -> features."""
        return tuple(self.backbone(self.rgb(images)).values())


class Classifier(nn.Module):
    """Features of an image of size (H, W) -> raw maps (N, K, H, W)."""

    def __init__(self, classifier: nn.Module, names: Sequence[str]) -> None:
        """Take a classifier of torchvision.

        Args:
            classifier: features -> coarse maps.
            names: by which it wants several features; a single one goes in without.
        """
        super().__init__()
        self.classifier, self.names = classifier, tuple(names)

    def forward(self, features: Sequence[torch.Tensor], size: Sequence[int]) -> torch.Tensor:
        """Features, and (H, W) -> raw maps (N, K, H, W), enlarged as torchvision does.

        Raises:
            RecipeError: if DeepLab's is to train on one image: it normalizes one number over the batch.
        """
        if self.training and len(features[0]) == 1 and isinstance(self.classifier, DeepLabHead):
            raise RecipeError("training.batch_size: DeepLabV3 trains on 2 images or more at once, a process")
        one = len(self.names) == 1
        maps = self.classifier(features[0] if one else dict(zip(self.names, features, strict=True)))
        return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def build_torchvision(name: str, out_channels: int) -> EncoderDecoder:
    """A network of torchvision with random weights, without its auxiliary classifier.

    Args:
        name: by which `torchvision.models.get_model` knows it.
        out_channels: K.
    """
    model = get_model(name, weights=None, weights_backbone=None, num_classes=out_channels)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = max(module.momentum or 0.0, MOMENTUM)
    names = list(model.backbone.return_layers.values())
    return EncoderDecoder(Backbone(model.backbone), Classifier(model.classifier, names))
