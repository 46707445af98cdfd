"""Appearance of plots."""

from __future__ import annotations

import panel as pn
from bokeh.plotting import figure

from finetune.viewer.desk import View


def style(plot: figure) -> View:
    """Finish a plot.

    Args:
        plot: the plot.

    Returns:
        The view.
    """
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    if plot.legend:
        plot.legend.click_policy = "hide"
        plot.legend.background_fill_alpha = 0.6
        plot.legend.label_text_font_size = "11px"
    return pn.pane.Bokeh(plot, sizing_mode="stretch_width")
