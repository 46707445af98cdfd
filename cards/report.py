"""report.html: the card of a run as one self-contained file, for screen, phone and print.

The body is that of the Hugging Face card. Text from a record is not trusted: raw HTML is shown as text except
for the folding sections of our templates. The content security policy forbids requests, and all scripts but
those of the page, which it names by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    """Render HTML in which only folding sections and pictures of our templates are active.

    Tables and code, which may be wider than a phone, can be scrolled by keyboard.
    """

    def html_block(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        lines = tokens[index].content.strip().split("\n")
        return "".join(f"{line if _FOLD.fullmatch(line) else html.escape(line)}\n" for line in lines)

    def html_inline(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return html.escape(tokens[index].content)

    def table_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return '<div class="table" tabindex="0"><table>\n'

    def fence(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return super().fence(tokens, index, options, env).replace("<pre>", '<pre tabindex="0">', 1)

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


@dataclass(frozen=True)
class Section:
    """A part of the page below the card.

    Attributes:
        html: trusted HTML.
        styles: style sheets.
        scripts: programs, which run in the order given.
    """

    html: str
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()


def join_sections(sections: Iterable[Section | None]) -> Section:
    """Put sections one below the other.

    Args:
        sections: in the order of the page; None is left out.

    Returns:
        One section.
    """
    found = [section for section in sections if section is not None]
    return Section(
        "".join(section.html for section in found),
        tuple(style for section in found for style in section.styles),
        tuple(script for section in found for script in section.scripts),
    )


def render_html(body: str, pictures: Path, below: Section | None = None) -> str:
    """Render the page.

    Args:
        body: the card in Markdown, from `cards.huggingface.render_body`.
        pictures: folder of the pictures to embed. A picture that is missing there is replaced by its caption.
        below: what follows the card.

    Returns:
        HTML.
    """
    title = re.search(r"^# (.+)$", body, re.MULTILINE)
    content = _reader().render(body, {"pictures": pictures})
    # HTML does not allow a figure inside a paragraph.
    content = re.sub(r"<p>(<figure>.*?</figure>)</p>", r"\1", content, flags=re.DOTALL)
    page = read_template("report.html")
    name = _reader().renderInline(title.group(1)) if title else "Model card"
    name = re.sub(r"<[^>]*>", "", name).replace("{", "&#123;")  # which could name the place of the content
    page = page.replace("{{title}}", name, 1)
    if below is None:
        return page.replace("{{content}}", content, 1)
    if below.scripts:
        policy = " ".join(f"'sha256-{_sha256(script)}'" for script in below.scripts)
        page = page.replace("default-src 'none';", f"default-src 'none'; script-src {policy};", 1)
    page = page.replace(
        "</head>", "".join(f"<style>{text}</style>\n" for text in below.styles) + "</head>", 1
    )
    scripts = "".join(f"<script>{script}</script>\n" for script in below.scripts)
    return page.replace("{{content}}", content + below.html + scripts, 1)


def read_template(name: str) -> str:
    """Read a file from `cards/templates`.

    Args:
        name: name of the file.

    Returns:
        Its text.
    """
    return resources.files("cards").joinpath("templates", name).read_text("utf-8")


def _sha256(script: str) -> str:
    """The hash by which a content security policy names a script (https://www.w3.org/TR/CSP3/)."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
