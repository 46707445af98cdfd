"""The contrast of images, and the sliders that change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn

from finetune.viewer.colors import Limits, shade
from finetune.viewer.fields import HIGHEST, LOWEST, Slider

AUTOMATIC = (0, 100)


class Contrast:
    """Black and white point of an image in percent of the automatic limits: 0 and 100 leave them as they are.

    Attributes:
        points: black and white point in percent.
        limits: automatic limits of the image shown; set when an image is opened.
        control: the sliders.
    """

    def __init__(self, options: dict[str, Any], changed: Callable[[], None]) -> None:
        """Start with the contrast of a link.

        Args:
            options: of the panel; "contrast" holds both points unless they are automatic.
            changed: called when the user moved a point.
        """
        self.points = _valid(options.get("contrast"))
        self.limits: Limits | None = None
        self._options, self._changed = options, changed
        black, white = self.points
        size: dict[str, Any] = {"width": 118, "height": 44, "sizing_mode": "fixed", "margin": (5, 6)}
        self._sliders = [
            Slider(name="Black", value=black, **size),
            Slider(name="White", value=white, **size),
        ]
        for slider in self._sliders:
            slider.param.watch(self._moved, "value")
        self.control = pn.Row(*self._sliders, width=260, height=54, sizing_mode="fixed", margin=0)

    def paint(self, pixels: np.ndarray) -> np.ndarray:
        """Convert pixels to RGBA.

        Args:
            pixels: (C, h, w).

        Returns:
            (h, w) uint32.
        """
        assert self.limits is not None
        black, white = (
            self.limits[0] + (self.limits[1] - self.limits[0]) * (point / 100) for point in self.points
        )
        return shade(pixels, (black, white))

    def _moved(self, event: Any) -> None:
        black, white = (slider.value for slider in self._sliders)
        if black >= white:  # the point that was moved stops at the other one
            event.obj.value = event.old
            return
        self.points = (black, white)
        if self.points == AUTOMATIC:
            self._options.pop("contrast", None)
        else:
            self._options["contrast"] = list(self.points)
        self._changed()


def _valid(value: Any) -> tuple[int, int]:
    if (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(point, int) for point in value)
        and LOWEST <= value[0] < value[1] <= HIGHEST
    ):
        return value[0], value[1]
    return AUTOMATIC
