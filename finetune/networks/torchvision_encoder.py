"""Image classification networks of torchvision as encoders: their features, and a lightweight decoder.

The layers of a network run in their order; the features of each resolution are the output of the last layer
at that resolution, as in a feature pyramid network (Lin et al. 2017, https://arxiv.org/abs/1612.03144).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torchvision.models import get_model

from finetune.networks.encoder_decoder import OUTPUT_STRIDE, EncoderDecoder, PyramidDecoder
from finetune.networks.rgb_input import MEAN, STD, Rgb
from finetune.networks.torchvision_segmentation import MOMENTUM

DIVISOR = 32  # pixels: stride of the coarsest features of all these networks
PROBE = 64  # pixels: side of the image that reveals the strides
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Layout:
    """Where a family of networks keeps its layers.

    Attributes:
        layers: names of the modules in the order in which they run; "features.*" stands for the children of
            `features`.
        head: modules that only classify; left out.
        mean: mean of the pretraining images per channel, in 0..1.
        std: their standard deviation.
    """

    layers: tuple[str, ...]
    head: tuple[str, ...] = ("classifier",)
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD


FEATURES = Layout(("features.*",))
RESNET = Layout(("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"), ("fc",))
INCEPTIONS = ("3a", "3b", "maxpool3", "4a", "4b", "4c", "4d", "4e", "maxpool4", "5a", "5b")
# Modules as of torchvision 0.21, by the first word of the model's name.
LAYOUTS = {
    "convnext": FEATURES,
    "densenet": FEATURES,
    "efficientnet": FEATURES,
    "mobilenet": FEATURES,
    "vgg": FEATURES,
    "resnet": RESNET,
    "resnext": RESNET,
    "wide": RESNET,
    "mnasnet": Layout(("layers.*",)),
    "regnet": Layout(("stem", "trunk_output.*"), ("fc",)),
    "shufflenet": Layout(("conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"), ("fc",)),
    # Its weights were trained on images from -1 to 1 (torchvision.models.googlenet, transform_input).
    "googlenet": Layout(
        (
            *("conv1", "maxpool1", "conv2", "conv3", "maxpool2"),
            *(name if name.startswith("max") else f"inception{name}" for name in INCEPTIONS),
        ),
        ("fc",),
        mean=HALF,
        std=HALF,
    ),
}


class ClassifierFeatures(nn.Module):
    """Images (N, C, H, W) of about 0..1, C ≤ 3, to a tuple of features, finest first.

    Parameter names below `backbone` are those of torchvision.
    """

    def __init__(self, backbone: nn.Module, layout: Layout) -> None:
        """Find the layers and the resolutions of their outputs.

        Args:
            backbone: a classification network of torchvision.
            layout: where it keeps its layers.
        """
        super().__init__()
        self.rgb, self.backbone = Rgb(layout.mean, layout.std), nn.Module()
        for name, module in backbone.named_children():
            if name not in layout.head:
                self.backbone.add_module(name, module)
        self.layers = [name for pattern in layout.layers for name in _expand(self.backbone, pattern)]
        self.taps, self.channels, self.strides = self._probe()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images.

        Args:
            images: (N, C, H, W) float32; H and W multiples of `DIVISOR`.

        Returns:
            Features (N, Cᵢ, H / sᵢ, W / sᵢ), finest first.
        """
        x, features = self.rgb(images), []
        for number, name in enumerate(self.layers):
            x = self.backbone.get_submodule(name)(x)
            if number in self.taps:
                features.append(x)
        return tuple(features)

    def _probe(self) -> tuple[list[int], list[int], list[int]]:
        """Number of the last layer at each stride from 4 on, its channels, and the stride."""
        last: dict[int, tuple[int, int]] = {}
        training = self.backbone.training
        self.backbone.eval()
        with torch.no_grad():
            x = torch.zeros(1, 3, PROBE, PROBE)
            for number, name in enumerate(self.layers):
                x = self.backbone.get_submodule(name)(x)
                last[PROBE // x.shape[2]] = (number, x.shape[1])
        self.backbone.train(training)
        strides = [stride for stride in sorted(last) if stride >= OUTPUT_STRIDE]
        return [last[stride][0] for stride in strides], [last[stride][1] for stride in strides], strides


def build_classifier_features(name: str, out_channels: int, width: int) -> EncoderDecoder:
    """Build a segmentation network from a classification network of torchvision, with random weights.

    Args:
        name: name in `torchvision.models.get_model`, of a family in `LAYOUTS`.
        out_channels: K.
        width: channels inside the decoder.

    Returns:
        The network: the classification network without its classifier, and a `PyramidDecoder`.
    """
    layout = LAYOUTS[family(name)]
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    device = torch.get_default_device()
    with torch.device("cpu"):  # RegNet reads tensor values during construction; the meta device has none
        model = get_model(name, weights=None, **options)
        encoder = ClassifierFeatures(model, layout)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = max(module.momentum or 0.0, MOMENTUM)
    decoder = PyramidDecoder(encoder.channels, encoder.strides, out_channels, width)
    return EncoderDecoder(encoder.to(device), decoder)


def family(name: str) -> str:
    """Family of a model of torchvision: the letters that its name starts with.

    Args:
        name: such as "resnet50" or "wide_resnet50_2".

    Returns:
        A key of `LAYOUTS`, if the family is usable as an encoder.
    """
    word = name.partition("_")[0]
    return word.rstrip("0123456789")


def _expand(backbone: nn.Module, pattern: str) -> list[str]:
    parent, star, _ = pattern.partition(".*")
    if not star:
        return [pattern]
    return [f"{parent}.{name}" for name, _ in backbone.get_submodule(parent).named_children()]
