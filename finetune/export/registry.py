"""Registry of exporters. Every run writes all formats that support its model, in this order."""

from __future__ import annotations

from cards.errors import InputError
from finetune.export import bioimageio, huggingface, native
from finetune.export.base import Exporter

__all__ = ["EXPORTERS", "Exporter", "register_exporter"]

EXPORTERS: dict[str, Exporter] = {
    "huggingface": huggingface,
    "native": native,
    "bioimageio": bioimageio,
}


def register_exporter(name: str, exporter: Exporter) -> None:
    """Add an export format.

    Args:
        name: subfolder of the run folder that it writes.
        exporter: a module or object that satisfies the protocol `Exporter`.

    Raises:
        InputError: if the name belongs to another exporter, or is not a plain folder name.
    """
    if EXPORTERS.get(name, exporter) is not exporter:
        raise InputError(f"exporter '{name}' is already registered")
    if not name.isidentifier():
        raise InputError(f"exporter '{name}': the name must consist of letters, digits and underscores")
    EXPORTERS[name] = exporter
