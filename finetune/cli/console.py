"""Printing: lines, notes, tables and documents."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from cards.paths import expand_user


def printable(text: str) -> str:
    """Keep text on one line: control characters and bytes that are no text are escaped.

    Args:
        text: such as a path.

    Returns:
        The text.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def print_line(text: str = "", style: str | None = None) -> None:
    """Print one line to standard output, without wrapping.

    Args:
        text: the line.
        style: a style of rich, such as "yellow".
    """
    from rich.console import Console

    Console(highlight=False, soft_wrap=True, emoji=False).print(text, style=style, markup=False)


def print_note(text: str, kind: Literal["note", "warning", "finetune"] = "note") -> None:
    """Print one line to standard error, such as "note: 2 files are not images".

    Args:
        text: the line; characters that control a terminal are replaced.
        kind: word before the line. "warning" is yellow in a terminal; "finetune" is for errors.
    """
    line = printable(f"{kind}: {text}")
    if kind != "warning" or not sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
    console.print(line, style="yellow", markup=False)


def print_document(text: str, out: Path | None) -> None:
    """Print a document to standard output, or write it to a file and print the path of the file.

    Args:
        text: the document, with a newline at the end.
        out: the file to write; None for standard output.

    Raises:
        InputError: if a file with other content exists, or the file cannot be written.
    """
    if out is None:
        print(text, end="")
        return
    from finetune.utils.atomic import write_new_files

    out = expand_user(out)
    for path, written in write_new_files(out.parent, {out.name: text.encode()}).items():
        print_line(f"{path}{'' if written else ' (unchanged)'}")


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table to standard output.

    Args:
        columns: headings.
        rows: cells of each row.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:  # no width to fit into: print whole names
        console.width = 1000
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # names may hold brackets, which rich takes for markup
    console.print(table)


def print_markdown(text: str) -> None:
    """Print a card: formatted in a terminal, else as Markdown.

    Args:
        text: Markdown from `cards.huggingface.render_body`.
    """
    import re

    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    if not console.is_terminal:
        print(text, end="")
        return
    # A terminal has no folding sections: each becomes a section with a heading.
    text = re.sub(r"<details>\n<summary>(.*)</summary>", r"## \1", text).replace("</details>", "")
    console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))
