"""Panel with one test image and the errors of several models, at the same position."""

from __future__ import annotations

import asyncio
import html
from typing import Any

import numpy as np
import panel as pn

from cards.canvas import MISSED, OUTLINE, PREDICTION, REFERENCE, SPURIOUS
from cards.errors import InputError
from cards.record import RunRecord
from finetune.pipeline.previews import TOLERANCE, distance_to_boundary, error_classes
from finetune.viewer.colors import automatic_limits, draw_errors, draw_outline
from finetune.viewer.contrast import Contrast
from finetune.viewer.desk import Desk, View, message
from finetune.viewer.image_view import Bounds, Layer, LinkedViews, valid_bounds
from finetune.viewer.pictures import in_memory, open_picture
from finetune.viewer.predictions import (
    Located,
    existing_prediction,
    file_of,
    locate,
    predict,
    reference,
    score,
    test_images,
)
from finetune.viewer.run_table import read_run
from finetune.viewer.windows import Window

LAYERS = {"reference": REFERENCE, "prediction": PREDICTION, "errors": ""}
MOST = 6
SWATCH = "display:inline-block;width:12px;height:12px;vertical-align:-1px"


def models_panel(desk: Desk, window: Window) -> View:
    """Build the panel.

    Args:
        desk: the desk of the page.
        window: the panel; its options are the name of the image, the layers shown, the contrast,
            and the visible part.

    Returns:
        The content.
    """
    records: dict[str, RunRecord] = {}
    problems: list[View] = []
    for key in window.items[:MOST]:
        try:
            records[key] = read_run(desk.library, key)
        except InputError as error:
            problems.append(message(str(error)))
    names = test_images(records)
    if not names:
        return pn.Column(*problems, message("None of these runs has scored test images."))
    options = window.options
    choice = pn.widgets.Select(
        label="Test image, lowest Dice first",
        options={_short(name): name for name in names} if len({*map(_short, names)}) == len(names) else names,
        value=options.get("image") if options.get("image") in names else names[0],
        width=320,
    )
    layers = [name for name in options.get("layers", ["reference", "prediction"]) if name in LAYERS]
    toggles = pn.widgets.CheckButtonGroup(
        label="Layers", options=list(LAYERS), value=layers, color="primary", variant="outline"
    )
    place = pn.FlexBox(sizing_mode="stretch_width")
    state: dict[str, LinkedViews] = {}

    def adjusted() -> None:
        if "views" in state:
            state["views"].refresh(name="image")
        desk.changed()

    contrast = Contrast(options, adjusted)

    def show(event: Any = None) -> None:
        if event is not None:
            options.pop("at", None)
        options["image"] = choice.value
        place[:] = _views(desk, window, records, choice.value, toggles, contrast, state)
        desk.changed()

    def toggle(event: Any) -> None:
        options["layers"] = list(event.new)
        for name in LAYERS:
            if "views" in state:
                state["views"].show(name, name in event.new)
        desk.changed()

    choice.param.watch(show, "value")
    toggles.param.watch(toggle, "value")
    place[:] = _views(desk, window, records, choice.value, toggles, contrast, state)
    controls = pn.FlexBox(choice, toggles, contrast.control, align_items="end", sizing_mode="stretch_width")
    return pn.Column(*problems, controls, _legend(), place, sizing_mode="stretch_width")


def _views(
    desk: Desk,
    window: Window,
    records: dict[str, RunRecord],
    image: str,
    toggles: pn.widgets.CheckButtonGroup,
    contrast: Contrast,
    state: dict[str, LinkedViews],
) -> list[View]:
    first = next(record for record in records.values() if record.accuracy)
    file = next((one for one in first.data.files if one.split == "test" and one.name == image), None)
    if file is None:
        return [message(f"{image}: the record does not list this image")]
    try:
        located = locate(desk.library, file)
        picture = open_picture(located.image, file.page)
        truth = reference(located)
    except InputError as error:
        return [message(str(error))]

    def moved(bounds: Bounds) -> None:
        window.options["at"] = [round(edge) for edge in bounds]
        desk.changed()

    views = LinkedViews(picture.height, picture.width, moved, valid_bounds(window.options.get("at")))
    state["views"] = views
    contrast.limits = automatic_limits(picture)
    shown: list[View] = [message(located.note)] if located.note else []
    for key, record in records.items():
        layers = [Layer("image", picture, contrast.paint)]
        if truth is not None:
            layers.append(_outline("reference", truth, toggles))
        plot = views.add(layers)
        own = file_of(record, file.image_pixels)
        dice = score(record, own.name) if own else None
        seen = "" if own is None or own.split == "test" else f", an image for {own.split} of this run"
        title = f"{html.escape(key)}: {'Dice not measured' if dice is None else f'Dice {dice:.4f}'}{seen}"
        column = pn.Column(
            pn.pane.HTML(f'<h3 style="margin:4px;font-size:14px">{title}</h3>', margin=0),
            styles={"flex": "1 1 300px"},
            margin=4,
        )
        column.append(_prediction(desk, key, located, truth, plot, views, toggles))
        column.append(plot)
        shown.append(column)
    return shown


def _prediction(
    desk: Desk,
    key: str,
    located: Located,
    truth: np.ndarray | None,
    plot: pn.pane.Bokeh,
    views: LinkedViews,
    toggles: pn.widgets.CheckButtonGroup,
) -> View:
    """Layers of the prediction if it exists as a label image; else a button that runs the model."""

    def add(labels: np.ndarray) -> None:
        if labels.shape != (views.height, views.width):
            raise InputError(f"the prediction has {labels.shape[1]} × {labels.shape[0]} px, unlike the image")
        layers = [_outline("prediction", labels, toggles)]
        if truth is not None:
            classes = error_classes(labels, truth, distance_to_boundary(truth))
            visible = "errors" in toggles.value
            layers.append(
                Layer("errors", in_memory(classes), lambda part: draw_errors(part[0]), visible=visible)
            )
        views.attach(plot.object, layers)

    from finetune.data.images import read_labels

    existing = existing_prediction(desk.library, key, located)
    if existing is not None:
        try:
            desk.library.check(existing)
            add(read_labels(existing))
            return message(f"prediction: {existing.parent.name}/{existing.name}")
        except InputError as error:
            return message(str(error))
    button = pn.widgets.Button(label="Segment with this model", margin=2)
    place = pn.Column(button, height=38, margin=0)  # of one height, so that the views stay side by side

    async def run(event: Any) -> None:
        button.param.update(label="segmenting …", disabled=True)
        document = pn.state.curdoc
        try:
            labels = await asyncio.to_thread(predict, desk.library.get(key, "run"), located)
        except InputError as error:
            place[:] = [message(str(error))]
            return

        def shown() -> None:
            try:
                add(labels)
                place[:] = [message("Segmented with this model.")]
            except InputError as error:
                place[:] = [message(str(error))]

        if document is not None:  # Bokeh's models may only be changed while it holds the document
            document.add_next_tick_callback(shown)

    button.on_click(run)
    return place


def _outline(name: str, labels: np.ndarray, toggles: pn.widgets.CheckButtonGroup) -> Layer:
    color = LAYERS[name]
    return Layer(
        name, in_memory(labels), lambda pixels: draw_outline(pixels[0], color), visible=name in toggles.value
    )


def _legend() -> View:
    meanings = {
        REFERENCE: "outline of the reference",
        PREDICTION: "outline of the prediction",
        MISSED: "missed",
        SPURIOUS: "spurious",
        OUTLINE: f"outline off by up to {TOLERANCE:g} px",
    }
    entries = "".join(
        f'<span style="margin-right:14px"><span style="{SWATCH};background:{color}"></span> {text}</span>'
        for color, text in meanings.items()
    )
    return pn.pane.HTML(f'<p style="margin:2px 6px">{entries}</p>', sizing_mode="stretch_width", margin=0)


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:18]}…{name[-18:]}"
