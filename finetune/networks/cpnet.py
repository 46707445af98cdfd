"""CPnet, the network of Cellpose 1 to 3 (Stringer et al. 2021, https://doi.org/10.1038/s41592-020-01018-x).

This file imports only torch: it is copied unchanged into BioImage.IO packages as their architecture.

Parameter names are those of `cellpose.resnet_torch.CPnet` in cellpose 3.1.1.3, so weights can be exchanged in
both directions. The computation follows the paper's methods ("Deep neural network") and, where the paper is
silent, that class; each part states which.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (32, 64, 128, 256)  # channels at the four resolutions: `nbase` in cellpose.models.CellposeModel
STEP = 8  # pixels: the resolution halves three times


class CPnet(nn.Module):
    """CPnet: images (N, C, H, W) float32 to flow y, flow x and cell logit (N, 3, H, W).

    Flows are unit vectors times 5 (`cellpose.train._loss_fn_seg`). H and W must be multiples of `divisor`.

    Batch normalization, as in the original: each process normalizes its own part of the batch unless the
    layers are converted to `SyncBatchNorm`. Under bfloat16 autocast the statistics stay float32.

    The style vector is a mean over the whole input, so the prediction for a pixel depends slightly on the
    extent of the input; cellpose predicts in tiles of 224 px.
    """

    portable = True  # this file is the whole network: exports copy it into BioImage.IO packages

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        nchan: int = 2,
        diam_mean: float = 30.0,
        diameter: float | None = None,
    ) -> None:
        """Build the network with torch's default initialization, as cellpose does.

        Args:
            in_channels: C, at most `nchan`; missing channels are filled with zeros, as cellpose does for an
                absent nuclear channel (`cellpose.transforms.reshape`).
            out_channels: K, 3 for flows.
            nchan: input channels of the first layer.
            diam_mean: object diameter that the weights were trained for, in pixels: 30, or 17 for nuclei.
            diameter: object diameter in the images, in pixels. Images are resized by diam_mean / diameter
                before the network and the output is resized back. None: no resizing.
        """
        super().__init__()
        self.missing = nchan - in_channels
        self.downsample = _Encoder((nchan, *WIDTHS))
        self.upsample = _Decoder((*WIDTHS, WIDTHS[-1]))
        self.output = _convolution(WIDTHS[0], out_channels, 1)
        # Saved with the weights: `cellpose` computes the resize factor from these two numbers.
        self.register_buffer("diam_mean", torch.tensor([float(diam_mean)]))
        self.register_buffer("diam_labels", torch.tensor([float(diameter or diam_mean)]))
        # Resize factor in thousandths: sizes are then integer arithmetic, which every exporter supports.
        self.zoom = 1000 if diameter is None else round(1000 * diam_mean / diameter)

    @property
    def divisor(self) -> int:
        """Divisor of H and W in pixels: the resized image must be halved three times."""
        return STEP * max(1, -(-500 // self.zoom))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Predict flows and cell logits.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Raw maps (N, 3, H, W) float32.
        """
        x = F.pad(images, (0, 0, 0, 0, 0, self.missing)) if self.missing else images
        if self.zoom == 1000:
            return self.flows_and_style(x)[0]
        # cellpose.core.run_net resizes the image, cellpose.models.CellposeModel._run_net the output, both
        # linearly (cv2.INTER_LINEAR: no smoothing before shrinking), and the flows keep their length.
        # cellpose pads with zeros to a multiple of 16; here the size is rounded to the nearest multiple of 8.
        height, width = images.shape[2], images.shape[3]
        inside = [(side * self.zoom + 500 * STEP) // (1000 * STEP) * STEP for side in (height, width)]
        flows = self.flows_and_style(_resize(x, inside))[0]
        return _resize(flows, [height, width])

    def flows_and_style(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Predict flows and the style vector of images that are already resized.

        The style is the mean of the deepest features over all pixels, scaled to unit length (the paper's
        methods; `cellpose.resnet_torch.make_style`).

        Args:
            x: images (N, nchan, h, w) with objects of diameter `diam_mean`.

        Returns:
            Raw maps (N, 3, h, w) and style (N, 256).
        """
        features = self.downsample(x)
        mean = features[-1].mean(dim=(2, 3))
        style = mean / mean.square().sum(dim=1, keepdim=True).sqrt()
        return self.output(self.upsample(features, style)), style


class _Encoder(nn.Module):
    """Encoder with four resolutions, each half of the previous one: (N, C, h, w) to a list of features."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        names = [f"res_down_{level}" for level in range(len(widths) - 1)]
        self.down = nn.ModuleDict(dict(zip(names, map(_DownBlock, widths, widths[1:]))))  # noqa: B905

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        features: list[torch.Tensor] = []
        for block in self.down.values():
            x = block(F.max_pool2d(x, 2) if features else x)
            features.append(x)
        return features


class _DownBlock(nn.Module):
    """Four convolutions with two residual connections, the first one with a projection (`resdown`)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        inputs = [in_channels, *[out_channels] * 3]
        self.conv = nn.ModuleDict(
            {f"conv_{index}": _convolution(wide, out_channels, 3) for index, wide in enumerate(inputs)}
        )
        self.proj = _projection(in_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        conv = self.conv
        x = self.proj(x) + conv["conv_1"](conv["conv_0"](x))
        return x + conv["conv_3"](conv["conv_2"](x))


class _Decoder(nn.Module):
    """Decoder: features of four resolutions and a style vector to features at full resolution (N, 32, h, w).

    Encoder features are added, not concatenated; the style is added at every step.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        names = [f"res_up_{level}" for level in range(len(widths) - 1)]
        blocks = [_UpBlock(wide, narrow, widths[-1]) for narrow, wide in zip(widths, widths[1:])]  # noqa: B905
        self.up = nn.ModuleDict(dict(zip(names, blocks)))  # noqa: B905

    def forward(self, features: list[torch.Tensor], style: torch.Tensor) -> torch.Tensor:
        x = features[-1]
        for level, block in reversed(list(enumerate(self.up.values()))):
            x = block(x, features[level], style, grow=level + 1 < len(self.up))
        return x


class _UpBlock(nn.Module):
    """Residual upsampling block with encoder features and style added (`resup`, `batchconvstyle`)."""

    def __init__(self, in_channels: int, out_channels: int, style_channels: int) -> None:
        super().__init__()
        self.conv = nn.ModuleDict({"conv_0": _convolution(in_channels, out_channels, 3)})
        for index in range(1, 4):
            self.conv[f"conv_{index}"] = _Styled(out_channels, style_channels)
        self.proj = _projection(in_channels, out_channels)

    def forward(
        self, x: torch.Tensor, skipped: torch.Tensor, style: torch.Tensor, grow: bool
    ) -> torch.Tensor:
        norm, relu, convolve = self.conv["conv_0"].children()
        short, x = self.proj(x), relu(norm(x))
        if grow:  # as late as possible: pixelwise operations commute with nearest-neighbor upsampling
            short, x = F.interpolate(short, scale_factor=2.0), F.interpolate(x, scale_factor=2.0)
        x = short + self.conv["conv_1"](convolve(x) + skipped, style)
        return x + self.conv["conv_3"](self.conv["conv_2"](x, style), style)


class _Styled(nn.Module):
    """Convolution of features plus a projection of the style."""

    def __init__(self, channels: int, style_channels: int) -> None:
        super().__init__()
        self.conv = _convolution(channels, channels, 3)
        self.full = nn.Linear(style_channels, channels)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return self.conv(x + self.full(style)[:, :, None, None])


def _convolution(in_channels: int, out_channels: int, size: int) -> nn.Sequential:
    """Batch normalization, ReLU and convolution (`batchconv`, with its momentum)."""
    return nn.Sequential(
        nn.BatchNorm2d(in_channels, momentum=0.05),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, out_channels, size, padding=size // 2),
    )


def _projection(in_channels: int, out_channels: int) -> nn.Sequential:
    """Batch normalization and a 1×1 convolution (`batchconv0`)."""
    return nn.Sequential(nn.BatchNorm2d(in_channels, momentum=0.05), nn.Conv2d(in_channels, out_channels, 1))


def _resize(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
