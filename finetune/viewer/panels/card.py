"""Panel with model cards side by side."""

from __future__ import annotations

import html
from pathlib import Path

import panel as pn

from cards.errors import InputError
from cards.huggingface import PICTURES, render_body
from cards.reading import pictures_folder
from cards.report import render_html
from finetune.viewer.desk import Desk, View, message
from finetune.viewer.library import inside
from finetune.viewer.run_table import read_run
from finetune.viewer.windows import Window

HEIGHT = 560
MOST = 4


def card_panel(desk: Desk, window: Window) -> View:
    """Build the panel.

    Args:
        desk: the desk of the page.
        window: the panel.

    Returns:
        The content.
    """
    return pn.FlexBox(*(_card(desk, key) for key in window.items[:MOST]), sizing_mode="stretch_width")


def _card(desk: Desk, key: str) -> View:
    """A card in a frame without scripts, forms and links to the page around it."""
    try:
        path = desk.library.get(key, "run").path
        record, folder = read_run(desk.library, key), pictures_folder(path)
        shown = [
            name
            for name in PICTURES
            if folder and inside(folder / name, [path]) and (folder / name).is_file()
        ]
        page = render_html(render_body(record, shown), folder or Path())
    except InputError as error:
        return message(str(error))
    frame = (
        f'<iframe sandbox="" title="Card of {html.escape(key)}" srcdoc="{html.escape(page)}" '
        f'style="width:100%;height:{HEIGHT}px;border:0;background:#fff"></iframe>'
    )
    return pn.pane.HTML(frame, styles={"flex": "1 1 340px"}, margin=4)
