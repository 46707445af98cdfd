"""The list of faults: which scenario produces which rows of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fault_cases.bench import Bench

MODULES = (
    "recipes",
    "paths",
    "predict",
    "weights",
    "checkpoints",
    "images",
    "packages",
    "torchscript",
    "kills",
    "signals",
    "resume",
    "locks",
    "disks",
    "hub",
    "downloads",
    "field_predict",
    "field_layouts",
    "field_images",
    "field_training",
)


@dataclass(frozen=True)
class Scenario:
    """A function that injects one fault, or a fault and its consequences.

    Attributes:
        group: kind of fault, the name of the module.
        rows: id and description of each row that the function judges, in order.
        check: builds the input, runs the command line, and raises `Failed` if a user would be harmed.
    """

    group: str
    rows: tuple[tuple[str, str], ...]
    check: Callable[[Bench], None]


SCENARIOS: list[Scenario] = []


def fault(*rows: tuple[str, str]) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Register a scenario under the name of its module.

    Args:
        rows: id and description of each row. A scenario with several rows enters each by `bench.row(id)`.
    """

    def register(check: Callable[[Bench], None]) -> Callable[[Bench], None]:
        function = getattr(check, "func", check)  # of functools.partial
        SCENARIOS.append(Scenario(function.__module__.rpartition(".")[2], rows, check))
        return check

    return register
