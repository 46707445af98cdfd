"""Registry of exporters. Every run writes all formats that support its model, in this order."""

from __future__ import annotations

from finetune.export import bioimageio, huggingface, native
from finetune.export.base import Exporter
from finetune.utils.registration import Registry

__all__ = ["EXPORTERS", "Exporter", "register_exporter"]

EXPORTERS: Registry[Exporter] = Registry(
    "exporter",
    {"huggingface": huggingface, "native": native, "bioimageio": bioimageio},
    needs=("OUTPUT", "supports", "write", "reload"),
)


def register_exporter(name: str, exporter: Exporter) -> None:
    """Add an export format.

    Args:
        name: subfolder of the run folder that the exporter writes.
        exporter: a module or object that satisfies the protocol `Exporter`.

    Raises:
        InputError: if the name is taken or invalid, or the exporter lacks an attribute.
    """
    EXPORTERS.register(name, exporter)
