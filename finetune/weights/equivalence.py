"""What the writers of traced networks share: an image to trace with, and a check with one of another size."""

from __future__ import annotations

from collections.abc import Callable

import torch

# float32 sums in another order differ in the last digits; a network gone wrong differs in the first.
TOLERANCE = 1e-3
MAX_LABEL_MISMATCH = (
    5e-3  # of the pixels, where it gives labels: as for a package's own test, `LABEL_TOLERANCE`
)
LARGE = 128  # pixels; a network of such a divisor sees tiles, and with fewer of them no less


def example(channels: int, divisor: int) -> torch.Tensor:
    """Two small images (2, C, H, W) of noise with H != W.

    No size is 1 at any depth of the network, and no two are equal by accident: an exporter would take either
    for a constant.
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
    """Check that both give the same on an image of another size than `example`.

    Raises:
        RuntimeError: if they do not.
    """
    rows, columns = (3, 8) if divisor < LARGE else (2, 4)
    image = _noise(1, channels, rows * divisor, columns * divisor)
    with torch.no_grad():
        expected, got = network(image), exported(image)
    if expected.shape != got.shape:
        raise RuntimeError(
            f"{what}: the shape is {tuple(got.shape)}, but the network gives {tuple(expected.shape)}"
        )
    if not expected.is_floating_point():  # labels: a number more or less means nothing
        differing = (got != expected).float().mean().item()
        if differing > MAX_LABEL_MISMATCH:
            raise RuntimeError(f"{what}: {differing:.2%} of the labels differ from the network's")
        return
    difference = (got - expected).abs().max().item()
    if not difference <= TOLERANCE * max(1.0, expected.abs().max().item()):  # catches a NaN, too
        raise RuntimeError(f"{what}: the output differs from the network's by up to {difference:.2g}")


def _noise(*shape: int) -> torch.Tensor:
    # A generator of its own leaves the run's random numbers alone.
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))
