"""`finetune card bom`."""

from __future__ import annotations

from finetune.cli.arguments import OutFile, RecordSource
from finetune.cli.console import print_document


def bom(model: RecordSource, out: OutFile = None) -> None:
    """Write the bill of materials (ML-BOM) of a model.

    The CycloneDX ML-BOM lists weights, base model, data and software with hashes and licenses. Prints JSON,
    or writes it to a new file, for example model.cdx.json in the run folder.
    """
    from finetune.utils.optional import require

    require("cyclonedx", "provenance")
    from cards.provenance.mlbom import ml_bom
    from finetune.downloads.records import fetch_record

    print_document(ml_bom(fetch_record(model)), out)
