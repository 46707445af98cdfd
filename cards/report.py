"""report.html: the card of a run as one self-contained file, for screen, phone and print.

The body is that of the Hugging Face card. Text from a record is not trusted: raw HTML is shown as text except
for the folding sections of our templates, and the content security policy forbids scripts and requests.
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
    """Render HTML in which only folding sections and pictures of our templates are active."""

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
    """Render the page.

    Args:
        body: the card in Markdown, from `cards.huggingface.render_body`.
        pictures: folder of the pictures to embed. A picture that is missing there is replaced by its caption.

    Returns:
        HTML.
    """
    title = re.search(r"^# (.+)$", body, re.MULTILINE)
    content = _reader().render(body, {"pictures": pictures})
    # HTML does not allow a figure inside a paragraph.
    content = re.sub(r"<p>(<figure>.*?</figure>)</p>", r"\1", content, flags=re.DOTALL)
    page = resources.files("cards").joinpath("templates", "report.html").read_text("utf-8")
    name = _reader().renderInline(title.group(1)) if title else "Model card"
    return page.replace("{{title}}", re.sub(r"<[^>]*>", "", name), 1).replace("{{content}}", content, 1)
