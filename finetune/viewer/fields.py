"""Input fields of the browser: screen readers read their names, and all their parts work by keyboard."""

from __future__ import annotations

import param
from panel.reactive import ReactiveHTML

LOWEST, HIGHEST = -50, 200
"""Ends of the sliders, in percent of the automatic range."""


class Slider(ReactiveHTML):
    """A slider of the browser: screen readers read its name, which the handles of Bokeh's sliders lack.

    Attributes:
        value: in percent.
    """

    value = param.Integer(default=0, bounds=(LOWEST, HIGHEST))

    _template = f"""
    <label id="label" style="display: inline-grid; font-size: 12px">{{{{ name }}}} (%)
      <input id="range" type="range" style="width: 110px; margin: 8px 0" min="{LOWEST}" max="{HIGHEST}"
        value="${{value}}" onchange="${{script('moved')}}"></input>
    </label>"""
    _scripts = {
        "render": "range.value = data.value",
        "value": "range.value = data.value",
        "moved": "data.value = parseInt(range.value)",
    }


class NumberField(ReactiveHTML):
    """A field for an integer from 1 on.

    Attributes:
        value: the number.
        end: the largest allowed number.
    """

    value = param.Integer(default=1)
    end = param.Integer(default=1)

    _template = """
    <label id="label" style="display: inline-grid; font-size: 12px">{{ name }}
      <input id="field" type="number" min="1"
        style="width: 90px; height: 31px; font-size: 14px; box-sizing: border-box; padding: 0 8px;
          border: 1px solid gray; border-radius: 4px; background: transparent; color: inherit"
        max="${end}" value="${value}" onchange="${script('typed')}"></input>
    </label>"""
    _scripts = {
        "render": "field.value = data.value",
        "value": "field.value = data.value",
        "typed": """
          const number = Math.min(Math.max(parseInt(field.value) || 1, 1), data.end)
          field.value = number
          data.value = number
        """,
    }
