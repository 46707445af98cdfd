"""CPnet, the network of Cellpose 1 to 3 (Stringer et al. 2021, https://doi.org/10.1038/s41592-020-01018-x).

This file imports nothing but torch: it goes as it is into BioImage.IO packages, as their architecture.

The names of the weights are those of `cellpose.resnet_torch.CPnet` in cellpose 3.1.1.3, so that its files
load here and ours load there. What is computed follows the paper's methods ("Deep neural network") and, where
they leave something open, that class; each part says which.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (32, 64, 128, 256)  # of the four resolutions: `nbase` in cellpose.models.CellposeModel
STEP = 8  # pixels: the resolution halves three times


class CPnet(nn.Module):
    """Images (N, C, H, W) float32 -> flow y, flow x and cell logit (N, 3, H, W), raw.

    Flows are 5 times a unit vector (`cellpose.train._loss_fn_seg`). H and W are multiples of `divisor`.

    It normalizes over the batch, as the weights were trained: in training the images of a batch see each
    other, and with several processes each normalizes its own share, unless it is made a `SyncBatchNorm`.
    Under bfloat16 autocast the statistics stay float32.

    The style vector is a mean over the whole input, so what a network says of a pixel depends a little on how
    much of the image it is shown; cellpose shows it tiles of 224 pixels.
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
        """Build it with random weights, torch's own, as cellpose does.

        Args:
            in_channels: C, at most `nchan`; missing channels are zero, as cellpose does with the channel of
                nuclei where there is none (`cellpose.transforms.reshape`).
            out_channels: 3 for flows.
            nchan: channels that the first layer takes.
            diam_mean: pixels; the diameter that the weights were trained for, 30 or, for nuclei, 17.
            diameter: pixels; that of the objects in the images. They are resized by diam_mean / diameter
                before the network, and its output back to their size after it. None: as they are.
        """
        super().__init__()
        self.missing = nchan - in_channels
        self.downsample = _Encoder((nchan, *WIDTHS))
        self.upsample = _Decoder((*WIDTHS, WIDTHS[-1]))
        self.output = _convolution(WIDTHS[0], out_channels, 1)
        # Two numbers that travel with the weights; `cellpose` reads the factor to resize by from them.
        self.register_buffer("diam_mean", torch.tensor([float(diam_mean)]))
        self.register_buffer("diam_labels", torch.tensor([float(diameter or diam_mean)]))
        # In thousandths, so that sizes are whole-number arithmetic, which every exporter can follow.
        self.zoom = 1000 if diameter is None else round(1000 * diam_mean / diameter)

    @property
    def divisor(self) -> int:
        """H and W are multiples of this, in pixels: what is left after resizing has to halve three times."""
        return STEP * max(1, -(-500 // self.zoom))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) float -> raw output (N, 3, H, W)."""
        x = F.pad(images, (0, 0, 0, 0, 0, self.missing)) if self.missing else images
        if self.zoom == 1000:
            return self.flows_and_style(x)[0]
        # cellpose.core.run_net resizes the image, cellpose.models.CellposeModel._run_net the output, both
        # linearly (cv2.INTER_LINEAR: no smoothing before shrinking), and the flows keep their length.
        # It pads with zeros to a multiple of 16; here the size is rounded to the nearest multiple of 8.
        height, width = images.shape[2], images.shape[3]
        inside = [(side * self.zoom + 500 * STEP) // (1000 * STEP) * STEP for side in (height, width)]
        flows = self.flows_and_style(_resize(x, inside))[0]
        return _resize(flows, [height, width])

    def flows_and_style(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (N, nchan, h, w) at diameter `diam_mean` -> raw output (N, 3, h, w) and style (N, 256).

        The style is the mean of the deepest features over all pixels, at length 1 (the paper's methods;
        `cellpose.resnet_torch.make_style`).
        """
        features = self.downsample(x)
        mean = features[-1].mean(dim=(2, 3))
        style = mean / mean.square().sum(dim=1, keepdim=True).sqrt()
        return self.output(self.upsample(features, style)), style


class _Encoder(nn.Module):
    """Four resolutions, each half of the one before: (N, C, h, w) -> features of each."""

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
    """Four convolutions with two short cuts, the first of them projected (`resdown`)."""

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
    """Features of four resolutions and a style -> features at full resolution (N, 32, h, w).

    Features of the encoder are added, not concatenated, and the style steers every step.
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
    """As the block going down, but with features of the encoder and the style added on the way.

    (`resup` and `batchconvstyle`.)
    """

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
        if grow:  # as late as can be: what works pixel by pixel gives the same before pixels are repeated
            short, x = F.interpolate(short, scale_factor=2.0), F.interpolate(x, scale_factor=2.0)
        x = short + self.conv["conv_1"](convolve(x) + skipped, style)
        return x + self.conv["conv_3"](self.conv["conv_2"](x, style), style)


class _Styled(nn.Module):
    """A convolution of features to which a projection of the style was added."""

    def __init__(self, channels: int, style_channels: int) -> None:
        super().__init__()
        self.conv = _convolution(channels, channels, 3)
        self.full = nn.Linear(style_channels, channels)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return self.conv(x + self.full(style)[:, :, None, None])


def _convolution(in_channels: int, out_channels: int, size: int) -> nn.Sequential:
    """Norm, ReLU, convolution (`batchconv`, with its momentum)."""
    return nn.Sequential(
        nn.BatchNorm2d(in_channels, momentum=0.05),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, out_channels, size, padding=size // 2),
    )


def _projection(in_channels: int, out_channels: int) -> nn.Sequential:
    """Norm and a 1×1 convolution (`batchconv0`)."""
    return nn.Sequential(nn.BatchNorm2d(in_channels, momentum=0.05), nn.Conv2d(in_channels, out_channels, 1))


def _resize(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
