"""Markdown from templates, in which text from a record cannot act as markup.

Each `{{ expression }}` of a template passes through `safe`: a plain string is escaped, so that a title cannot
open a table, a link, a comment or a script. The filters below return `Markdown`, which is not escaped. A
missing value or an unformatted number is an error rather than `None` or `0.931234567` on a card.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cards import formatting as words
from cards.base import Spec

if TYPE_CHECKING:
    import jinja2


class Markdown(str):
    """Text that is already Markdown and is not escaped again."""

    __slots__ = ()


# A backslash makes any ASCII punctuation literal: https://spec.commonmark.org/0.31.2/#backslash-escapes
# Underscores inside a word need none, which keeps file names readable in the raw text.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|(?<!\S)#(?=#*(?:\s|$))")
_OPENING = re.compile(r"^(?:[-+=](?=[-=\s]|$)|\d{1,9}(?=[.)](?:\s|$)))")
_URL = re.compile(r"https?://[^\s<>|\"`\\]*[^\s<>|\"`\\.,;:!?*'()\[\]]")


def plain(text: str) -> str:
    """Put text on one line, without control characters.

    Args:
        text: any text.

    Returns:
        Words separated by single spaces.
    """
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(character) == "Cc" else character for character in text)
    return " ".join(text.split())


def escape(text: str) -> Markdown:
    """Escape text so that it is literal in running text, headings and tables.

    Args:
        text: any text.

    Returns:
        Markdown on one line.
    """
    escaped = _SPECIAL.sub(r"\\\g<0>", plain(text))
    return Markdown(_OPENING.sub(_escape_opening, escaped))


def _escape_opening(match: re.Match[str]) -> str:
    r"""Keep a line from starting a list or underlining a heading: `- a` -> `\- a`, `3. a` -> `3\. a`."""
    opening = match.group()
    return opening + "\\" if opening.isdigit() else "\\" + opening


def linked(text: str) -> Markdown:
    """Escape text and turn its web addresses into links.

    Args:
        text: any text.

    Returns:
        Markdown on one line.
    """
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
    """Escape text and keep its paragraphs.

    Args:
        text: any text; blank lines separate paragraphs.

    Returns:
        Markdown.
    """
    return Markdown("\n\n".join(linked(part) for part in re.split(r"\n\s*\n", text.strip())))


def code(text: str) -> Markdown:
    """Format a name, a path or a hash as a code span, also in a table.

    Args:
        text: any text.

    Returns:
        A code span; escaped text if it contains a backtick or a vertical bar.
    """
    text = plain(text)
    return escape(text) if not text or re.search(r"[`|]", text) else Markdown(f"`{text}`")


def fenced(text: str, language: str = "") -> Markdown:
    """Format a block of code, with a fence longer than any in the text.

    Args:
        text: the code.
        language: for syntax highlighting.

    Returns:
        Markdown.
    """
    runs = [len(run) for run in re.findall(r"`{3,}", text)]
    fence = "`" * (max(runs, default=2) + 1)
    return Markdown(f"{fence}{language}\n{text.strip()}\n{fence}")


def literal(text: str) -> Markdown:
    """Format a string literal for example code, valid in Python and JSON.

    Args:
        text: any text.

    Returns:
        The literal with double quotes.
    """
    return Markdown(json.dumps(text, ensure_ascii=False))


def call(spec: Spec) -> Markdown:
    """A network, target or normalization with its options, as code: `unet(depth=4)`.

    Args:
        spec: name and options.

    Returns:
        A code span; options in alphabetical order, values as JSON.
    """
    options = sorted(spec.options.items())
    arguments = [f"{key}={json.dumps(value, sort_keys=True, ensure_ascii=False)}" for key, value in options]
    return code(f"{spec.name}({', '.join(arguments)})" if arguments else spec.name)


def table(rows: Sequence[Sequence[str]], align: str = "") -> Markdown:
    """Format a table.

    Args:
        rows: cells; the first row is the header.
        align: "l" or "r" for each column, the last one also for all further columns; left by default.

    Returns:
        Markdown.
    """
    rules = {"l": ":--", "r": "--:"}
    align = (align or "l").ljust(len(rows[0]), (align or "l")[-1])
    head, *body = ["| " + " | ".join(safe(cell) for cell in row) + " |" for row in rows]
    return Markdown("\n".join([head, "|" + "|".join(rules[letter] for letter in align) + "|", *body]))


def safe(value: Any) -> str:
    """Convert the value of an expression in a template to text.

    Args:
        value: `Markdown`, which is returned unchanged, a string, which is escaped, or an integer.

    Returns:
        Markdown.

    Raises:
        TypeError: for other types, e.g. a float that was not formatted.
        ValueError: for empty text.
    """
    if isinstance(value, Markdown):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a card cannot print {value!r}: format it with a filter")
    if value == "":
        raise ValueError("a card cannot print empty text: state what is missing")
    return escape(str(value))


@functools.cache
def environment() -> jinja2.Environment:
    """Build the Jinja environment.

    Returns:
        The environment with the filters of this module and of `cards.formatting`.
    """
    import jinja2  # not needed by those that only use `plain`

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
    """Render a template.

    Args:
        template: file name in `cards/templates`.
        context: variables of the template.

    Returns:
        Markdown without consecutive blank lines, with one newline at the end.
    """
    text = environment().get_template(template).render(context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
