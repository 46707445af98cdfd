"""Models of torchvision, the vision models of PyTorch Hub: for segmentation and for classification."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from finetune.repositories.base import PIXEL_TARGETS, ModelInfo
from finetune.repositories.options import DecoderOptions
from finetune.utils.options import NoOptions

# README of torchvision, "Pre-trained Model License". The library's BSD-3-Clause says nothing of weights.
TERMS = (
    "torchvision states no license for these weights: they may have terms of their own, derived from the "
    "data they learned from ({data}), and it is for the user to determine whether the use is permitted "
    "(https://github.com/pytorch/vision, Pre-trained Model License)."
)
DEEPLAB = "Chen et al. 2017, Rethinking Atrous Convolution, https://arxiv.org/abs/1706.05587"
FCN = "Long, Shelhamer & Darrell 2015, Fully Convolutional Networks, https://arxiv.org/abs/1411.4038"
LRASPP = "Howard et al. 2019, Searching for MobileNetV3, https://arxiv.org/abs/1905.02244"
CLASSIFICATION = "image classification"
OUTPUT = "output"  # last layer of the decoder that is added to a classification network
DIVISOR = 32  # pixels: stride of the coarsest features of a classification network

# Why the others are no encoders: what a feature pyramid needs, and these networks lack.
UNALIGNED = "convolutions without padding shift its features against the image"
FIXED_SIZE = "it accepts images of one size only"
WINDOWS = "its windows depend on the size of the image, which TorchScript and ONNX packages cannot express"


@dataclass(frozen=True)
class Model:
    """A model with the properties that `ModelInfo` does not have.

    Attributes:
        info: its description.
        citation: publication of the architecture.
        stride: stride of its coarsest features, in pixels.
        last: layers that give the maps, as torchvision or the added decoder calls them.
    """

    info: ModelInfo
    citation: str
    stride: int
    last: tuple[str, ...]

    @property
    def is_encoder(self) -> bool:
        """Whether the model is a classification network that serves as an encoder."""
        return self.info.task == CLASSIFICATION


def _segmentation(
    name: str, title: str, parameters: int, citation: str, stride: int, *last: str
) -> tuple[str, Model]:
    info = ModelInfo(
        name=name,
        title=title,
        task="segmentation",
        license=None,
        learning_rate=3e-4,
        learning_rates=(1e-6, 1e-2),
        parameters=parameters,
        terms=TERMS.format(data="COCO"),
        objects=("photographs",),
    )
    return name, Model(info, citation, stride, last)


def _classifier(
    name: str, title: str, parameters: int, citation: str, why_not: str | None = None
) -> tuple[str, Model]:
    info = ModelInfo(
        name=name,
        title=title,
        task=CLASSIFICATION,
        license=None,
        learning_rate=3e-4,
        learning_rates=(1e-6, 1e-2),
        fine_tunable=why_not is None,
        why_not=f"not for segmentation, and no encoder: {why_not}" if why_not else None,
        parameters=parameters,
        terms=TERMS.format(data="ImageNet"),
        objects=("photographs",),
        targets=() if why_not else PIXEL_TARGETS,
        note=None if why_not else "not for segmentation; usable as encoder: a decoder is added and trained",
    )
    return name, Model(info, citation, DIVISOR, (OUTPUT,))


# Parameters: of the weights' `meta["num_params"]` in torchvision 0.21 (with classifier; of segmentation
# networks with 21 classes and auxiliary classifier). Of each family of classification networks that
# torchvision documents, one network.
MODELS = dict(
    (
        _segmentation("deeplabv3_resnet50", "DeepLabV3 on ResNet-50", 42_004_074, DEEPLAB, 8, "classifier.4"),
        _segmentation(
            "deeplabv3_resnet101", "DeepLabV3 on ResNet-101", 60_996_202, DEEPLAB, 8, "classifier.4"
        ),
        _segmentation(
            "deeplabv3_mobilenet_v3_large",
            "DeepLabV3 on MobileNetV3, small",
            11_029_328,
            DEEPLAB,
            16,
            "classifier.4",
        ),
        _segmentation("fcn_resnet50", "FCN on ResNet-50", 35_322_218, FCN, 8, "classifier.4"),
        _segmentation("fcn_resnet101", "FCN on ResNet-101", 54_314_346, FCN, 8, "classifier.4"),
        _segmentation(
            "lraspp_mobilenet_v3_large",
            "LR-ASPP on MobileNetV3, smallest",
            3_221_538,
            LRASPP,
            16,
            "classifier.low_classifier",
            "classifier.high_classifier",
        ),
        _classifier(
            "alexnet",
            "AlexNet",
            61_100_840,
            "Krizhevsky 2014, One weird trick, https://arxiv.org/abs/1404.5997",
            UNALIGNED,
        ),
        _classifier(
            "convnext_tiny",
            "ConvNeXt, tiny",
            28_589_128,
            "Liu et al. 2022, A ConvNet for the 2020s, https://arxiv.org/abs/2201.03545",
        ),
        _classifier(
            "densenet121",
            "DenseNet-121",
            7_978_856,
            "Huang et al. 2016, Densely Connected Convolutional Networks, https://arxiv.org/abs/1608.06993",
        ),
        _classifier(
            "efficientnet_b0",
            "EfficientNet-B0",
            5_288_548,
            "Tan & Le 2019, EfficientNet, https://arxiv.org/abs/1905.11946",
        ),
        _classifier(
            "efficientnet_v2_s",
            "EfficientNetV2, small",
            21_458_488,
            "Tan & Le 2021, EfficientNetV2, https://arxiv.org/abs/2104.00298",
        ),
        _classifier(
            "googlenet",
            "GoogLeNet (Inception v1)",
            6_624_904,
            "Szegedy et al. 2014, Going Deeper with Convolutions, https://arxiv.org/abs/1409.4842",
        ),
        _classifier(
            "inception_v3",
            "Inception v3",
            27_161_264,
            "Szegedy et al. 2015, Rethinking the Inception Architecture, https://arxiv.org/abs/1512.00567",
            UNALIGNED,
        ),
        _classifier(
            "maxvit_t",
            "MaxViT, tiny",
            30_919_624,
            "Tu et al. 2022, MaxViT, https://arxiv.org/abs/2204.01697",
            FIXED_SIZE,
        ),
        _classifier(
            "mnasnet1_0",
            "MNASNet",
            4_383_312,
            "Tan et al. 2018, MnasNet, https://arxiv.org/abs/1807.11626",
        ),
        _classifier(
            "mobilenet_v2",
            "MobileNetV2",
            3_504_872,
            "Sandler et al. 2018, MobileNetV2, https://arxiv.org/abs/1801.04381",
        ),
        _classifier("mobilenet_v3_large", "MobileNetV3, large", 5_483_032, LRASPP),
        _classifier(
            "regnet_y_400mf",
            "RegNet, 400 million multiplications",
            4_344_144,
            "Radosavovic et al. 2020, Designing Network Design Spaces, https://arxiv.org/abs/2003.13678",
        ),
        _classifier(
            "resnet50",
            "ResNet-50",
            25_557_032,
            "He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385",
        ),
        _classifier(
            "resnext50_32x4d",
            "ResNeXt-50",
            25_028_904,
            "Xie et al. 2016, Aggregated Residual Transformations, https://arxiv.org/abs/1611.05431",
        ),
        _classifier(
            "shufflenet_v2_x1_0",
            "ShuffleNetV2",
            2_278_604,
            "Ma et al. 2018, ShuffleNet V2, https://arxiv.org/abs/1807.11164",
        ),
        _classifier(
            "squeezenet1_1",
            "SqueezeNet",
            1_235_496,
            "Iandola et al. 2016, SqueezeNet, https://arxiv.org/abs/1602.07360",
            UNALIGNED,
        ),
        _classifier(
            "swin_t",
            "Swin Transformer, tiny",
            28_288_354,
            "Liu et al. 2021, Swin Transformer, https://arxiv.org/abs/2103.14030",
            WINDOWS,
        ),
        _classifier(
            "vgg11",
            "VGG-11",
            132_863_336,
            "Simonyan & Zisserman 2014, Very Deep Convolutional Networks, https://arxiv.org/abs/1409.1556",
        ),
        _classifier(
            "vit_b_16",
            "Vision Transformer, base",
            86_567_656,
            "Dosovitskiy et al. 2020, An Image is Worth 16x16 Words, https://arxiv.org/abs/2010.11929",
            FIXED_SIZE,
        ),
        _classifier(
            "wide_resnet50_2",
            "Wide ResNet-50",
            68_883_240,
            "Zagoruyko & Komodakis 2016, Wide Residual Networks, https://arxiv.org/abs/1605.07146",
        ),
    )
)


def models() -> list[ModelInfo]:
    """List the models.

    Returns:
        Descriptions of all models that have a name.
    """
    return [model.info for model in MODELS.values()]


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model.

    Args:
        name: of the model.

    Returns:
        A pydantic model; None if there is no such model.
    """
    if name not in MODELS:
        return None
    return DecoderOptions if MODELS[name].is_encoder else NoOptions
