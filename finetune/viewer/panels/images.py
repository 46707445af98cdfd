"""Panel with an image, or a folder of images or label images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import panel as pn

from cards.errors import InputError
from finetune.data.images import page_count
from finetune.data.layouts import MASK_FOLDERS, mask_stem
from finetune.viewer.colors import automatic_limits, color_labels
from finetune.viewer.contrast import Contrast
from finetune.viewer.desk import Desk, View, message
from finetune.viewer.fields import NumberField
from finetune.viewer.image_view import Bounds, Layer, LinkedViews, valid_bounds
from finetune.viewer.library import images_of
from finetune.viewer.pictures import Picture, open_picture
from finetune.viewer.windows import Window

INTENSITY, LABELS = "intensity", "labels"


def images_panel(desk: Desk, window: Window) -> View:
    """Build the panel.

    Args:
        desk: the desk of the page.
        window: the panel; its options are the name of the image, the plane of a stack, how pixels are shown,
            the contrast, and the visible part.

    Returns:
        The content.
    """
    item = desk.library.get(window.items[0], "images")
    paths = {path.name: path for path in images_of(item)}
    if not paths:
        return message("The folder holds no images any more.")
    options = window.options
    first = str(options.get("image"))
    first = first if first in paths else next(iter(paths))
    choice = pn.widgets.Select(label="Image", options=list(paths), value=first, width=320)
    kinds = [INTENSITY, LABELS]
    shown = str(options.get("as"))
    shown = shown if shown in kinds else _guess(paths[first])
    kind = pn.widgets.RadioButtonGroup(
        label="Show as", options=kinds, value=shown, color="primary", variant="outline"
    )
    plane = NumberField(name="Plane", width=110, height=52, margin=(5, 10), visible=False)
    place = pn.Column(sizing_mode="stretch_width")
    shown_views: list[LinkedViews] = []

    def adjusted() -> None:
        for views in shown_views:
            views.refresh()
        desk.changed()

    contrast = Contrast(options, adjusted)

    def view(path: Path) -> View:
        contrast.control.visible = kind.value == INTENSITY
        return _view(desk, window, path, kind.value, plane, contrast, shown_views)

    def show(*events: Any) -> None:
        if any(event.obj is choice for event in events):
            options.pop("at", None)
            options.pop("plane", None)
        options["image"], options["as"] = choice.value, kind.value
        place[:] = [view(paths[choice.value])]
        desk.changed()

    for widget in (choice, kind):
        widget.param.watch(show, "value")

    def turn(event: Any) -> None:
        if options.get("plane", 1) != event.new:
            options["plane"] = event.new
            show()

    plane.param.watch(turn, "value")
    place[:] = [view(paths[first])]
    controls = [*([choice] if len(paths) > 1 else []), plane, kind, contrast.control]
    return pn.Column(
        pn.FlexBox(*controls, align_items="end", sizing_mode="stretch_width"),
        place,
        sizing_mode="stretch_width",
    )


def _view(
    desk: Desk,
    window: Window,
    path: Path,
    kind: str,
    plane: NumberField,
    contrast: Contrast,
    shown: list[LinkedViews],
) -> View:
    shown.clear()
    try:
        desk.library.check(path)
        pages = page_count(path)
        wanted = window.options.get("plane", 1)
        page = min(max(wanted, 1), pages) if isinstance(wanted, int) else 1
        plane.param.update(visible=pages > 1, end=pages, value=page)
        picture = open_picture(path, page - 1 if pages > 1 else None, labels=kind == LABELS)
        layer = _layer(picture, kind, contrast)
    except InputError as error:
        return message(str(error).replace(f"{path.parent}/", ""))

    def moved(bounds: Bounds) -> None:
        window.options["at"] = [round(edge) for edge in bounds]
        desk.changed()

    views = LinkedViews(picture.height, picture.width, moved, valid_bounds(window.options.get("at")))
    shown.append(views)
    size = f"{picture.width:,} × {picture.height:,} px"
    planes = f", plane {page} of {pages}" if pages > 1 else ""
    return pn.Column(message(f"{path.name}: {size}{planes}"), views.add([layer]), sizing_mode="stretch_width")


def _layer(picture: Picture, kind: str, contrast: Contrast) -> Layer:
    if kind == LABELS:

        def colored(pixels: np.ndarray) -> np.ndarray:
            return color_labels(pixels[0])

        return Layer("image", picture, colored)
    contrast.limits = automatic_limits(picture)
    return Layer("image", picture, contrast.paint)


def _guess(path: Path) -> str:
    """Label images are recognized by their names: the pixels do not tell."""
    return LABELS if mask_stem(path) or path.parent.name.lower() in MASK_FOLDERS else INTENSITY
