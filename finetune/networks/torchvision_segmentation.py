"""Semantic segmentation networks of torchvision: the backbone as encoder, the classifier as decoder."""

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

# MobileNetV3 uses 0.01, for hundreds of thousands of steps. After a few hundred steps of fine-tuning its
# running statistics would still be close to the initial ones, and evaluation would find nothing.
MOMENTUM = 0.1  # torch's default


class Backbone(nn.Module):
    """Images (N, C, H, W) of about 0..1, C ≤ 3, to a tuple of features, finest first."""

    def __init__(self, backbone: nn.Module) -> None:
        """Wrap a backbone of torchvision.

        Args:
            backbone: maps images (N, 3, H, W) to a dictionary of features.
        """
        super().__init__()
        self.rgb, self.backbone = Rgb(), backbone

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Features (N, Cᵢ, H / s, W / s), finest first.
        """
        return tuple(self.backbone(self.rgb(images)).values())


class Classifier(nn.Module):
    """Features to raw maps (N, K, H, W) at image resolution."""

    def __init__(self, classifier: nn.Module, names: Sequence[str]) -> None:
        """Wrap a classifier of torchvision.

        Args:
            classifier: maps features to low-resolution maps.
            names: keys of the features in the classifier's input; with a single name the tensor itself is the
                input.
        """
        super().__init__()
        self.classifier, self.names = classifier, tuple(names)

    def forward(self, features: Sequence[torch.Tensor], size: Sequence[int]) -> torch.Tensor:
        """Predict raw maps from features.

        Args:
            features: (N, Cᵢ, H / s, W / s), finest first.
            size: (H, W) of the image in pixels.

        Returns:
            Raw maps (N, K, H, W), upsampled bilinearly as in torchvision.

        Raises:
            RecipeError: if DeepLabV3 would train on a batch of one image: it normalizes one value per
                channel.
        """
        if self.training and len(features[0]) == 1 and isinstance(self.classifier, DeepLabHead):
            raise RecipeError("training.batch_size: DeepLabV3 needs at least 2 images per process")
        single = len(self.names) == 1
        maps = self.classifier(features[0] if single else dict(zip(self.names, features, strict=True)))
        return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def build_torchvision(name: str, out_channels: int) -> EncoderDecoder:
    """Build a torchvision segmentation network with random weights and without auxiliary classifier.

    Args:
        name: model name in `torchvision.models.get_model`.
        out_channels: K.

    Returns:
        The network.
    """
    model = get_model(name, weights=None, weights_backbone=None, num_classes=out_channels)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = max(module.momentum or 0.0, MOMENTUM)
    names = list(model.backbone.return_layers.values())
    return EncoderDecoder(Backbone(model.backbone), Classifier(model.classifier, names))
