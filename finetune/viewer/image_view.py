"""Linked image views: each sends only what is visible, at the resolution of the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import panel as pn
from bokeh.events import RangesUpdate
from bokeh.models import BoxZoomTool, ColumnDataSource, PanTool, Range1d, ResetTool, WheelZoomTool
from bokeh.plotting import figure

from finetune.viewer.pictures import Part, Picture
from finetune.viewer.plots import new_plot

SIDE = 800
"""Pixels along the longer side that are sent for one layer; see `Picture.part`."""
TOOLBAR = 30
"""Height of the toolbar above an image in pixels."""
DELAY = 60
"""Milliseconds between the last movement and the next read."""

Bounds = tuple[float, float, float, float]
"""Left, right, top and bottom in pixels."""
Columns = dict[str, Any]


@dataclass
class Layer:
    """A layer of a view.

    Attributes:
        name: on its button, such as "reference".
        picture: what is read.
        paint: converts the pixels of a part to RGBA, (h, w) uint32.
        visible: whether it is shown.
    """

    name: str
    picture: Picture
    paint: Callable[[np.ndarray], np.ndarray]
    visible: bool = True
    source: ColumnDataSource = field(default_factory=lambda: ColumnDataSource(data=_column(None)))
    glyph: Any = None

    def read(self, x: tuple[float, float], y: tuple[float, float]) -> Columns:
        """Read the visible part.

        Args:
            x: left and right edge in pixels.
            y: upper and lower edge.

        Returns:
            Columns of the data source.
        """
        part = self.picture.part(x, y, SIDE)
        return _column(part, self.paint(part.pixels)) if part.width and part.height else _column(None)


class LinkedViews:
    """Views of images of the same size; they show the same position."""

    def __init__(
        self, height: int, width: int, moved: Callable[[Bounds], None], bounds: Bounds | None = None
    ) -> None:
        """Start without views.

        Args:
            height: of the images in pixels.
            width: of the images in pixels.
            moved: called with left, right, top and bottom when the user moved.
            bounds: the part that is visible first; the whole image if None.
        """
        self.bounds: Bounds = bounds or (0, width, 0, height)
        left, right, top, bottom = self.bounds
        self.height, self.width, self.moved = height, width, moved
        # y grows downward, as rows do.
        self.x_range = Range1d(start=left, end=right, reset_start=0, reset_end=width)
        self.y_range = Range1d(start=bottom, end=top, reset_start=height, reset_end=0)
        self.layers: list[Layer] = []
        self._due = False

    def add(self, layers: Sequence[Layer]) -> pn.pane.Bokeh:
        """Add a view.

        Args:
            layers: the lowest first.

        Returns:
            The view.
        """
        wheel = WheelZoomTool(zoom_on_axis=False)
        plot = new_plot(
            x_range=self.x_range,
            y_range=self.y_range,
            tools=[PanTool(), wheel, BoxZoomTool(match_aspect=True), ResetTool()],
            active_scroll=wheel,
            aspect_ratio=self.width / self.height,
            sizing_mode="scale_width",
            toolbar_location="above",
            min_border=0,
            # The toolbar takes height from the image. Pixels stay square by a border beside it.
            min_border_right=round(TOOLBAR * self.width / self.height),
            output_backend="canvas",
        )
        plot.axis.visible = False
        plot.grid.visible = False
        plot.toolbar.logo = None
        plot.background_fill_color = "#000000"
        plot.on_event(RangesUpdate, self._update)
        self.attach(plot, layers)
        return pn.pane.Bokeh(plot, sizing_mode="stretch_width", margin=0)

    def attach(self, plot: figure, layers: Sequence[Layer]) -> None:
        """Add layers to a view.

        Args:
            plot: the figure of the view.
            layers: drawn above those that it has, the lowest first.
        """
        self.refresh(layers)
        for layer in layers:
            layer.glyph = plot.image_rgba(
                image="image", x="x", y="y", dw="dw", dh="dh", source=layer.source, visible=layer.visible
            )
            self.layers.append(layer)

    def refresh(self, layers: Sequence[Layer] | None = None, name: str = "") -> None:
        """Read the visible part of visible layers again.

        Args:
            layers: which ones; all if None.
            name: only layers of this name, if it is not empty.
        """
        left, right, top, bottom = self.bounds
        for layer in self.layers if layers is None else layers:
            if layer.visible and name in ("", layer.name):
                layer.source.data = layer.read((left, right), (top, bottom))

    def show(self, name: str, visible: bool) -> None:
        """Show or hide all layers of a name.

        Args:
            name: of the layers.
            visible: whether they are shown.
        """
        chosen = [layer for layer in self.layers if layer.name == name and layer.visible != visible]
        for layer in chosen:
            layer.visible = visible
        self.refresh(chosen)
        for layer in chosen:
            layer.glyph.visible = visible

    def _update(self, event: Any) -> None:
        """Remember where the user is; read once when the movement has ended."""
        self.x_range.update(start=event.x0, end=event.x1)
        self.y_range.update(start=event.y0, end=event.y1)
        self.bounds = (event.x0, event.x1, event.y1, event.y0)
        document = pn.state.curdoc
        if document is not None and not self._due:
            self._due = True
            document.add_timeout_callback(self._read, DELAY)

    def _read(self) -> None:
        self._due = False
        self.refresh()
        self.moved(self.bounds)


def valid_bounds(value: Any) -> Bounds | None:
    """Check the bounds in a link.

    Args:
        value: anything.

    Returns:
        Left, right, top and bottom; None if the value is something else.
    """
    if (
        not isinstance(value, list)
        or len(value) != 4
        or not all(isinstance(edge, int | float) for edge in value)
    ):
        return None
    left, right, top, bottom = map(float, value)
    return (left, right, top, bottom) if left < right and top < bottom else None


def _column(part: Part | None, pixels: np.ndarray | None = None) -> Columns:
    if part is None or pixels is None:
        return {name: [] for name in ("image", "x", "y", "dw", "dh")}
    return {"image": [pixels], "x": [part.x], "y": [part.y], "dw": [part.width], "dh": [part.height]}
