"""Check that an exported network reproduces the original, at another size than it was traced with."""

from __future__ import annotations

from collections.abc import Callable

import torch

# float32 sums in another order differ in the last digits; a wrong export differs in the first.
TOLERANCE = 1e-3
# Fraction of pixels whose label may differ: as in the package's own test, see `LABEL_TOLERANCE`.
MAX_LABEL_MISMATCH = 5e-3
LARGE = 128  # pixels; a network with such a divisor works on tiles, of which few suffice


def example(channels: int, divisor: int) -> torch.Tensor:
    """Two small images of noise for tracing.

    No dimension is 1 at any depth of the network, and no two are equal by accident: an exporter would treat
    either as a constant.

    Args:
        channels: number of channels, C.
        divisor: H and W are multiples of this.

    Returns:
        (2, C, H, W) float32 with H != W.
    """
    rows, columns = (6, 4) if divisor < LARGE else (3, 2)
    return _noise(2, channels, rows * divisor, columns * divisor)


def agree(
    what: str,
    network: Callable[[torch.Tensor], torch.Tensor],
    exported: Callable[[torch.Tensor], torch.Tensor],
    channels: int,
    divisor: int,
) -> None:
    """Check that an exported network reproduces the original on an image of another size than `example`.

    Args:
        what: name of the format, for the error.
        network: the original, (N, C, H, W) -> maps or labels (N, K, H, W).
        exported: the exported network, likewise.
        channels: number of channels, C.
        divisor: H and W are multiples of this.

    Raises:
        RuntimeError: if shapes differ, maps differ by more than `TOLERANCE` (relative to the largest value),
            or labels differ in more than `MAX_LABEL_MISMATCH` of the pixels.
    """
    rows, columns = (3, 8) if divisor < LARGE else (2, 4)
    image = _noise(1, channels, rows * divisor, columns * divisor)
    with torch.no_grad():
        expected, got = network(image), exported(image)
    if expected.shape != got.shape:
        raise RuntimeError(
            f"{what}: the output has shape {tuple(got.shape)}, that of the network {tuple(expected.shape)}"
        )
    if not expected.is_floating_point():  # labels: their numbers have no order
        differing = (got != expected).float().mean().item()
        if differing > MAX_LABEL_MISMATCH:
            raise RuntimeError(f"{what}: {differing:.2%} of the labels differ from the network's")
        return
    difference = (got - expected).abs().max().item()
    if not difference <= TOLERANCE * max(1.0, expected.abs().max().item()):  # catches a NaN, too
        raise RuntimeError(f"{what}: the output differs from the network's by up to {difference:.2g}")


def _noise(*shape: int) -> torch.Tensor:
    # A separate generator leaves the random state of the run unchanged.
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))
