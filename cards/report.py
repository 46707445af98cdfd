"""report.html: the card of a run as one file that needs nothing else, on paper, phone and screen.

The body is that of the Hugging Face card. It holds text from a record, so nothing in it is trusted:
raw HTML is shown as text but for the folding sections of our own templates, and the page forbids
scripts and requests to the browser that shows it.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_FOLD = re.compile(r"(?:</?details>|<summary>[^<>&]*</summary>)")
_PICTURE = re.compile(r"pictures/([a-z_]+\.png)")


class _Renderer(RendererHTML):
    """Writes HTML in which only our own folding sections and pictures are more than text."""

    def html_block(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        lines = tokens[index].content.strip().split("\n")
        return "".join(f"{line if _FOLD.fullmatch(line) else html.escape(line)}\n" for line in lines)

    def html_inline(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return html.escape(tokens[index].content)

    def table_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return '<div class="table"><table>\n'

    def table_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        words = html.escape(tokens[index].content)
        found = _PICTURE.fullmatch(str(tokens[index].attrs.get("src", "")))
        path = env["pictures"] / found.group(1) if found else None
        if path is None or not path.is_file():
            return words
        data = base64.b64encode(path.read_bytes()).decode()
        caption = f"<figcaption>{words}</figcaption>"
        return f'<figure><img alt="{words}" src="data:image/png;base64,{data}">{caption}</figure>'


@cache
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer).enable("table")


def render_html(body: str, pictures: Path) -> str:
    """The whole page.

    Args:
        body: the card in Markdown, from `cards.huggingface.render_body`.
        pictures: the folder whose pictures are taken into the page. One that the card names and the
            folder lacks leaves its caption.
    """
    title = re.search(r"^# (.+)$", body, re.MULTILINE)
    content = _reader().render(body, {"pictures": pictures})
    # A picture is a figure, which HTML does not allow within a paragraph.
    content = re.sub(r"<p>(<figure>.*?</figure>)</p>", r"\1", content, flags=re.DOTALL)
    page = resources.files("cards").joinpath("templates", "report.html").read_text("utf-8")
    name = _reader().renderInline(title.group(1)) if title else "Model card"
    return page.replace("{{title}}", re.sub(r"<[^>]*>", "", name), 1).replace("{{content}}", content, 1)
