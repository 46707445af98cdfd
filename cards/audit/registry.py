"""Families of claims, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from cards.audit import (
    accuracy,
    card,
    data,
    files,
    formats,
    leakage,
    license,
    lineage,
    runtimes,
    signature,
    weights,
)
from cards.audit.claims import Claim, Subject

FAMILIES: dict[str, Callable[[Subject], list[Claim]]] = {
    "files": files.check,
    "card": card.check,
    "weights": weights.check,
    "data": data.check,
    "leakage": leakage.check,
    "accuracy": accuracy.check,
    "lineage": lineage.check,
    "license": license.check,
    "formats": formats.check,
    "runtimes": runtimes.check,
    "signature": signature.check,
}
"""The `check` of each family returns its claims, and may raise InputError where it cannot tell."""

TITLES = {
    "files": "Files",
    "card": "Cards and record",
    "weights": "Weights",
    "data": "Data",
    "leakage": "Leakage",
    "accuracy": "Accuracy",
    "lineage": "Lineage",
    "license": "License",
    "formats": "Metadata formats",
    "runtimes": "Runtimes",
    "signature": "Signature",
}
"""Heading of each family in a report."""
