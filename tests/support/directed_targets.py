"""Two small targets whose maps have directions, to show that a test finds a target that forgets them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import BaseModel

from finetune.utils.options import NoOptions, Options


def nearest(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize the last two axes by nearest neighbor."""
    height, width = array.shape[-2:]
    rows, columns = np.arange(shape[0]) * height // shape[0], np.arange(shape[1]) * width // shape[1]
    return array[..., rows[:, None], columns]


class Directions:
    """A stand-in for flows: in every pixel the unit vector (y, x) towards its instance's center."""

    Options: ClassVar[type[BaseModel]] = NoOptions
    name = "directions"
    channels = 2
    labels: Literal["instances", "boundary"] = "instances"
    loss_name = "mean squared error"
    map_names: tuple[str, ...] = ("y", "x")
    keep_encoded = whole = exports_labels = False
    exported_axes: Literal["bcyx", "byxc"] = "bcyx"
    choices: dict[str, tuple[float, ...]] = {}

    def __init__(self, options: NoOptions | None = None) -> None:
        pass

    def encode(self, labels: np.ndarray) -> np.ndarray:
        maps = np.zeros((2, *labels.shape), np.float32)
        for instance in np.unique(labels[labels > 0]):
            pixels = np.argwhere(labels == instance)
            offset = pixels.mean(axis=0) - pixels
            length = np.hypot(*offset.T)[:, None]
            unit = np.divide(offset, length, out=np.zeros_like(offset), where=length > 1e-6)
            maps[:, labels == instance] = unit.T
        return maps

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        return (output - maps).square().mean(dim=(1, 2, 3)).mean()

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        return output

    def decode(self, maps: np.ndarray) -> np.ndarray:
        return (np.hypot(*maps) > 0.5).astype(np.int32)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        y, x = np.rot90(maps, rotations, axes=(1, 2))
        for _ in range(rotations):  # np.rot90 moves pixel (y, x) to (-x, y), and so it does vectors
            y, x = -x, y
        if flip:
            y, x = y[:, ::-1], -x[:, ::-1]
        return np.stack([y, x])

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return nearest(maps, shape)  # a direction has no length

    def options(self) -> dict[str, Any]:
        return {}

    def head(self) -> None:
        return None

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        return []


class DistancesOptions(Options):
    rays: int = 8


class Distances:
    """A stand-in for rays: the distance to the instance's edge along directions all around."""

    Options: ClassVar[type[BaseModel]] = DistancesOptions
    name = "distances"
    labels: Literal["instances", "boundary"] = "instances"
    loss_name = "mean absolute error"
    keep_encoded = whole = exports_labels = False
    exported_axes: Literal["bcyx", "byxc"] = "bcyx"
    choices: dict[str, tuple[float, ...]] = {}

    def __init__(self, options: DistancesOptions | None = None) -> None:
        self.rays = self.channels = (options or DistancesOptions()).rays
        self.map_names: tuple[str, ...] = tuple(f"distance{ray}" for ray in range(self.rays))

    def encode(self, labels: np.ndarray) -> np.ndarray:
        padded = np.pad(labels, 1)
        maps = np.zeros((self.rays, *labels.shape), np.float32)
        for ray in range(self.rays):
            angle = 2 * np.pi * ray / self.rays
            step = np.array([round(np.sin(angle)), round(np.cos(angle))])
            for start in np.argwhere(padded > 0):
                end = start.copy()
                while padded[tuple(end)] == padded[tuple(start)]:
                    end += step
                maps[ray, start[0] - 1, start[1] - 1] = np.hypot(*(end - start))
        return maps

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        return (output - maps).abs().mean(dim=(1, 2, 3)).mean()

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        return output.relu()

    def decode(self, maps: np.ndarray) -> np.ndarray:
        return (maps.min(axis=0) > 0.5).astype(np.int32)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        maps = np.rot90(maps, rotations, axes=(1, 2))
        maps = np.roll(maps, -rotations * self.rays // 4, axis=0)
        if flip:  # an angle a becomes 180° - a
            maps = maps[(self.rays // 2 - np.arange(self.rays)) % self.rays, :, ::-1]
        return maps

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return nearest(maps, shape) * np.float32(shape[0] / maps.shape[1])

    def options(self) -> dict[str, Any]:
        return {"rays": self.rays}

    def head(self) -> None:
        return None

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        return []
