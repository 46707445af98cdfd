"""Limits on YAML files of unknown origin, checked before a parser builds values from them.

Aliases let a few hundred bytes expand to gigabytes, deep nesting exhausts the stack, and a parser in Python
takes a minute for a few megabytes. The check reads the stream of parser events and stops at the first limit.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cards.errors import InputError

MAX_BYTES = 2**20
MAX_NODES = 20_000  # values after the expansion of aliases; the included recipes have about 100
MAX_DEPTH = 50
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def read_limited(path: Path, what: str, error: type[InputError]) -> bytes:
    """Read a small file.

    Args:
        path: the file.
        what: what the file is, for the error message.
        error: type of the error to raise.

    Returns:
        The content.

    Raises:
        InputError: if the file is larger than `MAX_BYTES`.
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise error(f"{path}: larger than {MAX_BYTES // 2**20} MB, too large for {what}")
    return content


def check_yaml(text: str, where: str, error: type[InputError], *, numbered: bool = True) -> None:
    """Check the size, nesting, aliases and characters of a YAML text.

    Args:
        text: the YAML.
        where: name of the file or key for error messages.
        error: type of the error to raise.
        numbered: whether error messages state line numbers.

    Raises:
        InputError: one line that names the place, if the text is not valid YAML or exceeds a limit.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    line = 0
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and number of nodes before it
    sizes: dict[str, int] = {}  # nodes by anchor
    nodes = 0

    def refuse(reason: str) -> InputError:
        return error(f"{where}:{line}: {reason}" if numbered else f"{where}: {reason}")

    if len(text) > MAX_BYTES:
        raise error(f"{where}: larger than {MAX_BYTES // 2**20} MB")
    if found := CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise refuse(f"not valid YAML: control character {found[0]!r}")
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            line = event.start_mark.line + 1
            kind = type(event).__name__
            if kind in ("SequenceStartEvent", "MappingStartEvent"):
                open_nodes.append((event.anchor, nodes))
                nodes += 1
                if len(open_nodes) > MAX_DEPTH:
                    raise refuse(f"nested more than {MAX_DEPTH} levels deep")
            elif kind in ("SequenceEndEvent", "MappingEndEvent"):
                anchor, before = open_nodes.pop()
                if anchor:
                    sizes[anchor] = nodes - before
            elif kind == "ScalarEvent":
                nodes += 1
                _check_scalar(event.value, refuse)
                if event.anchor:
                    sizes[event.anchor] = 1
            elif kind == "AliasEvent":
                if any(anchor == event.anchor for anchor, _ in open_nodes):
                    raise refuse(f"*{event.anchor} contains itself")
                nodes += sizes.get(event.anchor, 1)
            if nodes > MAX_NODES:
                raise refuse(f"more than {MAX_NODES:,} values, counting those that aliases repeat")
    except MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else line
        raise refuse(f"not valid YAML: {problem.problem}") from problem
    except ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        raise refuse(f"not valid YAML: {problem.reason}") from problem
    except (YAMLError, ValueError) as problem:  # such as an escape beyond Unicode
        raise refuse(f"not valid YAML: {' '.join(str(problem).split())[:200]}") from problem


def _check_scalar(value: Any, refuse: Any) -> None:
    if found := CONTROL.search(value or ""):
        raise refuse(f"control character {found[0]!r} in a value")
