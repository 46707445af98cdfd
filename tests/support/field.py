"""A synthetic field of view: soft nuclei of varied size and brightness on a dark background with noise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def make_field(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Make an image (1, H, W) uint8 with about one nucleus for each 300 pixels, and shot noise."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width), 12.0)
    rows, columns = np.mgrid[:height, :width]
    for _ in range(height * width // 300):
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        long, short, angle = rng.uniform(6, 10), rng.uniform(4, 6), rng.uniform(0, np.pi)
        near = tuple(slice(max(0, int(place) - 10), int(place) + 12) for place in (row, column))
        down, right = rows[near] - row, columns[near] - column
        along = down * np.cos(angle) + right * np.sin(angle)
        across = right * np.cos(angle) - down * np.sin(angle)
        inside = (along / long) ** 2 + (across / short) ** 2 < 1
        image[near] = np.maximum(image[near], inside * rng.uniform(60, 180))
    return rng.poisson(ndimage.gaussian_filter(image, 1.2)).clip(0, 255).astype(np.uint8)[None]


def cut(field: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """Cut a field into square tiles, named by row and column."""
    return {
        f"r{row}c{column}": field[:, row * side :, column * side :][:, :side, :side]
        for row in range(field.shape[1] // side)
        for column in range(field.shape[2] // side)
    }
