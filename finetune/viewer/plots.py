"""Plots with one appearance."""

from __future__ import annotations

from typing import Any

import panel as pn
from bokeh.plotting import figure

FOCUS = """
:host(:focus-within)::after {
  content: ""; position: absolute; inset: 0; z-index: 10; pointer-events: none; border: 2px solid #3584e4
}
"""

KEYS = "Plot: arrow keys move, + and − zoom, 0 shows everything"
"""For screen readers; `keyboard.js` reads the keys."""


def new_plot(**options: Any) -> figure:
    """Create a plot as wide as its panel.

    Args:
        **options: of `bokeh.plotting.figure`.

    Returns:
        The plot.
    """
    defaults: dict[str, Any] = {
        "sizing_mode": "stretch_width",
        "height": 300,
        "tools": "pan,wheel_zoom,box_zoom,reset",
        "stylesheets": [FOCUS],
        "html_attributes": {"role": "group", "aria-label": KEYS},
    }
    return figure(**defaults | options)


def finish(plot: figure) -> pn.pane.Bokeh:
    """Set the appearance of toolbar and legend.

    Args:
        plot: the plot.

    Returns:
        The view.
    """
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.axis.axis_label_text_font_size = "12px"  # a dark theme has larger text, for which there is no room
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.major_label_text_font_size = "11px"
    if plot.legend:
        plot.legend.click_policy = "hide"
        plot.legend.background_fill_alpha = 0.6
        plot.legend.label_text_font_size = "11px"
    return pn.pane.Bokeh(plot, sizing_mode="stretch_width")
