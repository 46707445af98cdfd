"""Source code of the networks in BioImage.IO packages. Without torch, so that an audit can compare it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from cards.record import RunRecord

Node = TypeVar("Node", ast.ClassDef, ast.FunctionDef)

NETWORKS, HEADS = "finetune.networks", "finetune.targets"
REPOSITORIES = ("wipp", "stardist", "cellpose")
"""Repositories whose networks are defined in `NETWORKS`, each in one file."""

WITH_HEAD = '''

import torch  # noqa: E402


{head}

class {network}WithHead({network}):
    """{network}, whose output goes through `{name}`."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) -> what the package's postprocessing takes."""
        return {name}(super().forward(images))
'''


def add_head(code: str, network: str, head: str, name: str) -> tuple[str, str]:
    """Add the head of a target to the file of a network.

    Args:
        code: of the file.
        network: name of the class.
        head: source code of the function.
        name: of the function.

    Returns:
        The code, and the name of the class with the head.
    """
    return code + WITH_HEAD.format(head=head, name=name, network=network), f"{network}WithHead"


def known_sources(record: RunRecord) -> dict[str, list[str]] | None:
    """Source code that this version writes into packages.

    Args:
        record: the run.

    Returns:
        Codes by name of the class; None if the network is of another package, or exported as TorchScript.
    """
    if record.model.architecture.repository not in REPOSITORIES:
        return None
    known: dict[str, list[str]] = {}
    for code in _files(NETWORKS):
        for name, node in _definitions(code, ast.ClassDef):
            if "portable = True" not in (ast.get_source_segment(code, node) or ""):
                continue
            known.setdefault(name, []).append(code)
            for head_name, head in _heads():
                with_head, longer = add_head(code, name, head, head_name)
                known.setdefault(longer, []).append(with_head)
    return known


def _heads() -> Iterator[tuple[str, str]]:
    for code in _files(HEADS, "*_head.py"):
        lines = code.splitlines(keepends=True)
        for name, node in _definitions(code, ast.FunctionDef):
            yield name, "".join(lines[node.lineno - 1 : node.end_lineno])


def _files(package: str, pattern: str = "*.py") -> Iterator[str]:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob(pattern)):
            yield path.read_text(encoding="utf-8")


def _definitions(code: str, kind: type[Node]) -> Iterator[tuple[str, Node]]:
    for node in ast.parse(code).body:
        if isinstance(node, kind):
            yield node.name, node
