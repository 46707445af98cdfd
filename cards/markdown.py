"""Markdown from templates, in which text from a record is text and nothing else.

Every `{{ expression }}` of a template goes through `safe`: a plain string comes out escaped, so that a
title cannot open a table, a link, a comment or a script. What a filter below returns is `Markdown`
and comes out as it is. A missing value or a bare figure is an error rather than `None` or
`0.931234567` on a card: the template has to word it.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import jinja2

from cards import formatting as words
from cards.base import Spec


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


# A backslash makes any ASCII punctuation literal: https://spec.commonmark.org/0.31.2/#backslash-escapes
# Underscores inside a word need none, which keeps file names readable in the raw text.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|(?<!\S)#(?=#*(?:\s|$))")
_OPENING = re.compile(r"^(?:[-+=](?=[-=\s]|$)|\d{1,9}(?=[.)](?:\s|$)))")
_URL = re.compile(r"https?://[^\s<>|\"`\\]*[^\s<>|\"`\\.,;:!?*'()\[\]]")


def plain(text: str) -> str:
    """Text on one line, without control characters."""
    kept = "".join(" " if unicodedata.category(character) == "Cc" else character for character in text)
    return " ".join(kept.split())


def escape(text: str) -> Markdown:
    """Any text on one line, literal in running text, in a heading and in a table."""
    escaped = _SPECIAL.sub(r"\\\g<0>", plain(text))
    return Markdown(_OPENING.sub(_escape_opening, escaped))


def _escape_opening(match: re.Match[str]) -> str:
    r"""Keep a line from starting a list or underlining a heading: `- a` -> `\- a`, `3. a` -> `3\. a`."""
    opening = match.group()
    return opening + "\\" if opening.isdigit() else "\\" + opening


def linked(text: str) -> Markdown:
    """Like `escape`, with its web addresses as links."""
    text, pieces, last = plain(text), [], 0
    for match in _URL.finditer(text):
        pieces += [text[last : match.start()], match.group()]
        last = match.end()
    pieces.append(text[last:])
    if len(pieces) == 1:
        return escape(text)
    return Markdown("".join(f"<{piece}>" if odd % 2 else _inner(piece) for odd, piece in enumerate(pieces)))


def _inner(piece: str) -> str:
    """Escape a piece of a line and keep the spaces at its ends, which `escape` would drop."""
    if not piece.strip():
        return piece
    before = piece[: len(piece) - len(piece.lstrip())]
    after = piece[len(piece.rstrip()) :]
    return before + escape(piece) + after


def paragraphs(text: str) -> Markdown:
    """Text whose blank lines part paragraphs."""
    return Markdown("\n\n".join(linked(part) for part in re.split(r"\n\s*\n", text.strip())))


def code(text: str) -> Markdown:
    """A name, a path or a hash, in the letters of code; also within a table."""
    text = plain(text)
    return escape(text) if not text or re.search(r"[`|]", text) else Markdown(f"`{text}`")


def fenced(text: str, language: str = "") -> Markdown:
    """A block of code, in a fence longer than any that the text has."""
    runs = [len(run) for run in re.findall(r"`{3,}", text)]
    fence = "`" * (max(runs, default=2) + 1)
    return Markdown(f"{fence}{language}\n{text.strip()}\n{fence}")


def literal(text: str) -> Markdown:
    """A string literal that means the same in Python and in JSON, for a line of example code."""
    return Markdown(json.dumps(text, ensure_ascii=False))


def call(spec: Spec) -> Markdown:
    """A network, target or normalization with its options, as code: `unet(depth=4)`.

    Args:
        spec: name and options.

    Returns:
        A code span; options in alphabetical order, values as JSON.
    """
    options = sorted(spec.options.items())
    arguments = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in options]
    return code(f"{spec.name}({', '.join(arguments)})" if arguments else spec.name)


def table(rows: Sequence[Sequence[str]], align: str = "") -> Markdown:
    """A table whose first row is its header; `align` has a letter a column, l or r."""
    rules = {"l": ":--", "r": "--:"}
    align = align or "l" * len(rows[0])
    head, *body = ["| " + " | ".join(safe(cell) for cell in row) + " |" for row in rows]
    return Markdown("\n".join([head, "|" + "|".join(rules[letter] for letter in align) + "|", *body]))


def safe(value: Any) -> str:
    """What a template prints for an expression.

    Raises:
        TypeError: for anything but text and whole numbers, so that no figure goes out unworded.
        ValueError: for empty text.
    """
    if isinstance(value, Markdown):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a card cannot print {value!r}: word it with a filter")
    if value == "":
        raise ValueError("a card cannot print nothing: word what is missing")
    return escape(str(value))


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, with the filters of this module and wordings of `words`."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("cards"),
        undefined=jinja2.StrictUndefined,
        finalize=safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,  # an included part ends its own last line
        autoescape=False,  # escapes for HTML; `safe` escapes for Markdown
    )
    filters = (linked, paragraphs, code, fenced, literal, call, table)
    wordings = (words.stated, words.counted, words.duration)
    made.filters.update({function.__name__: function for function in (*filters, *wordings)})
    return made


def render(template: str, **context: Any) -> str:
    """Fill a template; the result has no run of blank lines and ends with one newline."""
    text = environment().get_template(template).render(context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
